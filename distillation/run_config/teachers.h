// Who needs teacher servers: a teacher whose labels were recorded needs none. Pure.
#ifndef DISTILLATION_RUN_CONFIG_TEACHERS_H_
#define DISTILLATION_RUN_CONFIG_TEACHERS_H_

#include "proto/run_config.pb.h"

namespace distill {

// Whether its labels come from a set on disk.
bool IsRecorded(const v1::TeacherConfig& teacher);

// Whether any of its teachers is asked over the network.
bool AsksTeacherServers(const v1::RunConfig& run);
bool AsksTeacherServers(const v1::PlanConfig& plan);

}  // namespace distill

#endif  // DISTILLATION_RUN_CONFIG_TEACHERS_H_
