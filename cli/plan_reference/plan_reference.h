// What each field of a configuration means, from the comments of proto/run_config.proto:
// `distillctl config explain` and docs/configuration.md. Functions without state: thread-safe.
#ifndef CLI_PLAN_REFERENCE_PLAN_REFERENCE_H_
#define CLI_PLAN_REFERENCE_PLAN_REFERENCE_H_

#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"

namespace distill {

// One value that a field takes by itself: "4 with teachers".
struct StatedDefault {
  // YAML, "unset", "required" or words; then the condition, "with teachers" or empty.
  std::string value;
  std::string condition;
};

// A field of one message, which may stand at several places of a plan.
struct FieldReference {
  // "distill.v1.TrainingConfig"
  std::string message;
  std::string name;
  // In words: "whole number".
  std::string type;
  // Without its end, on one line.
  std::string comment;
  // What the comment ends with; empty: it says nothing.
  std::vector<StatedDefault> defaults;
};

// The fields of a plan, each once, in the order of the page.
std::vector<FieldReference> PlanFields();

// What `config explain` prints of a field: type, meaning, default, places, the fields below.
// The field is a path as --set or an error message has it ("runs.student.training.steps",
// "runs[1].training.steps"), or the end of one ("training.steps", "steps"); empty: the plan.
// INVALID_ARGUMENT: there is none, with the nearest name, or there are several, with all.
absl::StatusOr<std::string> ExplainField(std::string_view field);

// docs/configuration.md.
std::string ConfigurationPage();

}  // namespace distill

#endif  // CLI_PLAN_REFERENCE_PLAN_REFERENCE_H_
