// Everything that is wrong with a plan, found before anything starts.
#ifndef DISTILLATION_RUN_CONFIG_PLAN_CHECKS_H_
#define DISTILLATION_RUN_CONFIG_PLAN_CHECKS_H_

#include <functional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "common/config/position_map.h"
#include "proto/run_config.pb.h"

namespace distill {

// What this room cannot know by itself.
struct PlanCapabilities {
  // Whether an architecture can be built; its message is shown.
  std::function<absl::Status(const v1::ModelConfig&)> check_model;
  // Names of the label codecs that teacher servers speak (ServedCodecNames in
  // distillation/labels/codec.h); a name with numbers belongs to its family.
  std::vector<std::string> codecs;
};

// All problems of a resolved plan (plan_defaults.h), each with the path of its
// field, in the order of the file; empty: the plan can run. Sizes that depend on
// the data are checked when the data is loaded. Pure.
std::vector<FieldProblem> FindPlanProblems(const v1::PlanConfig& plan,
                                           const PlanCapabilities& capabilities);

// Names of the runs in an order in which every teacher comes before its students,
// otherwise as given. INVALID_ARGUMENT for runs that wait for one another.
absl::StatusOr<std::vector<std::string>> RunOrder(const v1::PlanConfig& plan);

}  // namespace distill

#endif  // DISTILLATION_RUN_CONFIG_PLAN_CHECKS_H_
