// Follows a plan that runs under some coordinator.
#ifndef CLI_COMMANDS_PLAN_FOLLOWER_H_
#define CLI_COMMANDS_PLAN_FOLLOWER_H_

#include <string>

#include "absl/status/statusor.h"
#include "cli/progress/plan_view.h"
#include "common/lifecycle/shutdown_signal.h"
#include "proto/coordinator.pb.h"

namespace distill {

// Shows each status in `view` until the plan has ended, and then returns the last one. Takes
// `shutdown`'s OnRequest meanwhile; once that was told, CANCELLED, and the plan goes on. Else why
// nothing more is heard: ask whether the coordinator still runs.
absl::StatusOr<v1::PlanStatus> FollowPlan(const std::string& coordinator, PlanView& view,
                                          ShutdownSignal& shutdown);

}  // namespace distill

#endif  // CLI_COMMANDS_PLAN_FOLLOWER_H_
