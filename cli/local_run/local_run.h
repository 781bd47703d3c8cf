// Runs a plan on this machine: starts the processes, watches them and the plan, ends
// with the comparison of its models.
#ifndef CLI_LOCAL_RUN_LOCAL_RUN_H_
#define CLI_LOCAL_RUN_LOCAL_RUN_H_

#include "cli/local_run/model_comparison.h"
#include "cli/progress/plan_view.h"
#include "cli/run_directory/run_directory.h"
#include "proto/run_config.pb.h"

namespace distill {

// Shows the plan in `view`, which it closes before it says more. Blocks until the plan has ended
// and every process is gone. A plan that was begun here before goes on from its last committed
// checkpoints. Belongs to one thread; the processes die with it.
Outcome RunLocally(const LocalRunTools& tools, RunDirectory& directory, const v1::PlanConfig& plan,
                   PlanView& view);

}  // namespace distill

#endif  // CLI_LOCAL_RUN_LOCAL_RUN_H_
