// What the coordinator's state needs of a plan so that executing it cannot
// reach an undefined situation. Full validation is distillation/run_config's.
#ifndef COORDINATOR_STATE_PLAN_CHECKS_H_
#define COORDINATOR_STATE_PLAN_CHECKS_H_

#include "absl/status/status.h"
#include "proto/run_config.pb.h"
#include "proto/types.pb.h"

namespace distill {

// INVALID_ARGUMENT, listing every problem: run names empty or repeated, unknown
// data sets or teacher runs, teacher edges in a circle, no steps, no ranks.
absl::Status CheckPlanEdges(const v1::PlanConfig& plan);

// Whether the label streams of `run`, which were opened for the temperatures of its own
// schedule, can serve these too. INVALID_ARGUMENT, with what to do, where it names a sparse codec
// and they leave that range: its students would fail at the first step beyond.
absl::Status CheckNewTemperatures(const v1::RunConfig& run, const v1::Schedule& temperature);

}  // namespace distill

#endif  // COORDINATOR_STATE_PLAN_CHECKS_H_
