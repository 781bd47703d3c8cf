#include "student_worker/worker/answer_check.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "common/tensor_view/tensor_view.h"

namespace distill {
namespace {

using ::testing::HasSubstr;

constexpr int64_t kClasses = 3;
constexpr auto kAllDiffer = [](int64_t, int64_t) { return false; };

// `copies` of the last rows are the first one.
TensorView Labels(int64_t rows, int64_t copies) {
  std::vector<float> values(static_cast<size_t>(rows * kClasses));
  for (size_t i = 0; i < values.size(); ++i) values[i] = static_cast<float>(i);
  for (int64_t i = 0; i < copies; ++i) {
    std::copy_n(values.begin(), kClasses, values.end() - (i + 1) * kClasses);
  }
  return MakeTensorView(ElementType::kFloat32, {rows, kClasses}, std::move(values));
}

TEST(AnswerCheck, CopiesOfMostRowsOfOtherExamplesAreDataLoss) {
  EXPECT_TRUE(CheckAnswer(Labels(16, 0), "dense_fp32", kAllDiffer).ok());
  EXPECT_TRUE(CheckAnswer(Labels(16, 8), "dense_fp32", kAllDiffer).ok());
  const absl::Status status = CheckAnswer(Labels(16, 9), "dense_fp16", kAllDiffer);
  EXPECT_EQ(status.code(), absl::StatusCode::kDataLoss);
  EXPECT_THAT(std::string(status.message()), HasSubstr("duplicated: 9 of 16"));
  EXPECT_TRUE(CheckAnswer(Labels(8, 7), "dense_fp32", kAllDiffer).ok()) << "too few to tell";
  EXPECT_TRUE(
      CheckAnswer(Labels(16, 15), "dense_fp32", [](int64_t, int64_t) { return true; }).ok());
}

TEST(AnswerCheck, AConstantRowIsDataLoss) {
  const TensorView labels =
      MakeTensorView(ElementType::kFloat32, {2, 2}, std::vector<float>{1, 2, 3, 3});
  for (const char* codec : {"dense_fp32", "dense_fp16", "dense_bf16"}) {
    const absl::Status status = CheckAnswer(labels, codec, kAllDiffer);
    EXPECT_EQ(status.code(), absl::StatusCode::kDataLoss);
    EXPECT_THAT(std::string(status.message()), HasSubstr("row 1 is constant"));
  }
}

TEST(AnswerCheck, WhatACodecMakesAlikeIsNoFault) {
  EXPECT_TRUE(CheckAnswer(Labels(16, 15), "log_prob_u8", kAllDiffer).ok());
}

}  // namespace
}  // namespace distill
