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

// Whether `run` can go on with these schedules in the place of its own. INVALID_ARGUMENT names the
// field that is wrong, a term that the run does not weigh, or, with what to do, temperatures
// beyond those of its own schedule where it names a sparse codec: its label streams were opened
// for that range. Its students would fail at the first step.
absl::Status CheckNewSchedules(const v1::RunConfig& run, const v1::ScheduleSet& given);

}  // namespace distill

#endif  // COORDINATOR_STATE_PLAN_CHECKS_H_
