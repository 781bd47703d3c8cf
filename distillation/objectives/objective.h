// A run's loss: the weighted sum of the named terms of its configuration.
#ifndef DISTILLATION_OBJECTIVES_OBJECTIVE_H_
#define DISTILLATION_OBJECTIVES_OBJECTIVE_H_

#include <ATen/core/Tensor.h>
#include <google/protobuf/repeated_field.h>

#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "distillation/objectives/sparse_terms.h"
#include "proto/run_config.pb.h"

namespace distill {

// A term's place among schedules and teachers.
struct TermInfo {
  // What a term's sum over the global batch is divided by.
  enum class Count { kLabelledExamples, kExamples };
  std::string name;
  Count count = Count::kExamples;
  // Never WEIGHT_SCHEDULE_UNSPECIFIED.
  v1::TermConfig::WeightSchedule weight = v1::TermConfig::HARD_WEIGHT;
  // Empty for a term without a teacher.
  std::string teacher;
  std::string output;
};

// One rank's share of a global batch.
struct ObjectiveInputs {
  // int64 [n]; -1 for a row without a label.
  at::Tensor labels;
  // Logits [n, classes] by (teacher role, output).
  std::map<std::pair<std::string, std::string>, at::Tensor> teacher_logits;
  // The same of teachers whose labels name a few classes, at `temperature`.
  std::map<std::pair<std::string, std::string>, SparseTarget> sparse_targets;
  // Of all ranks together.
  int64_t global_examples = 0;
  int64_t global_labelled = 0;
  double temperature = 1;
};

// One rank's share: over all ranks, losses and term values SUM to those of the
// global batch.
struct ObjectiveValue {
  // One element, to call backward on.
  at::Tensor loss;
  // Not yet weighted, in the order of Objective::terms().
  std::vector<double> terms;
};

// Immutable, hence thread-safe.
class Objective {
 public:
  // INVALID_ARGUMENT for no terms, a term without a kind or a name, two of one
  // name, or a soft term without a teacher and output.
  static absl::StatusOr<Objective> Create(
      const google::protobuf::RepeatedPtrField<v1::TermConfig>& terms);

  const std::vector<TermInfo>& terms() const { return infos_; }

  // `weights`, one for each term, come from the schedules. A term of weight 0 is
  // reported but has no part in the loss. A global batch without labels makes hard
  // terms 0. INVALID_ARGUMENT for inputs that do not fit, among them logits of a
  // teacher that are missing, and sparse labels for a term that needs all logits.
  absl::StatusOr<ObjectiveValue> Evaluate(const at::Tensor& student_logits,
                                          const ObjectiveInputs& inputs,
                                          std::span<const double> weights) const;

 private:
  std::vector<v1::TermConfig> configs_;
  std::vector<TermInfo> infos_;
};

}  // namespace distill

#endif  // DISTILLATION_OBJECTIVES_OBJECTIVE_H_
