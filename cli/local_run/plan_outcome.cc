#include "cli/local_run/plan_outcome.h"

#include <google/protobuf/util/time_util.h>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "cli/errors/failure_text.h"
#include "common/status/error_id.h"

namespace distill {
namespace {

using ::google::protobuf::util::TimeUtil;

// Whether the plan, which a run directory keeps as it is, has to change before it can go on.
bool NeedsAnotherPlan(ExitCode code, std::string_view message) {
  switch (ErrorIdIn(message).value_or(ErrorId::kAnyRunFailure)) {
    case ErrorId::kLossNotFinite:
    case ErrorId::kGradientNotFinite:
      return true;
    // The mend is beside the model's file.
    case ErrorId::kProgramNotInManifest:
    case ErrorId::kModelManifestUnreadable:
      return false;
    default:
      return code == ExitCode::kConfiguration;
  }
}

}  // namespace

ExitCode ExitCodeOfPlan(const v1::PlanStatus& status) {
  if (status.state() == v1::PlanStatus::FINISHED) return ExitCode::kDone;
  if (status.state() == v1::PlanStatus::STOPPED) return ExitCode::kPreempted;
  return ExitCodeOfFailedPlan(static_cast<absl::StatusCode>(status.code()));
}

ExitCode ExitCodeOfFailedPlan(absl::StatusCode code) {
  switch (code) {
    case absl::StatusCode::kInvalidArgument:
    case absl::StatusCode::kFailedPrecondition:
    case absl::StatusCode::kUnimplemented:
      return ExitCode::kConfiguration;
    case absl::StatusCode::kDataLoss:
    case absl::StatusCode::kNotFound:
      return ExitCode::kData;
    default:
      return ExitCode::kRunFailed;
  }
}

std::string ResumeText(const std::string& run_dir, const std::string& coordinator) {
  const std::string command = absl::StrCat("distillctl resume ", run_dir.empty() ? "DIR" : run_dir);
  if (coordinator.empty()) return command;
  // They left when the plan ended, and one that comes while it has ended is sent away.
  return absl::StrCat(command, " --coordinator ", coordinator, " (then start its workers again)");
}

Outcome OutcomeOfPlan(const v1::PlanStatus& status, const std::string& run_dir,
                      const std::string& coordinator) {
  const ExitCode code = ExitCodeOfPlan(status);
  if (code == ExitCode::kDone) return {};
  const std::string go_on = absl::StrCat("continue with: ", ResumeText(run_dir, coordinator));
  if (code == ExitCode::kPreempted) {
    return {code, absl::StrCat(WithSomeId("the plan was stopped: " + status.message(), code), "; ",
                               go_on)};
  }
  const std::string why = WithSomeId(status.message(), code);
  if (NeedsAnotherPlan(code, why)) {
    return {
        code,
        absl::StrCat(why, "\nCorrect the plan and run it in a new --run-dir",
                     run_dir.empty() ? "" : absl::StrCat(": ", run_dir, " keeps the plan it has"))};
  }
  return {code, absl::StrCat(why, "\nOnce the cause is gone, ", go_on)};
}

v1::LastStatus StatusWhenLeft(const v1::PlanStatus& last, const Outcome& outcome, absl::Time now) {
  const bool told = outcome.code == ExitCode::kInterrupted || outcome.code == ExitCode::kPreempted;
  v1::LastStatus left;
  left.mutable_written_at()->set_seconds(absl::ToUnixSeconds(now));
  left.set_plan_id(last.plan_id());
  left.set_state(v1::PlanStatus::PlanState_Name(last.state() != v1::PlanStatus::RUNNING
                                                    ? last.state()
                                                : told ? v1::PlanStatus::STOPPED
                                                       : v1::PlanStatus::FAILED));
  left.set_message(outcome.message);
  for (const v1::RunStatus& run : last.runs()) {
    const bool ended = run.state() == v1::RunStatus::DONE || run.state() == v1::RunStatus::BROKEN;
    v1::LastRunStatus* const copy = left.add_runs();
    copy->set_run_id(run.run_id());
    copy->set_state(v1::RunStatus::RunState_Name(ended ? run.state() : v1::RunStatus::HALTED));
    copy->set_step(run.progress().step());
    copy->set_steps(run.steps());
    copy->set_checkpoint_step(run.last_checkpoint().step());
  }
  return left;
}

v1::PlanStatus AsPlanStatus(const v1::LastStatus& left) {
  v1::PlanStatus status;
  status.set_plan_id(left.plan_id());
  v1::PlanStatus::PlanState state = v1::PlanStatus::PLAN_STATE_UNSPECIFIED;
  // One of another version stays unspecified.
  if (v1::PlanStatus::PlanState_Parse(left.state(), &state)) status.set_state(state);
  status.set_message(
      absl::StrCat("left at ", TimeUtil::ToString(left.written_at()), ": ", left.message()));
  for (const v1::LastRunStatus& run : left.runs()) {
    v1::RunStatus* const copy = status.add_runs();
    copy->set_run_id(run.run_id());
    v1::RunStatus::RunState run_state = v1::RunStatus::RUN_STATE_UNSPECIFIED;
    if (v1::RunStatus::RunState_Parse(run.state(), &run_state)) copy->set_state(run_state);
    copy->mutable_progress()->set_step(run.step());
    copy->set_steps(run.steps());
    if (run.checkpoint_step() > 0) {
      copy->mutable_last_checkpoint()->set_step(run.checkpoint_step());
    }
  }
  return status;
}

ExitCode ExitCodeOfInterruption(std::string_view reason) {
  return reason == "SIGINT" ? ExitCode::kInterrupted : ExitCode::kPreempted;
}

}  // namespace distill
