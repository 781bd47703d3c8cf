#include "distillation/run_config/teachers.h"

#include <algorithm>

namespace distill {

bool IsRecorded(const v1::TeacherConfig& teacher) { return !teacher.recorded_labels().empty(); }

bool AsksTeacherServers(const v1::RunConfig& run) {
  return !std::ranges::all_of(run.teachers(), IsRecorded);
}

bool AsksTeacherServers(const v1::PlanConfig& plan) {
  return std::ranges::any_of(plan.runs(),
                             [](const v1::RunConfig& run) { return AsksTeacherServers(run); });
}

}  // namespace distill
