// Follows a plan that runs under some coordinator.
#ifndef CLI_COMMANDS_PLAN_FOLLOWER_H_
#define CLI_COMMANDS_PLAN_FOLLOWER_H_

#include <functional>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "cli/progress/plan_view.h"
#include "common/lifecycle/shutdown_signal.h"
#include "common/rpc/retry.h"
#include "proto/coordinator.pb.h"

namespace distill {

// Begins to watch a plan, as PlanWatch::Start; the watch ends when what is returned goes.
using WatchStarter = std::function<absl::StatusOr<std::shared_ptr<void>>(
    std::function<void(const v1::PlanStatus&)> on_status,
    std::function<void(const absl::Status&)> on_end)>;

// That of the coordinator at host:port.
WatchStarter WatchAt(const std::string& coordinator);

// A coordinator that was heard and is heard no more may be started again by whoever started it.
// Where that is so, how long and with what pauses to look for it after it was last heard.
struct Patience {
  // With a budget of zero the first silence ends it all.
  RetryPolicy policy{.budget = absl::ZeroDuration()};
  RetryTools tools;
};

// Shows each status in `view` until the plan has ended, and then returns the last one. Takes
// `shutdown`'s OnRequest meanwhile; once that was told, CANCELLED, and the plan goes on. Else why
// nothing more is heard: ask whether the coordinator still runs.
absl::StatusOr<v1::PlanStatus> FollowPlan(const WatchStarter& start, const Patience& patience,
                                          PlanView& view, ShutdownSignal& shutdown);

}  // namespace distill

#endif  // CLI_COMMANDS_PLAN_FOLLOWER_H_
