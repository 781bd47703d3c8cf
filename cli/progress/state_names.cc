#include "cli/progress/state_names.h"

namespace distill {

using v1::PlanStatus;
using v1::RunStatus;
using v1::TeacherState;

const char* PlanStateName(PlanStatus::PlanState state) {
  switch (state) {
    case PlanStatus::RUNNING:
      return "running";
    case PlanStatus::FINISHED:
      return "finished";
    case PlanStatus::FAILED:
      return "failed";
    case PlanStatus::STOPPED:
      return "stopped";
    default:
      return "unknown";
  }
}

const char* RunStateName(RunStatus::RunState state) {
  switch (state) {
    case RunStatus::PENDING:
      return "not started";
    case RunStatus::WAITING:
      return "waiting";
    case RunStatus::ACTIVE:
      return "running";
    case RunStatus::DONE:
      return "done";
    case RunStatus::BROKEN:
      return "failed";
    case RunStatus::HALTED:
      return "halted";
    default:
      return "unknown";
  }
}

const char* TeacherStateName(TeacherState::State state) {
  switch (state) {
    case TeacherState::IDLE:
      return "idle";
    case TeacherState::LOADING:
      return "loading";
    case TeacherState::READY:
      return "ready";
    case TeacherState::DRAINING:
      return "draining";
    case TeacherState::FAILED:
      return "failed";
    default:
      return "unknown";
  }
}

}  // namespace distill
