// Following a plan to its end, and what is said of that.
#ifndef CLI_COMMANDS_FOLLOWING_H_
#define CLI_COMMANDS_FOLLOWING_H_

#include <string>

#include "absl/status/statusor.h"
#include "cli/commands/command_tools.h"
#include "cli/local_run/plan_outcome.h"
#include "cli/progress/plan_view.h"
#include "proto/coordinator.pb.h"

namespace distill {

// Whose plan is followed.
struct Followed {
  // host:port.
  std::string coordinator;
  // Empty where it is not known.
  std::string run_dir;
  // The coordinator was started by hand, may come again, and is not to be replaced by one here;
  // else a distillctl on this machine started it.
  bool started_by_hand = false;
};

// Follows until the plan has ended, the coordinator is gone or the command is told to stop. Closes
// `view`, and says how it ended where that was no success.
ExitCode FollowToItsEnd(const CommandTools& tools, const Followed& followed, PlanView& view);

// How a following ended that nobody interrupted. Pure.
Outcome EndOfFollowing(const Followed& followed, const absl::StatusOr<v1::PlanStatus>& ended);

}  // namespace distill

#endif  // CLI_COMMANDS_FOLLOWING_H_
