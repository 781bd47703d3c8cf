#include "student_worker/worker/answer_check.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "common/tensor_view/tensor_view.h"

namespace distill {
namespace {

using ::testing::HasSubstr;

TEST(AnswerCheck, AConstantRowIsDataLoss) {
  const TensorView labels =
      MakeTensorView(ElementType::kFloat32, {2, 2}, std::vector<float>{1, 2, 3, 3});
  for (const char* codec : {"dense_fp32", "dense_fp16", "dense_bf16"}) {
    const absl::Status status = CheckAnswer(labels, codec);
    EXPECT_EQ(status.code(), absl::StatusCode::kDataLoss);
    EXPECT_THAT(std::string(status.message()), HasSubstr("row 1 is constant"));
  }
}

TEST(AnswerCheck, WhatACodecMakesConstantIsNoFault) {
  const TensorView labels = MakeTensorView(ElementType::kFloat32, {1, 2}, std::vector<float>{3, 3});
  EXPECT_TRUE(CheckAnswer(labels, "log_prob_u8").ok());
}

}  // namespace
}  // namespace distill
