#include "student_worker/training/gradient_clip.h"

#include <ATen/CPUGeneratorImpl.h>
#include <ATen/core/Tensor.h>
#include <ATen/ops/full.h>
#include <ATen/ops/randn.h>
#include <ATen/ops/zeros.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <torch/nn/utils/clip_grad.h>

#include <cmath>
#include <limits>
#include <vector>

#include "absl/status/status.h"

namespace distill {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

constexpr double kInfinity = std::numeric_limits<double>::infinity();
constexpr double kFloatUlp = std::numeric_limits<float>::epsilon();

at::Tensor WithGradient(at::Tensor gradient) {
  at::Tensor parameter = at::zeros(gradient.sizes(), gradient.options());
  parameter.set_requires_grad(true);
  parameter.mutable_grad() = std::move(gradient);
  return parameter;
}

// "p0", "p1", ...
std::vector<std::string> Names(size_t n) {
  std::vector<std::string> names;
  for (size_t i = 0; i < n; ++i) names.push_back("p" + std::to_string(i));
  return names;
}

absl::StatusOr<double> Clip(const std::vector<at::Tensor>& parameters,
                            std::optional<double> max_norm) {
  return ClipGradientNorm(parameters, Names(parameters.size()), max_norm);
}

// Gradients 3 and 4: norm 5.
std::vector<at::Tensor> ThreeFour() {
  return {WithGradient(at::full({1}, 3.0, at::kFloat)),
          WithGradient(at::full({1, 1}, 4.0, at::kFloat))};
}

TEST(ClipGradientNorm, LargerNormIsScaledToTheLimitAndReportedAsItWas) {
  const auto parameters = ThreeFour();
  const auto norm = Clip(parameters, 1);
  ASSERT_TRUE(norm.ok()) << norm.status();
  EXPECT_EQ(*norm, 5);
  EXPECT_EQ(parameters[0].grad().item<float>(), static_cast<float>(3 / (5 + 1e-6)));
  EXPECT_EQ(parameters[1].grad().item<float>(), static_cast<float>(4 / (5 + 1e-6)));
}

TEST(ClipGradientNorm, NormBelowTheLimitOrWithoutOneLeavesGradientsAlone) {
  const auto parameters = ThreeFour();
  EXPECT_EQ(*Clip(parameters, 5.1), 5);
  EXPECT_EQ(*Clip(parameters, std::nullopt), 5);
  EXPECT_EQ(parameters[0].grad().item<float>(), 3);
  EXPECT_EQ(parameters[1].grad().item<float>(), 4);
}

TEST(ClipGradientNorm, AgreesWithPyTorch) {
  constexpr uint64_t kSeed = 20240607;
  SCOPED_TRACE(testing::Message() << "seed " << kSeed);
  at::Generator generator = at::make_generator<at::CPUGeneratorImpl>(kSeed);
  for (int step = 0; step < 25; ++step) {
    std::vector<at::Tensor> ours;
    std::vector<at::Tensor> theirs;
    for (const std::vector<int64_t>& dims :
         std::vector<std::vector<int64_t>>{{64, 33}, {33}, {8, 4, 3, 3}, {1}}) {
      const at::Tensor gradient = at::randn(dims, generator) * std::pow(2.0, step - 12);
      ours.push_back(WithGradient(gradient.clone()));
      theirs.push_back(WithGradient(gradient.clone()));
    }
    ours.push_back(at::zeros({3}));
    theirs.push_back(at::zeros({3}));
    const auto norm = Clip(ours, 2.0);
    ASSERT_TRUE(norm.ok()) << norm.status();
    const double expected = torch::nn::utils::clip_grad_norm_(theirs, 2.0);
    EXPECT_NEAR(*norm, expected, 4 * kFloatUlp * expected);
    for (size_t i = 0; i + 1 < ours.size(); ++i) {
      EXPECT_TRUE(ours[i].grad().allclose(theirs[i].grad(), 4 * kFloatUlp, /*atol=*/0)) << i;
    }
    EXPECT_FALSE(ours.back().grad().defined());
  }
}

TEST(ClipGradientNorm, GradientsOfZeroStayZero) {
  const std::vector<at::Tensor> parameters = {WithGradient(at::zeros({2}))};
  EXPECT_EQ(*Clip(parameters, 1e-9), 0);
  EXPECT_TRUE(parameters[0].grad().equal(at::zeros({2})));
}

TEST(ClipGradientNorm, WithoutAnyGradientTheNormIsZero) {
  EXPECT_EQ(*Clip({at::zeros({2})}, 1), 0);
  EXPECT_EQ(*Clip({}, 1), 0);
}

TEST(ClipGradientNorm, FiniteGradientsWhoseSquaresOverflowFloatAreClipped) {
  const std::vector<at::Tensor> parameters = {WithGradient(at::full({4}, 1e30, at::kFloat))};
  const auto norm = Clip(parameters, 1);
  ASSERT_TRUE(norm.ok()) << norm.status();
  EXPECT_NEAR(*norm, 2e30, 1e24);
  EXPECT_NEAR(parameters[0].grad().select(0, 0).item<float>(), 0.5, 1e-6);
}

TEST(ClipGradientNorm, NonFiniteGradientNamesTheFirstParameterAndChangesNothing) {
  for (double bad : {kInfinity, std::nan("")}) {
    for (std::optional<double> max_norm : {std::optional<double>(1), std::optional<double>()}) {
      auto parameters = ThreeFour();
      parameters.insert(parameters.begin() + 1, WithGradient(at::full({2}, bad, at::kFloat)));
      parameters.push_back(WithGradient(at::full({2}, bad, at::kFloat)));
      // Without a gradient, so that counting the gradients would misname.
      parameters.insert(parameters.begin(), at::zeros({1}));
      const auto norm = Clip(parameters, max_norm);
      EXPECT_EQ(norm.status().code(), absl::StatusCode::kDataLoss);
      EXPECT_THAT(std::string(norm.status().message()),
                  AllOf(HasSubstr("gradient of p2 "), HasSubstr("lower the learning rate")));
      EXPECT_EQ(parameters[1].grad().item<float>(), 3);
    }
  }
}

TEST(ClipGradientNorm, LimitThatIsNoPositiveNumberIsRefused) {
  for (double bad : {0.0, -1.0, kInfinity, std::nan("")}) {
    const auto norm = Clip(ThreeFour(), bad);
    EXPECT_EQ(norm.status().code(), absl::StatusCode::kInvalidArgument) << bad;
    EXPECT_THAT(std::string(norm.status().message()), HasSubstr("gradient_clip_norm"));
  }
}

TEST(ClipGradientNorm, AnotherNumberOfNamesIsRefused) {
  EXPECT_EQ(ClipGradientNorm(ThreeFour(), Names(1), 1).status().code(),
            absl::StatusCode::kInvalidArgument);
}

}  // namespace
}  // namespace distill
