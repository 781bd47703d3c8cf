// What became of a plan, as an exit code. Pure.
#ifndef CLI_LOCAL_RUN_PLAN_OUTCOME_H_
#define CLI_LOCAL_RUN_PLAN_OUTCOME_H_

#include "cli/command_line/command_line.h"
#include "proto/coordinator.pb.h"

namespace distill {

// Of a plan that has ended: finished, stopped (and to be resumed), or failed by what its
// code says: the configuration, the data, or the run.
ExitCode ExitCodeOfPlan(const v1::PlanStatus& status);

}  // namespace distill

#endif  // CLI_LOCAL_RUN_PLAN_OUTCOME_H_
