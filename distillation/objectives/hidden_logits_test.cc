#include "distillation/objectives/hidden_logits.h"

#include <ATen/TensorOperators.h>
#include <google/protobuf/text_format.h>
#include <gtest/gtest.h>

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "common/random/test_seed.h"
#include "common/tensor_view/tensor_view.h"
#include "distillation/labels/label_head.h"
#include "distillation/labels/synthetic_logits.h"
#include "distillation/models/tensor_bridge.h"
#include "distillation/objectives/objective.h"

namespace distill {
namespace {

constexpr int64_t kRows = 6, kFeatures = 64, kClasses = 40;

HiddenLabels Labels(uint64_t seed) {
  const auto normal = [&](uint64_t stream, std::vector<int64_t> dims, double deviation) {
    int64_t count = 1;
    for (const int64_t dim : dims) count *= dim;
    return MakeTensorView(ElementType::kFloat32, dims,
                          NormalLogits(seed, stream, count, 0, deviation));
  };
  return {normal(0, {kRows, kFeatures}, 1),
          std::make_shared<const LabelHead>(
              LabelHead{normal(1, {kClasses, kFeatures}, 0.5), normal(2, {kClasses}, 1)})};
}

// In double, one class at a time, as the teacher's logits.
std::vector<float> Reference(const HiddenLabels& labels) {
  std::vector<float> logits;
  for (int64_t row = 0; row < kRows; ++row) {
    for (int64_t c = 0; c < kClasses; ++c) {
      double sum = labels.head->bias.as<float>()[c];
      for (int64_t i = 0; i < kFeatures; ++i) {
        sum += double{labels.hidden.as<float>()[row * kFeatures + i]} *
               double{labels.head->weight.as<float>()[c * kFeatures + i]};
      }
      logits.push_back(static_cast<float>(sum));
    }
  }
  return logits;
}

TEST(HiddenLogits, AreTheTeachersToFloatRounding) {
  HiddenLogits product;
  // The head is another one from time to time.
  for (const uint64_t seed : {TestSeed(), TestSeed() + 1, TestSeed()}) {
    const HiddenLabels labels = Labels(seed);
    const std::vector<float> expected = Reference(labels);
    const auto logits = product.Of(labels, at::kCPU);
    ASSERT_TRUE(logits.ok()) << logits.status();
    ASSERT_EQ(logits->sizes().vec(), (std::vector<int64_t>{kRows, kClasses}));
    for (size_t i = 0; i < expected.size(); ++i) {
      EXPECT_NEAR(logits->data_ptr<float>()[i], expected[i], 1e-4) << i;
    }
  }
}

TEST(HiddenLogits, EveryTermAtEveryTemperatureIsThatOfDenseLabels) {
  v1::RunConfig config;
  ASSERT_TRUE(google::protobuf::TextFormat::ParseFromString(
      R"pb(
        objective {
          name: "soft"
          soft_kl { teacher: "t" output: "logits" }
        }
        objective {
          name: "mse"
          logit_mse { teacher: "t" output: "logits" }
        })pb",
      &config));
  const auto objective = Objective::Create(config.objective());
  ASSERT_TRUE(objective.ok()) << objective.status();
  const HiddenLabels labels = Labels(TestSeed());
  const at::Tensor student =
      *CopyToTensor(MakeTensorView(ElementType::kFloat32, {kRows, kClasses},
                                   NormalLogits(TestSeed(), 9, kRows * kClasses, 0, 2)));
  HiddenLogits product;
  for (const double temperature : {0.5, 1.0, 4.0, 20.0}) {
    ObjectiveInputs inputs;
    inputs.global_examples = kRows;
    inputs.temperature = temperature;
    const double weights[] = {1, 1};
    const auto value_of = [&](const at::Tensor& logits) {
      inputs.teacher_logits[{"t", "logits"}] = logits;
      return objective->Evaluate(student, inputs, weights)->terms;
    };
    const auto dense = value_of(
        *CopyToTensor(MakeTensorView(ElementType::kFloat32, {kRows, kClasses}, Reference(labels))));
    const auto hidden = value_of(*product.Of(labels, at::kCPU));
    ASSERT_EQ(dense.size(), 2u);
    for (size_t i = 0; i < 2; ++i) EXPECT_NEAR(hidden[i] / dense[i], 1, 1e-5) << temperature;
  }
}

TEST(HiddenLogits, TensorsThatDoNotFitAreRefusedAndTheNextLabelsServed) {
  HiddenLogits product;
  HiddenLabels labels = Labels(TestSeed());
  labels.hidden.dims = {kRows, kFeatures - 1};
  EXPECT_FALSE(product.Of(labels, at::kCPU).ok());
  EXPECT_TRUE(product.Of(Labels(TestSeed()), at::kCPU).ok());
}

}  // namespace
}  // namespace distill
