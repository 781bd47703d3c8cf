#include "teacher_server/runner/fake_runner.h"

#include <gtest/gtest.h>

#include "teacher_server/runner/conformance_suite.h"

namespace distill {
namespace {

ModelDescription TwoClasses() {
  ModelDescription description;
  description.example_dims = {2};
  description.classes = 2;
  description.outputs = {"logits"};
  return description;
}

InferenceBatch OneRow(std::vector<int64_t> dims = {1, 2}) {
  return {MakeTensorView<float>(ElementType::kFloat32, std::move(dims), {3.0f, 4.0f}), {"logits"}};
}

TEST(FakeRunner, AnswersAreAFunctionOfTheExample) {
  FakeRunner runner(TwoClasses(), FakeRunner::Mode::kAtOnce);
  absl::StatusOr<InferenceResult> result = absl::UnknownError("not called");
  runner.Start(OneRow(), [&](absl::StatusOr<InferenceResult> r) { result = std::move(r); });
  ASSERT_TRUE(result.ok()) << result.status();
  EXPECT_EQ(result->outputs[0].as<float>()[1], 7.0f);
}

TEST(FakeRunner, OnDemandHoldsBatchesUpToItsBound) {
  FakeRunner runner(TwoClasses(), FakeRunner::Mode::kOnDemand, 1);
  std::vector<absl::StatusCode> codes;
  const auto note = [&](absl::StatusOr<InferenceResult> r) { codes.push_back(r.status().code()); };
  runner.Start(OneRow(), note);
  runner.Start(OneRow(), note);
  EXPECT_EQ(codes, std::vector{absl::StatusCode::kResourceExhausted});
  EXPECT_EQ(runner.in_flight(), 1);
  EXPECT_TRUE(runner.CompleteOldest());
  EXPECT_FALSE(runner.CompleteOldest());
  EXPECT_EQ(codes.back(), absl::StatusCode::kOk);
}

TEST(FakeRunner, WithoutAHeadItHasNoHiddenStates) {
  InferenceBatch batch = OneRow();
  batch.outputs = {"hidden"};
  EXPECT_EQ(FakeRunner::Answer(TwoClasses(), batch).status().code(),
            absl::StatusCode::kInvalidArgument);
}

TEST(FakeRunner, AnotherShapeIsRefused) {
  const auto result = FakeRunner::Answer(TwoClasses(), OneRow({2, 1}));
  EXPECT_EQ(result.status().code(), absl::StatusCode::kInvalidArgument);
}

class FakeBench final : public RunnerBench {
 public:
  FakeBench() : runner_(Description(), FakeRunner::Mode::kOnDemand) {}
  Runner& runner() override { return runner_; }
  void Finish() override {
    while (runner_.CompleteOldest()) {
    }
  }

 private:
  static ModelDescription Description() {
    ModelDescription description = TwoClasses();
    description.example_dims = {3};
    description.head = FakeRunner::Head(description.classes);
    return description;
  }
  FakeRunner runner_;
};

INSTANTIATE_TEST_SUITE_P(Fake, RunnerConformanceTest,
                         ::testing::Values([] { return std::make_unique<FakeBench>(); }));

}  // namespace
}  // namespace distill
