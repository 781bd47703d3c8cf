#include "teacher_server/service/batch_rows.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>
#include <memory>
#include <string_view>

#include "common/bytes/byte_slices.h"
#include "distillation/labels/codec.h"
#include "distillation/labels/section.h"

namespace distill {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

TensorView Floats(std::vector<int64_t> dims, std::vector<float> values) {
  return MakeTensorView(ElementType::kFloat32, std::move(dims), std::move(values));
}

const LabelCodec& Fp32() { return **FindCodec("dense_fp32"); }

std::vector<float> Decoded(const LabelAnswer& answer, int section) {
  std::string payload;
  for (const ByteSlices& bytes : answer.payload) {
    for (const std::string_view slice : bytes.slices) payload += slice;
  }
  auto labels = DecodeSection(answer.sections[section], std::as_bytes(std::span(payload)));
  EXPECT_TRUE(labels.ok()) << labels.status();
  const auto values = labels->as<float>();
  return {values.begin(), values.end()};
}

TEST(BatchRowsTest, EachOutputIsASectionOfTheRowsAsked) {
  const std::vector<std::string> outputs = {"logits", "other"};
  InferenceResult result;
  result.outputs = {Floats({3, 2}, {1, 2, 3, 4, 5, 6}), Floats({3, 2}, {10, 20, 30, 40, 50, 60})};
  ASSERT_TRUE(CheckResult(result, outputs, 3, 2).ok());
  const auto answer = EncodeRows(result, outputs, 1, 2, {"other", "logits"}, Fp32(), {});
  ASSERT_TRUE(answer.ok()) << answer.status();
  EXPECT_EQ(answer->sections[0].output(), "other");
  EXPECT_THAT(Decoded(*answer, 0), ElementsAre(30, 40, 50, 60));
  EXPECT_EQ(answer->sections[1].output(), "logits");
  EXPECT_THAT(Decoded(*answer, 1), ElementsAre(3, 4, 5, 6));
}

TEST(BatchRowsTest, LabelsThatMayNotBeTrainedOnAreDataLossAndOthersAreNotTouched) {
  InferenceResult result;
  result.outputs = {Floats({2, 2}, {1, 2, 7, 7})};
  EXPECT_TRUE(EncodeRows(result, {"logits"}, 0, 1, {"logits"}, Fp32(), {}).ok());
  const absl::Status status = EncodeRows(result, {"logits"}, 1, 1, {"logits"}, Fp32(), {}).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kDataLoss);
  EXPECT_THAT(std::string(status.message()), HasSubstr("output logits"));
}

TEST(BatchRowsTest, CopiesOfRowsAreDataLossWhereTheExamplesDiffer) {
  InferenceResult result;
  result.outputs.push_back(
      MakeTensorView(ElementType::kFloat32, {3, 2}, std::vector<float>{1, 2, 1, 2, 1, 2}));
  const auto examples = [](std::vector<float> values) {
    return MakeTensorView(ElementType::kFloat32, {3, 1}, std::move(values));
  };
  EXPECT_TRUE(CheckCopies(result, {"logits"}, examples({7, 7, 7})).ok());
  EXPECT_TRUE(CheckCopies(result, {"logits"}, examples({7, 7, 8})).ok());
  const absl::Status status = CheckCopies(result, {"logits"}, examples({7, 8, 9}));
  EXPECT_EQ(status.code(), absl::StatusCode::kDataLoss);
  EXPECT_THAT(std::string(status.message()), HasSubstr("output logits"));
}

TEST(BatchRowsTest, AnAnswerThatIsTheWholeResultIsSentFromTheRunnersMemoryAndAPartIsCopied) {
  InferenceResult result;
  result.outputs = {Floats({2, 2}, {1, 2, 3, 4})};
  const auto memory = reinterpret_cast<const char*>(result.outputs[0].bytes.data());
  const std::weak_ptr<const void> owner = result.outputs[0].owner;
  auto whole = EncodeRows(result, {"logits"}, 0, 2, {"logits"}, Fp32(), {});
  const auto part = EncodeRows(result, {"logits"}, 0, 1, {"logits"}, Fp32(), {});
  ASSERT_TRUE(whole.ok() && part.ok());
  EXPECT_EQ(whole->payload[0].slices[0].data(), memory);
  EXPECT_NE(part->payload[0].slices[0].data(), memory);
  result.outputs.clear();
  EXPECT_FALSE(owner.expired());
  whole->payload.clear();
  EXPECT_TRUE(owner.expired()) << "the part keeps nothing";

  const TensorView kept = Floats({1, 2}, {1, 2});
  result.outputs = {kept};
  result.outputs[0].owner = nullptr;
  const auto borrowed = EncodeRows(result, {"logits"}, 0, 1, {"logits"}, Fp32(), {});
  ASSERT_TRUE(borrowed.ok());
  EXPECT_NE(borrowed->payload[0].owner, nullptr) << "what nobody holds is copied";

  result.outputs = {Floats({1, 2}, {1, std::numeric_limits<float>::infinity()})};
  EXPECT_EQ(EncodeRows(result, {"logits"}, 0, 1, {"logits"}, Fp32(), {}).status().code(),
            absl::StatusCode::kDataLoss);
}

TEST(BatchRowsTest, DrawsAreAFunctionOfExampleAndView) {
  const auto codec = *FindCodec("sampled/40");
  std::vector<float> row;
  for (int c = 0; c < 100; ++c) row.push_back(static_cast<float>(c % 7));
  InferenceResult result;
  result.outputs = {Floats({1, 100}, row)};
  const auto draws = [&](uint64_t id, uint64_t view_seed, v1::Split split = v1::TRAIN) {
    v1::ExampleRefs refs;
    refs.set_split(split);
    refs.add_ids(id);
    if (view_seed != 0) refs.add_view_seeds(view_seed);
    const auto answer =
        EncodeRows(result, {"logits"}, 0, 1, {"logits"}, *codec, RowKeys(*codec, refs));
    EXPECT_TRUE(answer.ok()) << answer.status();
    return std::string(answer->payload[0].slices[0]);
  };
  EXPECT_EQ(draws(3, 0), draws(3, 0));
  EXPECT_NE(draws(3, 0), draws(4, 0));
  EXPECT_NE(draws(3, 0), draws(3, 1));
  EXPECT_NE(draws(3, 1), draws(3, 2));
  EXPECT_NE(draws(3, 1), draws(3, 1, v1::TEST));
  v1::ExampleRefs refs;
  refs.add_ids(3);
  EXPECT_TRUE(RowKeys(Fp32(), refs).empty()) << "draws nothing";
  // Examples that came along have no id to draw by.
  EXPECT_EQ(EncodeRows(result, {"logits"}, 0, 1, {"logits"}, *codec, {}).status().code(),
            absl::StatusCode::kInvalidArgument);
}

TEST(BatchRowsTest, AResultOfAnotherShapeIsTheRunnersFault) {
  InferenceResult result;
  EXPECT_EQ(CheckResult(result, {"logits"}, 2, 2).code(), absl::StatusCode::kInternal);
  result.outputs = {Floats({2, 2}, {1, 2, 3, 4})};
  EXPECT_TRUE(CheckResult(result, {"logits"}, 2, 2).ok());
  EXPECT_EQ(CheckResult(result, {"logits"}, 3, 2).code(), absl::StatusCode::kInternal);
  EXPECT_EQ(CheckResult(result, {"logits"}, 2, 1).code(), absl::StatusCode::kInternal);
}

}  // namespace
}  // namespace distill
