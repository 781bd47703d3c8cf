#include "distillation/labels/soft_labels.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "distillation/labels/codec.h"
#include "distillation/labels/label_codec.h"
#include "distillation/labels/section.h"
#include "distillation/labels/synthetic_logits.h"

namespace distill {
namespace {

using ::testing::ElementsAreArray;
using ::testing::HasSubstr;

using Sparse = std::shared_ptr<const SparseLabels>;

absl::StatusOr<SoftLabels> RoundTrip(const std::string& name, int64_t rows,
                                     const std::vector<float>& logits,
                                     const CodecOptions& options = {},
                                     const std::shared_ptr<const LabelHead>& head = nullptr) {
  const auto codec = FindCodec(name, options);
  EXPECT_TRUE(codec.ok()) << codec.status();
  const int64_t classes = static_cast<int64_t>(logits.size()) / rows;
  std::vector<uint64_t> keys(static_cast<size_t>(rows));
  const auto encoded = (*codec)->Encode(
      MakeTensorView(ElementType::kFloat32, {rows, classes}, logits), {.ids = {}, .keys = keys});
  EXPECT_TRUE(encoded.ok()) << encoded.status();
  const auto section = SectionFor("logits", **codec, rows, classes, *encoded, 0);
  EXPECT_TRUE(section.ok()) << section.status();
  return DecodeSoftLabels(*section, std::as_bytes(std::span(encoded->bytes)), head);
}

// Of 20 features and 3 classes.
std::shared_ptr<const LabelHead> Head() {
  return std::make_shared<const LabelHead>(
      LabelHead{MakeTensorView(ElementType::kFloat32, {3, 20}, NormalLogits(9, 0, 60, 0, 1)),
                MakeTensorView(ElementType::kFloat32, {3}, std::vector<float>{1, 2, 3})});
}

TEST(SoftLabels, ComeOutInTheKindOfTheirCodec) {
  const auto logits = NormalLogits(1, 0, 40, 0, 2);
  const auto dense = RoundTrip("dense_fp32", 2, logits);
  ASSERT_TRUE(dense.ok()) << dense.status();
  EXPECT_THAT(std::get<TensorView>(*dense).as<float>(), ElementsAreArray(logits));
  for (const char* name : {"top_k/4", "sampled/4"}) {
    const auto sparse = RoundTrip(name, 2, logits);
    ASSERT_TRUE(sparse.ok()) << sparse.status();
    EXPECT_EQ(std::get<Sparse>(*sparse)->ids.size(), 8u) << name;
    EXPECT_EQ(RowsOf(*sparse), RowsOf(*dense));
    EXPECT_EQ(ClassesOf(*sparse), ClassesOf(*dense));
  }
}

TEST(SoftLabels, AHeadOfAllClassesIsTheDenseLabelBitForBit) {
  const auto logits = NormalLogits(2, 0, 40, 100, 2);
  for (const char* name : {"top_k/20", "top_k/21", "top_k/4096"}) {
    const auto labels = RoundTrip(name, 2, logits);
    ASSERT_TRUE(labels.ok()) << labels.status();
    EXPECT_THAT(std::get<TensorView>(*labels).as<float>(), ElementsAreArray(logits)) << name;
  }
  // Draws of all classes are no logits.
  EXPECT_TRUE(std::holds_alternative<Sparse>(*RoundTrip("sampled/20", 2, logits)));
}

TEST(SoftLabels, PartsJoinToWhatTheyWereCutFromWhereverTheirRowsLay) {
  const auto logits = NormalLogits(3, 0, 60, 0, 2);
  // The middle row, and the two around it.
  const std::vector<float> middle(logits.begin() + 20, logits.begin() + 40);
  std::vector<float> around(logits.begin(), logits.begin() + 20);
  around.insert(around.end(), logits.begin() + 40, logits.end());
  const std::vector<int32_t> middle_place = {1}, around_places = {0, 2};
  for (const char* name : {"dense_fp16", "top_k/4", "top_k/20"}) {
    const std::vector<SoftLabelsPart> parts = {{*RoundTrip(name, 1, middle), middle_place},
                                               {*RoundTrip(name, 2, around), around_places}};
    const auto joined = JoinSoftLabels(parts);
    ASSERT_TRUE(joined.ok()) << joined.status();
    const SoftLabels whole = *RoundTrip(name, 3, logits);
    ASSERT_EQ(joined->index(), whole.index());
    EXPECT_EQ(RowsOf(*joined), 3);
    if (std::holds_alternative<TensorView>(whole)) {
      EXPECT_THAT(std::get<TensorView>(*joined).as<float>(),
                  ElementsAreArray(std::get<TensorView>(whole).as<float>()));
      continue;
    }
    const SparseLabels &a = *std::get<Sparse>(*joined), &b = *std::get<Sparse>(whole);
    EXPECT_EQ(a.ids, b.ids);
    EXPECT_EQ(a.shift, b.shift);
    EXPECT_EQ(a.values, b.values);
    EXPECT_EQ(a.tail, b.tail);
  }
}

TEST(SoftLabels, HiddenStatesComeOutWithTheHeadThatTheyAreFor) {
  const auto hidden = NormalLogits(5, 0, 40, 0, 2);
  const auto head = Head();
  const auto labels = RoundTrip("hidden_fp32", 2, hidden, {}, head);
  ASSERT_TRUE(labels.ok()) << labels.status();
  EXPECT_THAT(std::get<HiddenLabels>(*labels).hidden.as<float>(), ElementsAreArray(hidden));
  EXPECT_EQ(std::get<HiddenLabels>(*labels).head, head);
  EXPECT_EQ(RowsOf(*labels), 2);
  EXPECT_EQ(ClassesOf(*labels), 3);
}

TEST(SoftLabels, HiddenStatesWithoutTheirHeadOrForAnotherAreRefused) {
  const auto hidden = NormalLogits(5, 0, 40, 0, 2);
  const auto none = RoundTrip("hidden_fp16", 2, hidden);
  EXPECT_EQ(none.status().code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(std::string(none.status().message()), HasSubstr("ask for it first"));
  const auto other = RoundTrip("hidden_fp16", 4, hidden, {}, Head());
  EXPECT_EQ(other.status().code(), absl::StatusCode::kDataLoss);
  EXPECT_THAT(std::string(other.status().message()), HasSubstr("10 features, and the head has 20"));
}

TEST(SoftLabels, HiddenPartsOfOneHeadJoinAndOthersDoNot) {
  const auto logits = NormalLogits(6, 0, 40, 0, 2);
  const std::vector<float> first(logits.begin(), logits.begin() + 20);
  const std::vector<float> second(logits.begin() + 20, logits.end());
  const auto head = Head();
  const SoftLabels one = *RoundTrip("hidden_fp32", 1, second, {}, head);
  const std::vector<int32_t> places = {1, 0};
  const auto join = [&](const SoftLabels& other) {
    const std::vector<SoftLabelsPart> parts = {{one, std::span(places).first(1)},
                                               {other, std::span(places).last(1)}};
    return JoinSoftLabels(parts);
  };
  const auto joined = join(*RoundTrip("hidden_fp32", 1, first, {}, head));
  ASSERT_TRUE(joined.ok()) << joined.status();
  EXPECT_THAT(std::get<HiddenLabels>(*joined).hidden.as<float>(), ElementsAreArray(logits));
  EXPECT_EQ(std::get<HiddenLabels>(*joined).head, head);
  for (const SoftLabels& other :
       {*RoundTrip("hidden_fp32", 1, first, {}, Head()), *RoundTrip("dense_fp32", 1, first)}) {
    EXPECT_THAT(std::string(join(other).status().message()), HasSubstr("do not join"));
  }
}

TEST(SoftLabels, PartsOfDifferentKindsAndRangesDoNotJoin) {
  const auto logits = NormalLogits(4, 0, 20, 0, 2);
  const SoftLabels dense = *RoundTrip("dense_fp32", 1, logits);
  const SoftLabels four = *RoundTrip("top_k/4", 1, logits);
  CodecOptions options;
  options.max_temperature = 2;
  for (const SoftLabels& other :
       {dense, *RoundTrip("top_k/5", 1, logits), *RoundTrip("top_k/4/6", 1, logits),
        *RoundTrip("sampled/4", 1, logits), *RoundTrip("top_k/4", 1, logits, options)}) {
    const std::vector<int32_t> places = {0, 1};
    const std::vector<SoftLabelsPart> parts = {{four, std::span(places).first(1)},
                                               {other, std::span(places).last(1)}};
    const auto joined = JoinSoftLabels(parts);
    EXPECT_EQ(joined.status().code(), absl::StatusCode::kInvalidArgument);
    EXPECT_THAT(std::string(joined.status().message()), HasSubstr("do not join"));
  }
}

}  // namespace
}  // namespace distill
