#include "cli/progress/progress.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace distill {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

TEST(ProgressTest, ALineSaysStepRateTermsWaitingAndTimeLeft) {
  v1::RunStatus run;
  run.set_run_id("distilled");
  run.set_state(v1::RunStatus::ACTIVE);
  run.mutable_progress()->set_step(400);
  run.mutable_progress()->set_steps_per_second(100);
  (*run.mutable_progress()->mutable_loss_terms())["soft"] = 1.25;
  (*run.mutable_progress()->mutable_loss_terms())["hard"] = 0.5;
  run.mutable_progress()->set_teacher_wait_ratio(0.034);
  EXPECT_EQ(ProgressLine(run, 1400),
            "distilled  step 400/1400  100.0/s  hard 0.500 soft 1.250  waiting for teacher 3%  "
            "ETA 10 s");
}

TEST(ProgressTest, ARunThatDoesNotTrainSaysWhy) {
  v1::RunStatus run;
  run.set_run_id("distilled");
  run.set_state(v1::RunStatus::WAITING);
  run.set_message("waits for a teacher server of model teacher");
  EXPECT_EQ(ProgressLine(run, 10),
            "distilled  waiting: waits for a teacher server of model teacher");
}

TEST(ProgressTest, TheStatusNamesRunsAndProcesses) {
  v1::PlanStatus status;
  status.set_plan_id("p-1");
  status.set_state(v1::PlanStatus::RUNNING);
  v1::RunStatus* run = status.add_runs();
  run->set_run_id("r");
  run->set_state(v1::RunStatus::PENDING);
  v1::MemberStatus* member = status.add_members();
  member->set_worker("teacher-0");
  member->set_role(v1::TEACHER_SERVER);
  member->set_state(v1::MemberStatus::ALIVE);
  member->set_process_id(12);
  const std::string text = StatusText(status, {});
  EXPECT_THAT(text, HasSubstr("plan p-1: RUNNING"));
  EXPECT_THAT(text, HasSubstr("r  not started"));
  EXPECT_THAT(text, HasSubstr("teacher-0  ALIVE  pid 12"));
}

TEST(ProgressTest, ATeacherServerThatFailedWhileRunsGoOnIsNamedWithItsFault) {
  v1::PlanStatus status;
  status.add_runs()->set_run_id("r");
  status.mutable_runs(0)->set_state(v1::RunStatus::ACTIVE);
  v1::MemberStatus* member = status.add_members();
  member->set_worker("teacher-0");
  member->set_role(v1::TEACHER_SERVER);
  member->set_state(v1::MemberStatus::ALIVE);
  member->mutable_teacher_state()->set_state(v1::TeacherState::FAILED);
  member->mutable_teacher_state()->set_model("teacher");
  member->mutable_teacher_state()->set_message("canary: example 3");
  EXPECT_THAT(
      ProgressLines(status, {}),
      ElementsAre("r  starting", "teacher-0  does not serve teacher any more: canary: example 3"));
  EXPECT_THAT(StatusText(status, {}), HasSubstr("FAILED teacher: canary: example 3"));
  member->set_state(v1::MemberStatus::GONE);
  EXPECT_THAT(ProgressLines(status, {}), ElementsAre("r  starting"));
}

}  // namespace
}  // namespace distill
