#include "distillation/label_sets/filler.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

#include "common/files/fake_file_system.h"
#include "common/random/random.h"
#include "common/random/test_seed.h"
#include "distillation/label_sets/label_set_for_test.h"
#include "distillation/label_sets/writer.h"
#include "distillation/order/order.h"

namespace distill {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

constexpr char kDir[] = "sets/a";

std::vector<uint64_t> AllBlocks(const LabelSetIdentity& identity) {
  std::vector<uint64_t> blocks(identity.blocks());
  for (uint64_t i = 0; i < blocks.size(); ++i) blocks[i] = i;
  return blocks;
}

// What a teacher answers: some bytes of another output first.
std::pair<v1::Section, std::string> AnswerTo(const LabelSetIdentity& identity, uint64_t block) {
  const EncodedLabels labels = TrueBlock(identity, block);
  v1::Section section;
  section.set_output(identity.output);
  section.set_codec(identity.codec);
  section.set_parameters(labels.parameters);
  section.set_dtype(v1::FLOAT32);
  section.add_dims(static_cast<int64_t>(identity.RowsOf(block)));
  section.add_dims(static_cast<int64_t>(identity.classes));
  section.set_offset(7);
  section.set_length(labels.bytes.size());
  return {section, "another" + labels.bytes};
}

std::span<const std::byte> Bytes(const std::string& bytes) {
  return std::as_bytes(std::span<const char>(bytes));
}

TEST(LabelSetFillerTest, AnAskNamesTheExamplesAndViewsOfItsBlock) {
  LabelSetIdentity identity = SmallIdentity();
  v1::ViewSpec view;
  view.set_horizontal_flip(true);
  // Rows 72 to 79: the last examples of the first view, then the first of the second.
  LabelSetFiller filler(identity, view, {9}, {});
  const auto ask = filler.Next();
  ASSERT_TRUE(ask.has_value());
  EXPECT_EQ(ask->block, 9u);
  EXPECT_THAT(ask->examples.ids(), ElementsAre(72, 73, 74, 0, 1, 2, 3, 4));
  EXPECT_EQ(ask->examples.view_seeds(2), ViewSeedOf(7, 0, 74));
  EXPECT_EQ(ask->examples.view_seeds(3), ViewSeedOf(7, 1, 0));
  EXPECT_EQ(ask->examples.data_set_digest(), "data");
  EXPECT_EQ(ask->examples.split(), v1::TRAIN);
  EXPECT_EQ(ask->examples.view_spec_digest(), "view");
  EXPECT_TRUE(ask->examples.view_spec().horizontal_flip());
  EXPECT_FALSE(filler.Next().has_value());
  identity.views = 0;
  identity.view_seed = 0;
  LabelSetFiller plain(identity, view, {9}, {});
  const auto last = plain.Next();
  EXPECT_THAT(last->examples.ids(), ElementsAre(72, 73, 74));
  EXPECT_EQ(last->examples.view_seeds_size(), 0);
}

TEST(LabelSetFillerTest, AsksAndPartsBegunAreBounded) {
  LabelSetFiller few(SmallIdentity(), {}, AllBlocks(SmallIdentity()), {.max_outstanding = 3});
  for (int i = 0; i < 3; ++i) EXPECT_TRUE(few.Next().has_value());
  EXPECT_FALSE(few.Next().has_value());
  few.Filled(2);
  EXPECT_TRUE(few.Next().has_value());

  // Four blocks to a part.
  LabelSetFiller parts(SmallIdentity(), {}, AllBlocks(SmallIdentity()),
                       {.max_outstanding = 100, .max_parts_begun = 2});
  for (uint64_t i = 1; i <= 8; ++i) EXPECT_EQ(parts.Next()->request_id, i);
  for (const uint64_t id : {5, 6, 7, 8}) {
    EXPECT_FALSE(parts.Next().has_value());
    parts.Filled(id);
  }
  // The second part is complete, the first is not: the third may be begun, no fourth.
  for (uint64_t block = 8; block < 12; ++block) EXPECT_EQ(parts.Next()->block, block);
  EXPECT_FALSE(parts.Next().has_value());
}

TEST(LabelSetFillerTest, AFailedBlockIsAskedAgainFirstAndGivenUpAfterItsLastAttempt) {
  LabelSetFiller filler(SmallIdentity(), {}, AllBlocks(SmallIdentity()),
                        {.max_outstanding = 2, .max_attempts = 3});
  EXPECT_EQ(filler.Next()->block, 0u);
  EXPECT_EQ(filler.Next()->block, 1u);
  filler.Failed(1, absl::UnavailableError("gone"));
  // Its late answer is nobody's.
  EXPECT_EQ(filler.BlockOf(1), std::nullopt);
  filler.Filled(1);
  EXPECT_EQ(filler.blocks_left(), 19u);
  EXPECT_EQ(filler.Next()->block, 0u);
  filler.Failed(3, absl::UnavailableError("gone"));
  EXPECT_TRUE(filler.status().ok());
  EXPECT_EQ(filler.Next()->block, 0u);
  filler.Failed(4, absl::DataLossError("not finite"));
  EXPECT_TRUE(absl::IsDataLoss(filler.status()));
  EXPECT_THAT(std::string(filler.status().message()), HasSubstr("block 0 failed 3 times"));
  EXPECT_FALSE(filler.Next().has_value());
}

TEST(LabelSetFillerTest, AnAnswerThatIsNotOfItsBlockIsRefused) {
  const LabelSetIdentity identity = SmallIdentity();
  LabelSetFiller filler(identity, {}, AllBlocks(identity), {});
  ASSERT_TRUE(filler.Next().has_value());
  const auto [section, payload] = AnswerTo(identity, 0);
  const auto labels = filler.Accept(1, section, Bytes(payload));
  ASSERT_TRUE(labels.ok()) << labels.status();
  EXPECT_EQ(labels->bytes, TrueBlock(identity, 0).bytes);
  EXPECT_TRUE(absl::IsNotFound(filler.Accept(2, section, Bytes(payload)).status()));
  std::vector<v1::Section> bad(9, section);
  bad[0].set_output("feature");
  bad[1].set_codec("dense_fp32");
  bad[2].set_dtype(v1::FLOAT16);
  bad[3].set_dims(0, 7);
  bad[4].set_dims(1, 4);
  bad[5].add_dims(1);
  bad[6].add_row_splits(0);
  bad[7].set_offset(8);
  bad[8].set_length(UINT64_MAX);
  for (size_t i = 0; i < bad.size(); ++i) {
    EXPECT_TRUE(absl::IsDataLoss(filler.Accept(1, bad[i], Bytes(payload)).status())) << i;
  }
}

TEST(LabelSetFillerTest, ATeacherThatCannotGiveTheSetIsRefusedWithWhatDiffers) {
  const LabelSetIdentity identity = SmallIdentity();
  v1::Opened opened;
  opened.set_fingerprint("f00d");
  opened.set_codec("dense_fp16");
  opened.mutable_numerics_class()->set_text("avx2");
  opened.set_max_request_examples(8);
  EXPECT_TRUE(CheckOpened(identity, opened).ok());
  std::vector<std::pair<std::string, v1::Opened>> others(4, {"", opened});
  others[0].first = "fingerprint", others[0].second.set_fingerprint("beef");
  others[1].first = "codec", others[1].second.set_codec("dense_fp32");
  others[2].first = "numerics class", others[2].second.clear_numerics_class();
  others[3].first = "block_rows", others[3].second.set_max_request_examples(7);
  for (const auto& [what, other] : others) {
    const absl::Status status = CheckOpened(identity, other);
    EXPECT_TRUE(absl::IsFailedPrecondition(status)) << what;
    EXPECT_THAT(std::string(status.message()), HasSubstr(what));
  }
}

// Answers in any order, some lost, some wrong, the recording killed now and then.
TEST(LabelSetFillerTest, InAnyOrderOfEventsTheSetIsTheUndisturbedOne) {
  const uint64_t seed = TestSeed();
  const LabelSetIdentity identity = SmallIdentity();
  FakeFileSystem undisturbed;
  ASSERT_TRUE(FillAll(&undisturbed, kDir, identity).ok());
  const auto expected = FilesIn(undisturbed, kDir);
  for (uint64_t round = 0; round < 100; ++round) {
    FakeFileSystem files;
    uint64_t draw = 0;
    const auto below = [&](uint64_t bound) { return UniformBelow(seed, round, draw++, bound); };
    for (bool finished = false; !finished;) {
      const auto writer = *LabelSetWriter::Open(&files, kDir, identity, {});
      LabelSetFiller filler(identity, {}, writer->MissingBlocks(),
                            {.max_outstanding = 5, .max_parts_begun = 2, .max_attempts = 1000});
      std::vector<LabelSetFiller::BlockAsk> asked;
      bool killed = false;
      while (!filler.done() && !killed) {
        while (auto ask = filler.Next()) asked.push_back(*std::move(ask));
        ASSERT_FALSE(asked.empty());
        std::swap(asked[below(asked.size())], asked.back());
        const LabelSetFiller::BlockAsk ask = asked.back();
        asked.pop_back();
        auto [section, payload] = AnswerTo(identity, ask.block);
        const uint64_t what = below(20);
        if (what == 0) {
          filler.Failed(ask.request_id, absl::UnavailableError("lost"));
          continue;
        }
        if (what == 1) payload.resize(payload.size() / 2);
        killed = what == 2;
        auto labels = filler.Accept(ask.request_id, section, Bytes(payload));
        absl::Status status = labels.status();
        if (status.ok()) status = writer->Add(ask.block, *std::move(labels));
        if (status.ok()) {
          filler.Filled(ask.request_id);
        } else {
          filler.Failed(ask.request_id, status);
        }
      }
      finished = !killed;
      if (killed) {
        files.Crash(below(100));
      } else {
        ASSERT_TRUE(writer->Finish().ok());
      }
    }
    ASSERT_EQ(FilesIn(files, kDir), expected) << "round " << round;
  }
}

}  // namespace
}  // namespace distill
