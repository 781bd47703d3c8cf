#include "teacher_server/service/batch_rows.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

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
  for (const auto& bytes : answer.payload) payload += *bytes;
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
  const auto answer = EncodeRows(result, outputs, 1, 2, {"other", "logits"}, Fp32());
  ASSERT_TRUE(answer.ok()) << answer.status();
  EXPECT_EQ(answer->sections[0].output(), "other");
  EXPECT_THAT(Decoded(*answer, 0), ElementsAre(30, 40, 50, 60));
  EXPECT_EQ(answer->sections[1].output(), "logits");
  EXPECT_THAT(Decoded(*answer, 1), ElementsAre(3, 4, 5, 6));
}

TEST(BatchRowsTest, LabelsThatMayNotBeTrainedOnAreDataLossAndOthersAreNotTouched) {
  InferenceResult result;
  result.outputs = {Floats({2, 2}, {1, 2, 7, 7})};
  EXPECT_TRUE(EncodeRows(result, {"logits"}, 0, 1, {"logits"}, Fp32()).ok());
  const absl::Status status = EncodeRows(result, {"logits"}, 1, 1, {"logits"}, Fp32()).status();
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
