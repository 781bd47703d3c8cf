#include "distillation/models/model_tensors.h"

#include <ATen/core/Tensor.h>
#include <ATen/ops/arange.h>
#include <ATen/ops/zeros.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <string>
#include <vector>

#include "common/tensor_view/tensor_view.h"

namespace distill {
namespace {

using ::testing::Each;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

TEST(CheckExamples, AnyNumberOfExamplesInAnyShapeOfAsManyValuesIsRead) {
  for (const std::vector<int64_t>& dims :
       {std::vector<int64_t>{5, 2, 3}, {1, 6}, {0, 6}, {2, 1, 3, 2}}) {
    EXPECT_TRUE(CheckExamples(at::zeros(dims), {2, 3}).ok()) << at::IntArrayRef(dims);
  }
}

TEST(CheckExamples, WhatIsRefusedIsNamedWithWhatTheModelReads) {
  for (const std::vector<int64_t>& dims : {std::vector<int64_t>{5, 7}, {6}, {}}) {
    EXPECT_EQ(CheckExamples(at::zeros(dims), {2, 3}).code(), absl::StatusCode::kInvalidArgument);
  }
  EXPECT_THAT(std::string(CheckExamples(at::zeros({5, 6}, at::kDouble), {2, 3}).message()),
              HasSubstr("examples are Double [5,6], but the model reads float32 [n,2,3]"));
}

TEST(CheckExamples, MoreValuesThanCanBeCountedAreNotAnExampleOfNone) {
  // 2^64 values, which is 0 in 64 bits.
  EXPECT_FALSE(CheckExamples(at::zeros({5, 0}), {int64_t{1} << 32, int64_t{1} << 32}).ok());
}

class CopyFromViewsTest : public ::testing::Test {
 protected:
  // What is refused changes nothing.
  void ExpectRefused(const std::string& why) {
    const absl::Status status = CopyFromViews(views_, tensors_);
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
    EXPECT_THAT(std::string(status.message()), HasSubstr(why));
    EXPECT_THAT(CopyToViews(tensors_)->at("a").as<float>(), Each(0.f));
  }

  const std::map<std::string, at::Tensor> tensors_ = {{"a", at::zeros({2}).set_requires_grad(true)},
                                                      {"b", at::zeros({}, at::kLong)}};
  std::map<std::string, TensorView> views_ = {
      {"a", MakeTensorView(ElementType::kFloat32, {2}, std::vector<float>{1, 2})},
      {"b", MakeTensorView(ElementType::kInt64, {}, std::vector<int64_t>{3})}};
};

TEST_F(CopyFromViewsTest, ValuesComeBackByName) {
  const absl::Status status = CopyFromViews(views_, tensors_);
  ASSERT_TRUE(status.ok()) << status;
  const auto copies = CopyToViews(tensors_);
  ASSERT_TRUE(copies.ok()) << copies.status();
  EXPECT_THAT(copies->at("a").as<float>(), ElementsAre(1, 2));
  EXPECT_THAT(copies->at("b").as<int64_t>(), ElementsAre(3));
}

TEST_F(CopyFromViewsTest, ACopyDoesNotChangeWithTheTensor) {
  const auto before = CopyToViews(tensors_);
  ASSERT_TRUE(CopyFromViews(views_, tensors_).ok());
  EXPECT_THAT(before->at("a").as<float>(), Each(0.f));
}

TEST_F(CopyFromViewsTest, AMissingTensorIsRefused) {
  views_.erase("b");
  ExpectRefused("tensor b is missing");
}

TEST_F(CopyFromViewsTest, AnUnknownTensorIsRefused) {
  views_["c"] = views_["a"];
  ExpectRefused("tensor c is no tensor of this model");
}

TEST_F(CopyFromViewsTest, AnotherShapeIsRefused) {
  views_["a"] = MakeTensorView(ElementType::kFloat32, {1, 2}, std::vector<float>{1, 2});
  ExpectRefused("tensor a has shape [1,2], but the model's is [2]");
}

TEST_F(CopyFromViewsTest, AnotherTypeIsRefused) {
  views_["b"] = MakeTensorView(ElementType::kFloat32, {}, std::vector<float>{3});
  ExpectRefused("tensor b is float32, not Long");
}

}  // namespace
}  // namespace distill
