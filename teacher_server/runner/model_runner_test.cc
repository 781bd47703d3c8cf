#include "teacher_server/runner/model_runner.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "common/clock/fake_clock.h"
#include "common/executor/executor.h"
#include "common/executor/manual_executor.h"
#include "distillation/models/model.h"
#include "teacher_server/runner/conformance_suite.h"

namespace distill {
namespace {

using ::testing::HasSubstr;

constexpr int kFeatures = 3;
constexpr int kClasses = 2;

std::unique_ptr<Model> SmallModel() {
  v1::ModelConfig config;
  config.set_architecture("mlp");
  config.add_widths(4);
  const std::vector<int64_t> dims = {kFeatures};
  auto model = Model::Create(config, dims, kClasses, /*seed=*/5);
  EXPECT_TRUE(model.ok()) << model.status();
  return *std::move(model);
}

std::unique_ptr<Runner> SmallRunner(Executor* executor, Clock* clock) {
  ModelRunnerOptions options;
  options.fingerprint = "f";
  options.example_dims = {kFeatures};
  options.classes = kClasses;
  options.max_in_flight = 1;
  return MakeModelRunner(SmallModel(), options, executor, clock);
}

InferenceBatch Batch(std::vector<float> values, std::vector<std::string> outputs = {"logits"}) {
  const int64_t rows = static_cast<int64_t>(values.size()) / kFeatures;
  return {MakeTensorView(ElementType::kFloat32, {rows, kFeatures}, std::move(values)),
          std::move(outputs)};
}

absl::StatusOr<InferenceResult> RunBatch(Runner& runner, InferenceBatch batch) {
  absl::StatusOr<InferenceResult> result = absl::UnknownError("done was not called");
  runner.Start(std::move(batch), [&](absl::StatusOr<InferenceResult> r) { result = std::move(r); });
  return result;
}

TEST(ModelRunner, GivesLogitsPerRowAndTheSameBitsForTheSameBatch) {
  InlineExecutor executor;
  FakeClock clock;
  const auto runner = SmallRunner(&executor, &clock);
  const auto first = RunBatch(*runner, Batch({1, 2, 3, -1, 0, 1}));
  const auto again = RunBatch(*runner, Batch({1, 2, 3, -1, 0, 1}));
  ASSERT_TRUE(first.ok()) << first.status();
  ASSERT_TRUE(again.ok()) << again.status();
  EXPECT_EQ(first->outputs[0].dims, (std::vector<int64_t>{2, kClasses}));
  EXPECT_TRUE(std::ranges::equal(first->outputs[0].bytes, again->outputs[0].bytes));
}

TEST(ModelRunner, ANonFiniteLogitFailsTheBatchAndNamesTheRow) {
  InlineExecutor executor;
  FakeClock clock;
  const auto runner = SmallRunner(&executor, &clock);
  const float nan = std::numeric_limits<float>::quiet_NaN();
  const auto result = RunBatch(*runner, Batch({1, 2, 3, 1, nan, 1}));
  EXPECT_EQ(result.status().code(), absl::StatusCode::kDataLoss);
  EXPECT_THAT(std::string(result.status().message()), HasSubstr("row 1 of 2"));
}

TEST(ModelRunner, AnotherShapeOrOutputIsRefusedAndNamed) {
  InlineExecutor executor;
  FakeClock clock;
  const auto runner = SmallRunner(&executor, &clock);
  InferenceBatch wide = {MakeTensorView<float>(ElementType::kFloat32, {1, 2}, {1, 2}), {"logits"}};
  EXPECT_EQ(RunBatch(*runner, wide).status().code(), absl::StatusCode::kInvalidArgument);
  const auto result = RunBatch(*runner, Batch({1, 2, 3}, {"hidden"}));
  EXPECT_EQ(result.status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(result.status().message()), HasSubstr("'hidden'"));
}

TEST(ModelRunner, HoldsItsBoundAndDoneMayStartTheNextBatch) {
  ManualExecutor executor;
  FakeClock clock;
  const auto runner = SmallRunner(&executor, &clock);
  int finished = 0;
  runner->Start(Batch({1, 2, 3}), [&](absl::StatusOr<InferenceResult> first) {
    finished += first.ok();
    runner->Start(Batch({4, 5, 6}),
                  [&](absl::StatusOr<InferenceResult> second) { finished += second.ok(); });
  });
  EXPECT_EQ(RunBatch(*runner, Batch({1, 2, 3})).status().code(),
            absl::StatusCode::kResourceExhausted);
  executor.RunAll();
  EXPECT_EQ(finished, 2);
}

TEST(ModelRunner, TheNumericsClassNamesThreadsAndLibrary) {
  ASSERT_TRUE(SetInferenceThreads(1).ok());
  EXPECT_THAT(NumericsClass(), HasSubstr(", 1 thread, LibTorch 2.11"));
}

class ModelBench final : public RunnerBench {
 public:
  ModelBench() : runner_(SmallRunner(&executor_, &clock_)) {}
  Runner& runner() override { return *runner_; }
  void Finish() override { executor_.RunAll(); }

 private:
  FakeClock clock_;
  ManualExecutor executor_;
  const std::unique_ptr<Runner> runner_;
};

INSTANTIATE_TEST_SUITE_P(Model, RunnerConformanceTest,
                         ::testing::Values([] { return std::make_unique<ModelBench>(); }));

}  // namespace
}  // namespace distill
