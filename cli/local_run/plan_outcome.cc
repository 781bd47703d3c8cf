#include "cli/local_run/plan_outcome.h"

#include "absl/status/status.h"

namespace distill {

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

}  // namespace distill
