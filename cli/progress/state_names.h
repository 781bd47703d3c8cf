// States as people read them. Pure.
#ifndef CLI_PROGRESS_STATE_NAMES_H_
#define CLI_PROGRESS_STATE_NAMES_H_

#include "proto/coordinator.pb.h"

namespace distill {

const char* PlanStateName(v1::PlanStatus::PlanState state);
const char* RunStateName(v1::RunStatus::RunState state);
const char* TeacherStateName(v1::TeacherState::State state);

}  // namespace distill

#endif  // CLI_PROGRESS_STATE_NAMES_H_
