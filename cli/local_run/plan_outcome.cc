#include "cli/local_run/plan_outcome.h"

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "cli/errors/failure_text.h"
#include "common/status/error_id.h"

namespace distill {
namespace {

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
  switch (static_cast<absl::StatusCode>(status.code())) {
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

Outcome OutcomeOfPlan(const v1::PlanStatus& status, const std::string& run_dir) {
  const ExitCode code = ExitCodeOfPlan(status);
  if (code == ExitCode::kDone) return {};
  const bool here = !run_dir.empty();
  const std::string go_on =
      here ? absl::StrCat("continue with: distillctl resume ", run_dir)
           // Only a coordinator that distillctl starts is asked to resume.
           : "submit the plan anew, with a --run-dir of its own: resume is for one machine";
  if (code == ExitCode::kPreempted) {
    return {code, absl::StrCat(WithSomeId("the plan was stopped: " + status.message(), code), "; ",
                               go_on)};
  }
  const std::string why = WithSomeId(status.message(), code);
  if (NeedsAnotherPlan(code, why)) {
    return {code, absl::StrCat(why, "\nCorrect the plan and run it in a new --run-dir",
                               here ? absl::StrCat(": ", run_dir, " keeps the plan it has") : "")};
  }
  return {code, absl::StrCat(why, "\nOnce the cause is gone, ", go_on)};
}

v1::PlanStatus StatusWhenLeft(v1::PlanStatus last, const Outcome& outcome) {
  const bool told = outcome.code == ExitCode::kInterrupted || outcome.code == ExitCode::kPreempted;
  if (last.state() == v1::PlanStatus::RUNNING) {
    last.set_state(told ? v1::PlanStatus::STOPPED : v1::PlanStatus::FAILED);
  }
  last.set_message(outcome.message);
  last.clear_members();
  for (v1::RunStatus& run : *last.mutable_runs()) {
    if (run.state() == v1::RunStatus::DONE || run.state() == v1::RunStatus::BROKEN) continue;
    run.set_state(v1::RunStatus::HALTED);
    run.clear_message();
  }
  return last;
}

ExitCode ExitCodeOfInterruption(std::string_view reason) {
  return reason == "SIGINT" ? ExitCode::kInterrupted : ExitCode::kPreempted;
}

}  // namespace distill
