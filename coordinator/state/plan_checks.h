// What the coordinator's state needs of a plan so that executing it cannot
// reach an undefined situation. Full validation is distillation/run_config's.
#ifndef COORDINATOR_STATE_PLAN_CHECKS_H_
#define COORDINATOR_STATE_PLAN_CHECKS_H_

#include "absl/status/status.h"
#include "proto/run_config.pb.h"

namespace distill {

// INVALID_ARGUMENT, listing every problem: run names empty or repeated, unknown
// data sets or teacher runs, teacher edges in a circle, no steps, no ranks.
absl::Status CheckPlanEdges(const v1::PlanConfig& plan);

}  // namespace distill

#endif  // COORDINATOR_STATE_PLAN_CHECKS_H_
