#include "teacher_server/runner/faulty_runner.h"

#include <gtest/gtest.h>

#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "common/tensor_view/tensor_view.h"
#include "teacher_server/runner/fake_runner.h"

namespace distill {
namespace {

using Fault = FaultyRunner::Fault;

ModelDescription Description() { return {"f00d", "test", {2}, 3, {"logits"}}; }

// Of the examples first, first + 1, ...
std::vector<float> Ask(FaultyRunner& runner, float first) {
  InferenceBatch batch;
  batch.examples = MakeTensorView(ElementType::kFloat32, {3, 2},
                                  std::vector<float>{first, 1, first + 1, 1, first + 2, 1});
  batch.outputs = {"logits"};
  std::vector<float> logits;
  runner.Start(std::move(batch), [&](absl::StatusOr<InferenceResult> result) {
    ASSERT_TRUE(result.ok()) << result.status();
    const auto values = result->outputs.at(0).as<float>();
    logits.assign(values.begin(), values.end());
  });
  return logits;
}

TEST(FaultyRunner, EachFaultChangesWhatIsAnsweredUntilItIsTakenBack) {
  FaultyRunner runner(std::make_shared<FakeRunner>(Description(), FakeRunner::Mode::kAtOnce));
  const std::vector<float> sound = Ask(runner, 1);
  std::set<std::string> names;
  for (const Fault fault : FaultyRunner::AllFaults()) {
    EXPECT_TRUE(names.insert(FaultyRunner::Name(fault)).second);
    Ask(runner, 5);
    runner.Inject(fault);
    EXPECT_NE(Ask(runner, 1), sound) << FaultyRunner::Name(fault);
    runner.Inject(Fault::kNone);
    EXPECT_EQ(Ask(runner, 1), sound) << FaultyRunner::Name(fault);
  }
  EXPECT_EQ(names.size(), 11u);
}

TEST(FaultyRunner, StaleAnswersAreThoseOfTheResultBefore) {
  FaultyRunner runner(std::make_shared<FakeRunner>(Description(), FakeRunner::Mode::kAtOnce));
  const std::vector<float> before = Ask(runner, 5);
  runner.Inject(Fault::kStale);
  EXPECT_EQ(Ask(runner, 1), before);
}

}  // namespace
}  // namespace distill
