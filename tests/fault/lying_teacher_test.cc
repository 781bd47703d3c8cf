// Two teacher servers serve a student, and one of them begins to answer wrongly: it is found
// out within one interval, named and taken out, and the other serves the run.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdint>
#include <cstring>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "student_worker/label_source/label_source.h"
#include "teacher_server/label_stream/label_stream.h"
#include "teacher_server/runner/fake_runner.h"
#include "teacher_server/runner/faulty_runner.h"
#include "teacher_server/service/label_server_harness.h"

namespace distill {
namespace {

using ::testing::HasSubstr;
using Fault = FaultyRunner::Fault;

constexpr int kRows = 8;
constexpr absl::Duration kInterval = absl::Seconds(30);
constexpr absl::Duration kStepTime = absl::Seconds(1);

// A teacher server, its runner, and the stream of the one student.
struct Teacher {
  Teacher() {
    runner = std::make_shared<FaultyRunner>(std::make_shared<FakeRunner>(
        LabelServerHarness::Description(), FakeRunner::Mode::kAtOnce, 1));
    harness.Serve(runner, /*queue=*/256, LabelServerHarness::Record(32));
  }

  LabelServerHarness harness{LabelStreamOptions()};
  std::shared_ptr<FaultyRunner> runner;
  std::shared_ptr<HarnessStudent> stream;
  // Told to the student.
  size_t answered = 0;
  std::map<uint64_t, int> asked;
};

// Of the first `rows` examples; what the fake runner says of them: c * (1 + id).
std::vector<float> Truth(int rows) {
  std::vector<float> logits;
  for (int i = 0; i < rows; ++i) {
    for (int c = 0; c < LabelServerHarness::kClasses; ++c) {
      logits.push_back(static_cast<float>(c * (1 + i)));
    }
  }
  return logits;
}

class LyingTeacherTest : public ::testing::Test {
 protected:
  LyingTeacherTest() : source_(Options(), [] { return 0.5; }, Now()) {
    source_.SetEndpoints({{"a", 1, "a:1"}, {"b", 1, "b:1"}}, Now());
    Exchange();
  }

  static LabelSourceOptions Options() {
    LabelSourceOptions options;
    options.end_step = 1'000'000;
    options.examples_per_step = kRows;
    return options;
  }

  absl::Duration Now() { return teachers_.at("a").harness.clock.MonotonicNow(); }

  // What the student and its teachers have to say to one another, until they are done.
  void Exchange() {
    source_.Advance(Now());
    for (auto actions = source_.TakeActions(); !actions.empty(); actions = source_.TakeActions()) {
      for (const LabelAction& action : actions) Do(action);
      for (auto& [name, teacher] : teachers_) Hear(name, teacher);
    }
    for (auto& [name, teacher] : teachers_) Hear(name, teacher);
  }
  void Do(const LabelAction& action) {
    if (const auto* open = std::get_if<OpenStream>(&action)) {
      const std::string& name = open->endpoint.name;
      Teacher& teacher = teachers_.at(name);
      teacher.stream = teacher.harness.Open();
      teacher.answered = 0;
      if (!teacher.stream->end.has_value()) source_.StreamOpened(name, "class", Now());
    } else if (const auto* ask = std::get_if<AskLabels>(&action)) {
      Teacher& teacher = teachers_.at(ask->endpoint);
      const int rows = static_cast<int>(ask->positions.size());
      teacher.asked[ask->request_id] = rows;
      teacher.harness.Ask(*teacher.stream, ask->request_id, rows);
    } else if (const auto* give_up = std::get_if<GiveUp>(&action)) {
      ADD_FAILURE() << give_up->status;
    }
  }
  void Hear(const std::string& name, Teacher& teacher) {
    if (teacher.stream == nullptr) return;
    const std::shared_ptr<HarnessStudent> stream = teacher.stream;
    stream->Read();
    while (teacher.answered < stream->answered.size()) {
      const uint64_t id = stream->answered[teacher.answered++];
      const std::string& bytes = stream->payload[id];
      auto labels = std::make_shared<std::vector<float>>(bytes.size() / sizeof(float));
      std::memcpy(labels->data(), bytes.data(), bytes.size());
      source_.Answered(id, labels, Now());
    }
    for (const auto& [id, failed] : std::exchange(stream->failed, {})) {
      source_.AskFailed(id, absl::Status(static_cast<absl::StatusCode>(failed.code()), "failed"),
                        absl::ZeroDuration(), Now());
    }
    if (!stream->end.has_value()) return;
    teacher.stream = nullptr;
    source_.StreamLost(name, *stream->end, Now());
  }

  // Whether the labels of the next step came and are right.
  bool TakeStep() {
    for (auto& [name, teacher] : teachers_) teacher.harness.Advance(kStepTime);
    Exchange();
    if (!source_.Ready()) {
      ADD_FAILURE() << "step " << source_.next_step() << " has no labels";
      return false;
    }
    bool right = true;
    for (const LabelPart& part : source_.Take(Now())) {
      const auto& labels = *static_cast<const std::vector<float>*>(part.payload.get());
      right = right && labels == Truth(static_cast<int>(part.positions.size()));
    }
    Exchange();
    return right;
  }

  std::map<std::string, Teacher> teachers_ = [] {
    std::map<std::string, Teacher> teachers;
    teachers.try_emplace("a");
    teachers.try_emplace("b");
    return teachers;
  }();
  LabelSource source_;
};

class EachFaultTest : public LyingTeacherTest, public ::testing::WithParamInterface<Fault> {};

TEST_P(EachFaultTest, IsCaughtWithinOneIntervalAndTheOtherServesTheRun) {
  while (source_.counters().served.size() < 2) ASSERT_TRUE(TakeStep());
  Teacher& liar = teachers_.at("a");
  liar.runner->Inject(GetParam());
  for (absl::Duration time; time <= kInterval; time += kStepTime) TakeStep();

  ASSERT_EQ(liar.harness.told.size(), 2u);
  EXPECT_THAT(std::string(liar.harness.told[1].message()), HasSubstr("canary: example "));
  EXPECT_EQ(source_.counters().refused.at("a"), std::string(liar.harness.told[1].message()));
  // What was asked ahead of it.
  for (int i = 0; i < Options().window_steps; ++i) TakeStep();
  const int64_t its = source_.counters().served.at("a");
  for (int i = 0; i < 100; ++i) EXPECT_TRUE(TakeStep());
  EXPECT_EQ(source_.counters().served.at("a"), its);
  EXPECT_EQ(teachers_.at("b").harness.told.size(), 1u);
}

INSTANTIATE_TEST_SUITE_P(Faults, EachFaultTest, ::testing::ValuesIn(FaultyRunner::AllFaults()),
                         [](const ::testing::TestParamInfo<Fault>& info) {
                           std::string name = FaultyRunner::Name(info.param);
                           std::erase(name, ' ');
                           return name;
                         });

// What shows in the rows themselves reaches no student at all.
TEST_F(LyingTeacherTest, RowsThatShowTheFaultAreNeverTrainedOn) {
  while (source_.counters().served.size() < 2) ASSERT_TRUE(TakeStep());
  for (const Fault fault : {Fault::kNan, Fault::kInfinite, Fault::kConstant, Fault::kUniform}) {
    teachers_.at("a").runner->Inject(fault);
    for (int i = 0; i < 40; ++i) EXPECT_TRUE(TakeStep()) << FaultyRunner::Name(fault);
  }
}

}  // namespace
}  // namespace distill
