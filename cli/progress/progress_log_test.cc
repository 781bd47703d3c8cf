#include "cli/progress/progress_log.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "absl/time/time.h"
#include "proto/coordinator.pb.h"

namespace distill {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::StartsWith;

// A plan of one run that trains.
v1::PlanStatus At(int64_t step, int64_t steps = 1000) {
  v1::PlanStatus status;
  status.set_plan_id("p-1");
  status.set_state(v1::PlanStatus::RUNNING);
  v1::RunStatus* run = status.add_runs();
  run->set_run_id("r");
  run->set_state(v1::RunStatus::ACTIVE);
  run->set_generation(1);
  run->set_steps(steps);
  run->mutable_progress()->set_step(step);
  run->mutable_progress()->set_steps_per_second(10);
  return status;
}

TEST(ProgressLogTest, TheStartNamesThePlanAndItsRuns) {
  ProgressLog log;
  EXPECT_THAT(log.OnStatus(At(0), absl::ZeroDuration()),
              ElementsAre("plan p-1: running, 1 run: r (1000 steps)", "r  starting"));
}

TEST(ProgressLogTest, AFastRunSaysALineEvery30Seconds) {
  ProgressLog log;
  log.OnStatus(At(0), absl::ZeroDuration());
  std::vector<std::string> lines;
  for (int second = 1; second <= 95; ++second) {
    for (const std::string& line : log.OnStatus(At(10 * second), absl::Seconds(second))) {
      lines.push_back(line);
    }
  }
  EXPECT_THAT(lines, ElementsAre(StartsWith("r  step 300/1000"), StartsWith("r  step 600/1000"),
                                 StartsWith("r  step 900/1000")));
}

TEST(ProgressLogTest, ASlowRunSaysALineEvery5Percent) {
  ProgressLog log;
  log.OnStatus(At(0), absl::ZeroDuration());
  std::vector<std::string> lines;
  for (int minute = 1; minute <= 120; ++minute) {
    for (const std::string& line : log.OnStatus(At(minute), absl::Minutes(minute))) {
      lines.push_back(line);
    }
  }
  EXPECT_THAT(lines, ElementsAre(StartsWith("r  step 50/1000"), StartsWith("r  step 100/1000")));
}

TEST(ProgressLogTest, AChangeOfStateIsSaidAtOnceAndOnce) {
  ProgressLog log;
  v1::PlanStatus status = At(0);
  status.mutable_runs(0)->set_state(v1::RunStatus::PENDING);
  EXPECT_THAT(log.OnStatus(status, absl::Seconds(0)), ElementsAre(StartsWith("plan p-1")));
  status.mutable_runs(0)->set_state(v1::RunStatus::WAITING);
  status.mutable_runs(0)->set_message("waits for a student");
  EXPECT_THAT(log.OnStatus(status, absl::Seconds(1)),
              ElementsAre("r  waiting: waits for a student"));
  EXPECT_THAT(log.OnStatus(status, absl::Minutes(9)), IsEmpty());
  EXPECT_THAT(log.OnStatus(At(10), absl::Minutes(9)), ElementsAre(StartsWith("r  step 10/1000")));
  status.mutable_runs(0)->set_state(v1::RunStatus::DONE);
  status.mutable_runs(0)->clear_message();
  EXPECT_THAT(log.OnStatus(status, absl::Minutes(9)), ElementsAre("r  done"));
}

TEST(ProgressLogTest, AFaultOfATeacherServerIsSaidOnce) {
  ProgressLog log;
  v1::PlanStatus status = At(10);
  v1::MemberStatus* member = status.add_members();
  member->set_worker("teacher-0");
  member->set_state(v1::MemberStatus::ALIVE);
  member->mutable_teacher_state()->set_state(v1::TeacherState::FAILED);
  member->mutable_teacher_state()->set_model("teacher");
  member->mutable_teacher_state()->set_message("canary: example 3");
  const std::string fault = "teacher-0  does not serve teacher any more: canary: example 3";
  EXPECT_THAT(log.OnStatus(status, absl::Seconds(0)), ::testing::Contains(fault));
  EXPECT_THAT(log.OnStatus(status, absl::Seconds(1)), IsEmpty());
  member->mutable_teacher_state()->set_message("another");
  EXPECT_THAT(log.OnStatus(status, absl::Seconds(2)),
              ElementsAre("teacher-0  does not serve teacher any more: another"));
}

TEST(ProgressLogTest, TheEndSaysWhatBecameOfThePlan) {
  ProgressLog log;
  EXPECT_THAT(log.OnEnd(absl::Seconds(1)), IsEmpty());
  log.OnStatus(At(10), absl::Seconds(5));
  v1::PlanStatus status = At(1000);
  status.set_state(v1::PlanStatus::FINISHED);
  status.mutable_runs(0)->set_state(v1::RunStatus::DONE);
  log.OnStatus(status, absl::Seconds(60));
  EXPECT_THAT(log.OnEnd(absl::Seconds(70)),
              ElementsAre("plan p-1: finished, 1 of 1 run done, 1:05"));
}

TEST(ProgressLogTest, LinesAreAsciiWithoutControlCharacters) {
  ProgressLog log;
  v1::PlanStatus status = At(10);
  status.set_plan_id("p\x1b[2J\r");
  status.mutable_runs(0)->set_run_id("r\xc3\xa9\n");
  for (const std::string& line : log.OnStatus(status, absl::ZeroDuration())) {
    for (const char c : line) EXPECT_TRUE(c >= ' ' && c < 0x7f) << line;
  }
}

}  // namespace
}  // namespace distill
