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

std::unique_ptr<Model> SmallModel(const std::vector<uint32_t>& widths = {4}) {
  v1::ModelConfig config;
  config.set_architecture("mlp");
  for (const uint32_t width : widths) config.add_widths(width);
  const std::vector<int64_t> dims = {kFeatures};
  auto model = Model::Create(config, dims, kClasses, /*seed=*/5);
  EXPECT_TRUE(model.ok()) << model.status();
  return *std::move(model);
}

std::unique_ptr<Runner> SmallRunner(Executor* executor, Clock* clock,
                                    const std::vector<uint32_t>& widths = {4}) {
  ModelRunnerOptions options;
  options.fingerprint = "f";
  options.example_dims = {kFeatures};
  options.classes = kClasses;
  options.max_in_flight = 1;
  return MakeModelRunner(SmallModel(widths), options, executor, clock);
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

TEST(ModelRunner, LogitsAreTheSameBitsWithAndWithoutTheHiddenStates) {
  InlineExecutor executor;
  FakeClock clock;
  const auto runner = SmallRunner(&executor, &clock);
  const auto alone = RunBatch(*runner, Batch({1, 2, 3, -1, 0, 1}));
  const auto both = RunBatch(*runner, Batch({1, 2, 3, -1, 0, 1}, {"hidden", "logits", "logits"}));
  ASSERT_TRUE(alone.ok() && both.ok()) << both.status();
  ASSERT_EQ(both->outputs.size(), 3u);
  EXPECT_TRUE(std::ranges::equal(alone->outputs[0].bytes, both->outputs[1].bytes));
  EXPECT_TRUE(std::ranges::equal(alone->outputs[0].bytes, both->outputs[2].bytes));
}

TEST(ModelRunner, HiddenStatesOfAModelOfOneLayerOutliveTheExamplesThatTheyAre) {
  InlineExecutor executor;
  FakeClock clock;
  const auto runner = SmallRunner(&executor, &clock, {});
  InferenceBatch batch = Batch({1, 2, 3}, {"hidden"});
  const std::byte* const examples = batch.examples.bytes.data();
  const auto result = RunBatch(*runner, std::move(batch));
  ASSERT_TRUE(result.ok()) << result.status();
  EXPECT_NE(result->outputs[0].bytes.data(), examples);
}

TEST(ModelRunner, AHiddenStateThatIsNotFiniteFailsTheBatchAndNamesTheRow) {
  InlineExecutor executor;
  FakeClock clock;
  const auto runner = SmallRunner(&executor, &clock);
  const float infinite = std::numeric_limits<float>::infinity();
  const auto result = RunBatch(*runner, Batch({1, 2, 3, 1, infinite, 1}, {"hidden"}));
  EXPECT_EQ(result.status().code(), absl::StatusCode::kDataLoss);
  EXPECT_THAT(std::string(result.status().message()), HasSubstr("hidden"));
  EXPECT_THAT(std::string(result.status().message()), HasSubstr("row 1 of 2"));
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
  const auto result = RunBatch(*runner, Batch({1, 2, 3}, {"feature"}));
  EXPECT_EQ(result.status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(result.status().message()), HasSubstr("'feature'"));
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

TEST(ModelRunner, SaysHowLongABatchWaitedBehindOthers) {
  ManualExecutor executor;
  FakeClock clock;
  const auto runner = SmallRunner(&executor, &clock);
  ASSERT_TRUE(executor.Schedule([&] { clock.Advance(absl::Milliseconds(30)); }).ok());
  absl::StatusOr<InferenceResult> result = absl::UnknownError("done was not called");
  runner->Start(Batch({1, 2, 3}), [&](auto told) { result = std::move(told); });
  executor.RunAll();
  ASSERT_TRUE(result.ok()) << result.status();
  EXPECT_EQ(result->waited, absl::Milliseconds(30));
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
