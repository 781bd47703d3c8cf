#include "cli/local_run/plan_outcome.h"

#include <gtest/gtest.h>

#include "absl/status/status.h"
#include "cli/command_line/command_line.h"
#include "proto/coordinator.pb.h"

namespace distill {
namespace {

ExitCode Of(v1::PlanStatus::PlanState state, absl::StatusCode code = absl::StatusCode::kOk) {
  v1::PlanStatus status;
  status.set_state(state);
  status.set_code(static_cast<int32_t>(code));
  return ExitCodeOfPlan(status);
}

TEST(PlanOutcomeTest, TheExitCodeSaysWhoHasToActNow) {
  EXPECT_EQ(Of(v1::PlanStatus::FINISHED), ExitCode::kDone);
  EXPECT_EQ(Of(v1::PlanStatus::STOPPED), ExitCode::kPreempted);
  EXPECT_EQ(Of(v1::PlanStatus::FAILED, absl::StatusCode::kInternal), ExitCode::kRunFailed);
  EXPECT_EQ(Of(v1::PlanStatus::FAILED, absl::StatusCode::kInvalidArgument),
            ExitCode::kConfiguration);
  EXPECT_EQ(Of(v1::PlanStatus::FAILED, absl::StatusCode::kDataLoss), ExitCode::kData);
}

}  // namespace
}  // namespace distill
