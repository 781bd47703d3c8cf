#include "distillation/label_sets/reader.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <thread>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/digest/sha256.h"
#include "common/random/random.h"
#include "common/random/test_seed.h"
#include "common/status/error_id.h"
#include "distillation/label_sets/label_set_for_test.h"

namespace distill {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

constexpr char kDir[] = "sets/a";

class LabelSetReaderTest : public ::testing::Test {
 protected:
  LabelSetReaderTest() { EXPECT_TRUE(FillAll(&files_, kDir, SmallIdentity()).ok()); }

  absl::StatusOr<std::unique_ptr<LabelSetReader>> Open(
      const LabelSetIdentity& asked = SmallIdentity(), const LabelSetReaderOptions& options = {}) {
    return LabelSetReader::Open(&files_, kDir, asked, options);
  }
  void Flip(const std::string& name, size_t from_end) {
    const std::string path = JoinPath(kDir, name);
    std::string bytes = *files_.Read(path, 1 << 20);
    bytes[bytes.size() - from_end] ^= 1;
    ASSERT_TRUE(files_.Write(path, bytes).ok());
  }

  FakeFileSystem files_;
};

TEST_F(LabelSetReaderTest, EveryRowIsReadAsItWasRecordedInAnyOrder) {
  const uint64_t seed = TestSeed();
  const auto set = *Open();
  std::vector<uint64_t> rows = Permutation(seed, 0, set->identity().rows());
  rows.push_back(rows[3]);
  std::vector<float> values(rows.size() * 3);
  ASSERT_TRUE(set->Read(rows, values).ok());
  for (size_t i = 0; i < rows.size(); ++i) {
    EXPECT_EQ(std::vector<float>(values.begin() + 3 * i, values.begin() + 3 * i + 3),
              TrueRow(rows[i]));
  }
  EXPECT_EQ(set->RowOf(5, 1), 80u);
  EXPECT_TRUE(set->Verify().ok());
}

TEST_F(LabelSetReaderTest, DecodedBlocksAreBoundedAndTheLeastRecentlyUsedLeaves) {
  // 96 bytes a block: two fit.
  const auto set = *Open(SmallIdentity(), {.cache_bytes = 200});
  std::vector<float> row(3);
  const auto operations_for = [&](uint64_t block) {
    const int64_t before = files_.operations();
    EXPECT_TRUE(set->Read(std::vector<uint64_t>{block * 8}, row).ok());
    return files_.operations() - before;
  };
  EXPECT_EQ(operations_for(0), 1);
  EXPECT_EQ(operations_for(1), 1);
  EXPECT_EQ(operations_for(0), 0);
  EXPECT_EQ(operations_for(2), 1);
  EXPECT_EQ(operations_for(0), 0);
  EXPECT_EQ(operations_for(1), 1);
  EXPECT_EQ(set->cached_bytes(), 192u);
  const auto tiny = *Open(SmallIdentity(), {.cache_bytes = 0});
  EXPECT_TRUE(tiny->Read(std::vector<uint64_t>{9}, row).ok());
  EXPECT_EQ(row, TrueRow(9));
  EXPECT_EQ(tiny->cached_bytes(), 96u);
}

TEST_F(LabelSetReaderTest, ThreadsReadItTogetherInLittleRoom) {
  const uint64_t seed = TestSeed();
  const auto set = *Open(SmallIdentity(), {.cache_bytes = 200});
  std::vector<std::thread> threads;
  for (uint64_t stream = 0; stream < 4; ++stream) {
    threads.emplace_back([&, stream] {
      std::vector<float> row(3);
      for (const uint64_t number : Permutation(seed, stream, set->identity().rows())) {
        EXPECT_TRUE(set->Read(std::vector<uint64_t>{number}, row).ok());
        EXPECT_EQ(row, TrueRow(number));
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_LE(set->cached_bytes(), 200u);
}

TEST_F(LabelSetReaderTest, ASetThatIsNotThereOrNotFinishedIsNotFound) {
  absl::Status status = LabelSetReader::Open(&files_, "sets/b", SmallIdentity(), {}).status();
  EXPECT_TRUE(absl::IsNotFound(status));
  EXPECT_THAT(std::string(status.message()), HasSubstr("sets/b"));
  ASSERT_TRUE(files_.RemoveTree(JoinPath(kDir, kLabelSetManifestFile)).ok());
  EXPECT_TRUE(absl::IsNotFound(Open().status()));
}

TEST_F(LabelSetReaderTest, AFileThatIsNoManifestIsRefusedByName) {
  const std::string path = JoinPath(kDir, kLabelSetManifestFile);
  ASSERT_TRUE(files_.Write(path, "{\"labels\": 3}").ok());
  const absl::Status status = Open().status();
  EXPECT_TRUE(absl::IsInvalidArgument(status));
  EXPECT_THAT(std::string(status.message()), HasSubstr(path));
}

TEST_F(LabelSetReaderTest, ATornManifestOrPartIsDataLossAndSaysWhatToDo) {
  ASSERT_TRUE(files_.Truncate(JoinPath(kDir, PartFileName(4)), 300).ok());
  absl::Status status = Open().status();
  EXPECT_TRUE(absl::IsDataLoss(status));
  EXPECT_THAT(std::string(status.message()),
              AllOf(HasSubstr("blocks-00004.labels"), HasSubstr("record the set again")));
  EXPECT_EQ(ErrorIdOf(status), ErrorId::kLabelSetDamaged);
  ASSERT_TRUE(files_.RemoveTree(JoinPath(kDir, PartFileName(4))).ok());
  EXPECT_TRUE(absl::IsDataLoss(Open().status()));
  EXPECT_EQ(ErrorIdOf(Open().status()), ErrorId::kLabelSetDamaged);
  ASSERT_TRUE(files_.Truncate(JoinPath(kDir, kLabelSetManifestFile), 150).ok());
  EXPECT_TRUE(absl::IsDataLoss(Open().status()));
  // Recording again mends all of it.
  ASSERT_TRUE(FillAll(&files_, kDir, SmallIdentity()).ok());
  EXPECT_TRUE((*Open())->Verify().ok());
}

TEST_F(LabelSetReaderTest, AFlippedBitIsNoticedWhenItsBlockIsReadWithFileAndBlock) {
  Flip(PartFileName(1), 3);
  const auto set = *Open();
  std::vector<float> row(3);
  EXPECT_TRUE(set->Read(std::vector<uint64_t>{0}, row).ok());
  EXPECT_TRUE(set->Read(std::vector<uint64_t>{6 * 8}, row).ok());
  const absl::Status status = set->Read(std::vector<uint64_t>{7 * 8}, row);
  EXPECT_TRUE(absl::IsDataLoss(status));
  EXPECT_THAT(std::string(status.message()),
              AllOf(HasSubstr("sets/a/blocks-00001.labels"), HasSubstr("block 7")));
  EXPECT_TRUE(absl::IsDataLoss(set->Verify()));
}

TEST_F(LabelSetReaderTest, AWholePartOfAnotherRecordingIsFoundByVerify) {
  LabelSetIdentity identity = SmallIdentity();
  std::vector<EncodedLabels> blocks;
  // Sound in itself, but not what the manifest lists.
  for (const uint64_t block : {4, 5, 6, 6}) blocks.push_back(TrueBlock(identity, block));
  ASSERT_TRUE(files_.Write(JoinPath(kDir, PartFileName(1)), *EncodePart(identity, 1, blocks)).ok());
  EXPECT_TRUE(absl::IsDataLoss((*Open())->Verify()));
}

TEST_F(LabelSetReaderTest, APartOfAnotherSetIsNotCalledDamaged) {
  LabelSetIdentity other = SmallIdentity();
  other.fingerprint = "beef";
  std::vector<EncodedLabels> blocks;
  for (const uint64_t block : {4, 5, 6, 7}) blocks.push_back(TrueBlock(other, block));
  ASSERT_TRUE(files_.Write(JoinPath(kDir, PartFileName(1)), *EncodePart(other, 1, blocks)).ok());
  const absl::Status status = Open().status();
  EXPECT_TRUE(absl::IsFailedPrecondition(status)) << status;
  EXPECT_EQ(ErrorIdOf(status), ErrorId::kLabelSetOfOthers);
  EXPECT_THAT(std::string(status.message()),
              AllOf(HasSubstr("blocks-00001.labels"), HasSubstr("into another directory")));
}

TEST_F(LabelSetReaderTest, ADiskThatFailsIsNoDamageThatRecordingAgainWouldMend) {
  const auto set = *Open();
  std::vector<float> row(3);
  files_.FailOperation(1, WithErrorId(absl::DataLossError("read"), ErrorId::kDiskBroken));
  const absl::Status status = set->Read(std::vector<uint64_t>{9}, row);
  EXPECT_TRUE(absl::IsDataLoss(status)) << status;
  EXPECT_EQ(ErrorIdOf(status), ErrorId::kDiskBroken);
  EXPECT_THAT(std::string(status.message()),
              AllOf(HasSubstr("blocks-00000.labels"), Not(HasSubstr("record the set again"))));
}

TEST_F(LabelSetReaderTest, AnotherIdentityIsRefusedWithTheFieldThatDiffers) {
  LabelSetIdentity asked = SmallIdentity();
  asked.view_seed = 8;
  const absl::Status status = Open(asked).status();
  EXPECT_TRUE(absl::IsFailedPrecondition(status));
  EXPECT_THAT(std::string(status.message()),
              AllOf(HasSubstr(kDir), HasSubstr("view seed is '7', but '8'")));
  asked = SmallIdentity();
  asked.codec = asked.numerics_class = "";
  asked.block_rows = asked.part_blocks = 0;
  EXPECT_TRUE(Open(asked).ok());
}

TEST_F(LabelSetReaderTest, ARowBeyondTheSetOrRoomOfAnotherSizeIsRefused) {
  const auto set = *Open();
  std::vector<float> row(3);
  EXPECT_TRUE(absl::IsOutOfRange(set->Read(std::vector<uint64_t>{150}, row)));
  EXPECT_TRUE(absl::IsInvalidArgument(set->Read(std::vector<uint64_t>{1, 2}, row)));
}

TEST(LabelSetReader, ABlockThatIsTooShortForItsRowsTakesNoMemoryForThem) {
  FakeFileSystem files;
  LabelSetIdentity identity = SmallIdentity();
  identity.classes = (uint64_t{1} << 31) - 1;
  identity.examples = uint64_t{1} << 20;
  identity.block_rows = 1u << 20;
  identity.part_blocks = 2;
  const std::vector<EncodedLabels> blocks = {{"short", ""}, {"short", ""}};
  const std::string part = *EncodePart(identity, 0, blocks);
  const LabelSetManifest manifest = {identity, {{part.size(), Sha256Hex(part)}}};
  ASSERT_TRUE(files.MakeDirectories(kDir).ok());
  ASSERT_TRUE(files.Write(JoinPath(kDir, PartFileName(0)), part).ok());
  ASSERT_TRUE(files.Write(JoinPath(kDir, kLabelSetManifestFile), EncodeManifest(manifest)).ok());
  const auto set = LabelSetReader::Open(&files, kDir, identity, {});
  EXPECT_EQ(set.status().code(), absl::StatusCode::kDataLoss) << set.status();
  EXPECT_THAT(std::string(set.status().message()), HasSubstr("block 0"));
}

}  // namespace
}  // namespace distill
