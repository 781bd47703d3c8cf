#include "distillation/models/tensor_bridge.h"

#include <ATen/core/Tensor.h>
#include <ATen/ops/arange.h>
#include <ATen/ops/zeros.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <vector>

namespace distill {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

TEST(TensorBridge, TransposedTensorIsCopiedInRowMajorOrder) {
  const auto view = CopyToView(at::arange(6, at::kFloat).view({2, 3}).t());
  ASSERT_TRUE(view.ok()) << view.status();
  EXPECT_THAT(view->dims, ElementsAre(3, 2));
  EXPECT_THAT(view->as<float>(), ElementsAre(0, 3, 1, 4, 2, 5));
}

TEST(TensorBridge, EveryElementTypeSurvivesTheRoundTrip) {
  for (at::ScalarType type :
       {at::kFloat, at::kHalf, at::kBFloat16, at::kDouble, at::kByte, at::kInt, at::kLong}) {
    const at::Tensor tensor = at::arange(4, at::kFloat).to(type);
    const auto view = CopyToView(tensor);
    ASSERT_TRUE(view.ok()) << view.status();
    const auto back = CopyToTensor(*view);
    ASSERT_TRUE(back.ok()) << back.status();
    EXPECT_EQ(back->scalar_type(), type);
    EXPECT_TRUE(back->equal(tensor)) << c10::toString(type);
  }
}

TEST(TensorBridge, ViewKeepsItsValuesWhenTheTensorChanges) {
  at::Tensor tensor = at::zeros({2}, at::kFloat);
  const auto view = CopyToView(tensor);
  ASSERT_TRUE(view.ok()) << view.status();
  tensor.fill_(7);
  EXPECT_THAT(view->as<float>(), ElementsAre(0, 0));
}

TEST(TensorBridge, ShapelessAndEmptyTensorsAreValues) {
  const auto scalar = CopyToView(at::zeros({}, at::kDouble));
  ASSERT_TRUE(scalar.ok());
  EXPECT_EQ(scalar->as<double>().size(), 1u);
  const auto empty = CopyToView(at::zeros({0, 3}, at::kFloat));
  ASSERT_TRUE(empty.ok());
  const auto back = CopyToTensor(*empty);
  ASSERT_TRUE(back.ok()) << back.status();
  EXPECT_EQ(back->size(1), 3);
}

TEST(TensorBridge, WhatIsNoHostTensorIsRefused) {
  TensorView view = MakeTensorView<float>(ElementType::kFloat32, {2}, {1, 2});
  view.dims = {3};
  EXPECT_THAT(std::string(CopyToTensor(view).status().message()), HasSubstr("has 8 bytes"));
  view.dims = {2};
  view.device = 0;
  EXPECT_THAT(std::string(CopyToTensor(view).status().message()), HasSubstr("accelerator 0"));
  EXPECT_THAT(std::string(CopyToView(at::zeros({1}, at::kBool)).status().message()),
              HasSubstr("Bool"));
}

}  // namespace
}  // namespace distill
