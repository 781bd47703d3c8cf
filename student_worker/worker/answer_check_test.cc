#include "student_worker/worker/answer_check.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "common/tensor_view/tensor_view.h"
#include "distillation/labels/codec.h"
#include "distillation/labels/label_codec.h"
#include "distillation/labels/soft_labels.h"

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

// As a student gets them over the wire.
SoftLabels Sparse(const char* name, const TensorView& logits, const RowContext& context = {}) {
  const auto codec = FindCodec(name);
  EXPECT_TRUE(codec.ok()) << codec.status();
  const auto encoded = (*codec)->Encode(logits, context);
  EXPECT_TRUE(encoded.ok()) << encoded.status();
  auto labels = (*codec)->DecodeSparse(logits.dims[0], logits.dims[1], encoded->parameters,
                                       std::as_bytes(std::span(encoded->bytes)), {});
  EXPECT_TRUE(labels.ok()) << labels.status();
  return std::make_shared<const SparseLabels>(*std::move(labels));
}

TEST(AnswerCheck, AConstantRowIsDataLossInASparseCodecToo) {
  const TensorView labels =
      MakeTensorView(ElementType::kFloat32, {2, 5},
                     std::vector<float>{7, 7, 7, 7, 6, 0.3f, 0.3f, 0.3f, 0.3f, 0.3f});
  const absl::Status status = CheckAnswer(Sparse("top_k/2", labels), "top_k/2");
  EXPECT_EQ(status.code(), absl::StatusCode::kDataLoss);
  EXPECT_THAT(std::string(status.message()), HasSubstr("row 1 is constant"));
}

TEST(AnswerCheck, ATieInTheHeadOrAFlatTailIsNoFault) {
  const TensorView labels = MakeTensorView(ElementType::kFloat32, {3, 4},
                                           std::vector<float>{7, 7, 6, 6,  //
                                                              9, 3, 3, 3,  //
                                                              2, 2, 2, 1.99f});
  EXPECT_TRUE(CheckAnswer(Sparse("top_k/2", labels), "top_k/2").ok());
}

TEST(AnswerCheck, TopKOfAllClassesIsExactAndChecked) {
  const TensorView labels = MakeTensorView(ElementType::kFloat32, {1, 2}, std::vector<float>{3, 3});
  EXPECT_EQ(CheckAnswer(labels, "top_k").code(), absl::StatusCode::kDataLoss);
}

TEST(AnswerCheck, DrawsOfOneClassAreNoFault) {
  const TensorView labels =
      MakeTensorView(ElementType::kFloat32, {1, 2}, std::vector<float>{100, 0});
  const std::vector<uint64_t> keys = {1};
  RowContext context;
  context.keys = keys;
  EXPECT_TRUE(CheckAnswer(Sparse("sampled/4", labels, context), "sampled/4").ok());
}

}  // namespace
}  // namespace distill
