// How commands reach the coordinator of a plan.
#ifndef CLI_COMMANDS_COORDINATOR_ACCESS_H_
#define CLI_COMMANDS_COORDINATOR_ACCESS_H_

#include <functional>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "cli/commands/command_tools.h"
#include "cli/run_directory/run_directory.h"
#include "common/rpc/retry.h"
#include "coordinator/client/coordinator_client.h"
#include "proto/coordinator.pb.h"
#include "proto/run_config.pb.h"

namespace distill {

// Numbers in [0, 1).
std::function<double()> Jitter();

// For calls that are made again until the command is told to stop; points to `tools`.
RetryTools RetryToolsOf(const CommandTools& tools);

// Connects at the first call. Errors as CoordinatorClient::Create.
absl::StatusOr<std::unique_ptr<CoordinatorClient>> Connect(const CommandTools& tools,
                                                           const std::string& coordinator);

// The coordinator that was named, or else that of the run directory. NOT_FOUND: there is no plan
// in it; UNAVAILABLE: nothing runs for it here.
absl::StatusOr<std::string> AddressOf(const CommandTools& tools, const std::string& run_dir,
                                      const std::string& coordinator);

// FAILED_PRECONDITION where the coordinator that answered has another plan than the directory that
// was named with it: by the plan's id where it was submitted from there, else by its name and runs.
absl::Status CheckIsPlanOf(const v1::PlanStatus& status, const v1::PlanConfig& plan,
                           const RunDirectory& directory, const std::string& coordinator);

// Before a coordinator is started for the directory: FAILED_PRECONDITION where one that distillctl
// started answers that it has the plan. Asks it once.
absl::Status CheckNotRunning(const CommandTools& tools, const RunDirectory& directory,
                             const v1::PlanConfig& plan);

}  // namespace distill

#endif  // CLI_COMMANDS_COORDINATOR_ACCESS_H_
