#include "teacher_server/runner/conformance_suite.h"

#include <gmock/gmock.h>

#include <cmath>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "common/tensor_view/tensor_view.h"
#include "distillation/labels/label_head.h"

namespace distill {
namespace {

using ::testing::ElementsAre;

InferenceBatch Batch(int64_t rows, std::vector<std::string> outputs = {"logits"},
                     std::vector<int64_t> example_dims = {3}) {
  std::vector<int64_t> dims = {rows};
  dims.insert(dims.end(), example_dims.begin(), example_dims.end());
  int64_t values = 1;
  for (const int64_t dim : dims) values *= dim;
  std::vector<float> examples(values);
  for (int64_t i = 0; i < values; ++i) examples[i] = 0.25f * static_cast<float>(i % 7) - 0.5f;
  return {MakeTensorView(ElementType::kFloat32, std::move(dims), std::move(examples)),
          std::move(outputs)};
}

// What one batch gave, and how often it was told.
struct Answer {
  int told = 0;
  absl::StatusOr<InferenceResult> result = absl::UnknownError("not told");
};

void Start(Runner& runner, InferenceBatch batch, Answer& answer) {
  runner.Start(std::move(batch), [&answer](absl::StatusOr<InferenceResult> result) {
    ++answer.told;
    answer.result = std::move(result);
  });
}

std::vector<float> Values(const Answer& answer) {
  const std::span<const float> values = answer.result->outputs.at(0).as<float>();
  return std::vector<float>(values.begin(), values.end());
}

}  // namespace

TEST_P(RunnerConformanceTest, GivesEachRowItsLogitsOnce) {
  const auto bench = GetParam()();
  Answer answer;
  Start(bench->runner(), Batch(4), answer);
  bench->Finish();
  EXPECT_EQ(answer.told, 1);
  ASSERT_TRUE(answer.result.ok()) << answer.result.status();
  ASSERT_EQ(answer.result->outputs.size(), 1u);
  EXPECT_THAT(answer.result->outputs[0].dims, ElementsAre(4, 2));
  for (const float value : Values(answer)) EXPECT_TRUE(std::isfinite(value));
  EXPECT_GE(answer.result->compute, absl::ZeroDuration());
}

TEST_P(RunnerConformanceTest, TheHeadMakesTheLogitsOfTheHiddenStates) {
  const auto bench = GetParam()();
  const std::shared_ptr<const LabelHead> head = bench->runner().description().head;
  ASSERT_NE(head, nullptr);
  EXPECT_EQ(head->classes(), 2);
  EXPECT_THAT(head->bias.dims, ElementsAre(2));
  // In any order, and without the logits.
  for (const std::vector<std::string>& outputs :
       {std::vector<std::string>{"logits", "hidden"}, {"hidden", "logits"}, {"hidden"}}) {
    Answer logits, answer;
    Start(bench->runner(), Batch(4), logits);
    bench->Finish();
    Start(bench->runner(), Batch(4, outputs), answer);
    bench->Finish();
    ASSERT_TRUE(answer.result.ok()) << answer.result.status();
    ASSERT_EQ(answer.result->outputs.size(), outputs.size());
    const TensorView& hidden = answer.result->outputs.at(outputs[0] == "hidden" ? 0 : 1);
    EXPECT_THAT(hidden.dims, ElementsAre(4, head->features()));
    const std::vector<float> expected = Values(logits);
    for (int64_t row = 0; row < 4; ++row) {
      for (int64_t c = 0; c < 2; ++c) {
        double sum = head->bias.as<float>()[c];
        for (int64_t i = 0; i < head->features(); ++i) {
          sum += double{hidden.as<float>()[row * head->features() + i]} *
                 double{head->weight.as<float>()[c * head->features() + i]};
        }
        EXPECT_NEAR(sum, expected[row * 2 + c], 1e-5);
      }
    }
  }
}

TEST_P(RunnerConformanceTest, EqualBatchesGiveEqualBits) {
  const auto bench = GetParam()();
  Answer first;
  Answer second;
  Start(bench->runner(), Batch(3), first);
  bench->Finish();
  Start(bench->runner(), Batch(3), second);
  bench->Finish();
  ASSERT_TRUE(first.result.ok() && second.result.ok());
  EXPECT_EQ(Values(first), Values(second));
}

TEST_P(RunnerConformanceTest, WhatTheModelDoesNotHaveIsInvalid) {
  const auto bench = GetParam()();
  Answer shape;
  Start(bench->runner(), Batch(2, {"logits"}, {4}), shape);
  bench->Finish();
  EXPECT_EQ(shape.result.status().code(), absl::StatusCode::kInvalidArgument);
  Answer output;
  Start(bench->runner(), Batch(2, {"features"}), output);
  bench->Finish();
  EXPECT_EQ(output.result.status().code(), absl::StatusCode::kInvalidArgument);
  Answer good;
  Start(bench->runner(), Batch(2), good);
  bench->Finish();
  EXPECT_TRUE(good.result.ok()) << "a refused batch must not hold its place";
}

TEST_P(RunnerConformanceTest, DescribesWhatItServes) {
  const auto bench = GetParam()();
  const ModelDescription& description = bench->runner().description();
  EXPECT_THAT(description.example_dims, ElementsAre(3));
  EXPECT_EQ(description.classes, 2);
  EXPECT_THAT(description.outputs, ElementsAre("logits"));
  EXPECT_GE(bench->runner().max_in_flight(), 1);
}

}  // namespace distill
