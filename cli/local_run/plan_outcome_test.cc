#include "cli/local_run/plan_outcome.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "cli/command_line/command_line.h"
#include "proto/coordinator.pb.h"

namespace distill {
namespace {

using ::testing::AllOf;
using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::Not;

v1::PlanStatus Ended(v1::PlanStatus::PlanState state, absl::StatusCode code,
                     const std::string& message) {
  v1::PlanStatus status;
  status.set_state(state);
  status.set_code(static_cast<int32_t>(code));
  status.set_message(message);
  return status;
}

ExitCode Of(v1::PlanStatus::PlanState state, absl::StatusCode code = absl::StatusCode::kOk) {
  return ExitCodeOfPlan(Ended(state, code, ""));
}

TEST(PlanOutcomeTest, APlanThatWasLeftKeepsWhatIsDoneAndSaysWhenAndWhyItWasLeft) {
  v1::PlanStatus last;
  last.set_plan_id("small-1");
  last.set_state(v1::PlanStatus::RUNNING);
  last.add_members()->set_worker("student-0");
  for (const auto state : {v1::RunStatus::DONE, v1::RunStatus::ACTIVE, v1::RunStatus::PENDING}) {
    last.add_runs()->set_state(state);
  }
  last.mutable_runs(1)->mutable_progress()->set_step(131);
  last.mutable_runs(1)->set_steps(200);
  last.mutable_runs(1)->mutable_last_checkpoint()->set_step(100);
  const absl::Time noon = absl::FromUnixSeconds(1772366400);
  const auto state_after = [&](ExitCode code) {
    return AsPlanStatus(StatusWhenLeft(last, {code, ""}, noon)).state();
  };
  const v1::PlanStatus told =
      AsPlanStatus(StatusWhenLeft(last, {ExitCode::kInterrupted, "stopped by SIGINT"}, noon));
  EXPECT_EQ(told.plan_id(), "small-1");
  EXPECT_EQ(told.state(), v1::PlanStatus::STOPPED);
  EXPECT_EQ(told.message(), "left at 2026-03-01T12:00:00Z: stopped by SIGINT");
  EXPECT_EQ(told.members_size(), 0);
  EXPECT_EQ(told.runs(0).state(), v1::RunStatus::DONE);
  EXPECT_EQ(told.runs(1).state(), v1::RunStatus::HALTED);
  EXPECT_EQ(told.runs(1).progress().step(), 131);
  EXPECT_EQ(told.runs(1).steps(), 200);
  EXPECT_EQ(told.runs(1).last_checkpoint().step(), 100);
  EXPECT_EQ(told.runs(2).state(), v1::RunStatus::HALTED);
  EXPECT_EQ(state_after(ExitCode::kRunFailed), v1::PlanStatus::FAILED);
  // Its models were not compared.
  last.set_state(v1::PlanStatus::FINISHED);
  EXPECT_EQ(state_after(ExitCode::kInterrupted), v1::PlanStatus::FINISHED);
}

TEST(PlanOutcomeTest, TheExitCodeSaysWhoHasToActNow) {
  EXPECT_EQ(Of(v1::PlanStatus::FINISHED), ExitCode::kDone);
  EXPECT_EQ(Of(v1::PlanStatus::STOPPED), ExitCode::kPreempted);
  EXPECT_EQ(Of(v1::PlanStatus::FAILED, absl::StatusCode::kInternal), ExitCode::kRunFailed);
  EXPECT_EQ(Of(v1::PlanStatus::FAILED, absl::StatusCode::kInvalidArgument),
            ExitCode::kConfiguration);
  EXPECT_EQ(Of(v1::PlanStatus::FAILED, absl::StatusCode::kDataLoss), ExitCode::kData);
}

TEST(PlanOutcomeTest, AStoppedPlanIsToldApartFromAFailureAndHowItGoesOnDependsOnWhoRunsIt) {
  const v1::PlanStatus stopped =
      Ended(v1::PlanStatus::STOPPED, absl::StatusCode::kOk, "distillctl stop");
  const Outcome here = OutcomeOfPlan(stopped, "runs/1", "");
  EXPECT_EQ(here.code, ExitCode::kPreempted);
  EXPECT_EQ(here.message,
            "the plan was stopped: distillctl stop [DST-4101]; continue with: distillctl resume "
            "runs/1");
  const Outcome elsewhere = OutcomeOfPlan(stopped, "runs/1", "h:7000");
  EXPECT_EQ(elsewhere.code, ExitCode::kPreempted);
  EXPECT_THAT(elsewhere.message,
              EndsWith("[DST-4101]; continue with: distillctl resume runs/1 --coordinator h:7000 "
                       "(then start its workers again)"));
  EXPECT_THAT(OutcomeOfPlan(stopped, "", "h:7000").message,
              HasSubstr("distillctl resume DIR --coordinator h:7000"));
}

TEST(PlanOutcomeTest, AFailedPlanSaysWhyAndWhatToDo) {
  const v1::PlanStatus bad =
      Ended(v1::PlanStatus::FAILED, absl::StatusCode::kInvalidArgument, "r: 3 classes");
  EXPECT_THAT(OutcomeOfPlan(bad, "runs/1", "").message,
              AllOf(HasSubstr("r: 3 classes [DST-1100]"), HasSubstr("Correct the plan"),
                    EndsWith(": runs/1 keeps the plan it has")));
  EXPECT_THAT(OutcomeOfPlan(bad, "", "h:7000").message, EndsWith("run it in a new --run-dir"));
  const v1::PlanStatus broken =
      Ended(v1::PlanStatus::FAILED, absl::StatusCode::kInternal, "r: broke");
  EXPECT_EQ(OutcomeOfPlan(broken, "runs/1", "").message,
            "r: broke [DST-4000]\nOnce the cause is gone, continue with: distillctl resume runs/1");
  EXPECT_TRUE(OutcomeOfPlan(Ended(v1::PlanStatus::FINISHED, absl::StatusCode::kOk, ""), "", "")
                  .message.empty());
}

TEST(PlanOutcomeTest, WhatToDoGoesByTheErrorBeforeItsKind) {
  const auto what_to_do = [](absl::StatusCode code, const std::string& message) {
    return OutcomeOfPlan(Ended(v1::PlanStatus::FAILED, code, message), "runs/1", "").message;
  };
  for (const char* const diverged : {"r: nan [DST-4001]", "r: nan [DST-4002]"}) {
    EXPECT_THAT(what_to_do(absl::StatusCode::kInternal, diverged),
                AllOf(HasSubstr("Correct the plan"), Not(HasSubstr("resume"))));
  }
  for (const char* const of_files : {"r: a.pt [DST-2602]", "r: a.pt [DST-2604]"}) {
    EXPECT_THAT(what_to_do(absl::StatusCode::kFailedPrecondition, of_files),
                EndsWith("continue with: distillctl resume runs/1"));
  }
}

TEST(PlanOutcomeTest, CtrlCIsAnInterruptionAndAnyOtherSignalMayGoOn) {
  EXPECT_EQ(ExitCodeOfInterruption("SIGINT"), ExitCode::kInterrupted);
  EXPECT_EQ(ExitCodeOfInterruption("SIGTERM"), ExitCode::kPreempted);
}

}  // namespace
}  // namespace distill
