#include "distillation/objectives/objective.h"

#include <ATen/TensorOperators.h>
#include <ATen/core/grad_mode.h>

#include <set>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "common/status/annotate.h"
#include "common/status/status_macros.h"
#include "distillation/models/torch_status.h"
#include "distillation/objectives/terms.h"

namespace distill {
namespace {

// A new kind of term is a row in InfoOf and one in TermSum.
absl::StatusOr<TermInfo> InfoOf(const v1::TermConfig& config) {
  TermInfo info;
  info.name = config.name();
  switch (config.kind_case()) {
    case v1::TermConfig::kHardCrossEntropy:
      info.count = TermInfo::Count::kLabelledExamples;
      info.weight = v1::TermConfig::HARD_WEIGHT;
      break;
    case v1::TermConfig::kSoftKl:
      info.weight = v1::TermConfig::SOFT_WEIGHT;
      info.teacher = config.soft_kl().teacher();
      info.output = config.soft_kl().output();
      break;
    case v1::TermConfig::kLogitMse:
      info.weight = v1::TermConfig::SOFT_WEIGHT;
      info.teacher = config.logit_mse().teacher();
      info.output = config.logit_mse().output();
      break;
    default:
      return absl::InvalidArgumentError(
          "it has no kind; give one of hard_cross_entropy, soft_kl, logit_mse");
  }
  if (config.weight() != v1::TermConfig::WEIGHT_SCHEDULE_UNSPECIFIED) info.weight = config.weight();
  const bool soft = config.kind_case() != v1::TermConfig::kHardCrossEntropy;
  if (soft && (info.teacher.empty() || info.output.empty())) {
    return absl::InvalidArgumentError("it needs a teacher's role and the name of an output");
  }
  return info;
}

absl::StatusOr<at::Tensor> TermSum(const v1::TermConfig& config, const TermInfo& info,
                                   const at::Tensor& student, const ObjectiveInputs& inputs) {
  if (config.kind_case() == v1::TermConfig::kHardCrossEntropy) {
    if (!inputs.labels.defined()) return absl::InvalidArgumentError("the batch has no labels");
    return HardCrossEntropySum(student, inputs.labels);
  }
  if (const auto it = inputs.sparse_targets.find({info.teacher, info.output});
      it != inputs.sparse_targets.end()) {
    if (config.has_soft_kl()) return SparseSoftKlSum(student, it->second);
    return absl::InvalidArgumentError(
        "it needs the teacher's logits of all classes, and the labels name a few; take a dense "
        "codec, or soft_kl");
  }
  const auto it = inputs.teacher_logits.find({info.teacher, info.output});
  if (it == inputs.teacher_logits.end()) {
    return absl::InvalidArgumentError(absl::StrCat("the batch has no output \"", info.output,
                                                   "\" of teacher \"", info.teacher, "\""));
  }
  if (config.kind_case() == v1::TermConfig::kSoftKl) {
    return SoftKlSum(student, it->second, inputs.temperature);
  }
  return LogitMseSum(student, it->second, config.logit_mse().reduction());
}

absl::StatusOr<at::Tensor> TermValue(const v1::TermConfig& config, const TermInfo& info,
                                     const at::Tensor& student, const ObjectiveInputs& inputs,
                                     double weight) {
  const bool labelled = info.count == TermInfo::Count::kLabelledExamples;
  const int64_t count = labelled ? inputs.global_labelled : inputs.global_examples;
  // Times 0, the gradient of an infinite value would be NaN.
  at::AutoGradMode grad(weight != 0 && at::GradMode::is_enabled());
  ASSIGN_OR_RETURN(at::Tensor sum, TermSum(config, info, student, inputs));
  if (labelled && count == 0) return sum * 0;
  return sum / static_cast<double>(count);
}

absl::Status CheckCounts(const at::Tensor& student, const ObjectiveInputs& inputs) {
  if (student.dim() >= 1 && inputs.global_examples >= 1 &&
      inputs.global_examples >= student.size(0) && inputs.global_labelled >= 0 &&
      inputs.global_labelled <= inputs.global_examples) {
    return absl::OkStatus();
  }
  return absl::InvalidArgumentError(absl::StrCat(
      "a global batch of ", inputs.global_examples, " examples with ", inputs.global_labelled,
      " labels does not fit this rank's ", student.dim() >= 1 ? student.size(0) : 0, " rows"));
}

}  // namespace

absl::StatusOr<Objective> Objective::Create(
    const google::protobuf::RepeatedPtrField<v1::TermConfig>& terms) {
  if (terms.empty()) return absl::InvalidArgumentError("the objective has no terms");
  Objective objective;
  std::set<std::string> names;
  for (const v1::TermConfig& config : terms) {
    if (config.name().empty()) {
      return absl::InvalidArgumentError("a term of the objective has no name");
    }
    if (!names.insert(config.name()).second) {
      return absl::InvalidArgumentError(
          absl::StrCat("two terms of the objective are named \"", config.name(), "\""));
    }
    absl::StatusOr<TermInfo> info = InfoOf(config);
    if (!info.ok()) return Annotate(info.status(), absl::StrCat("term \"", config.name(), "\""));
    objective.configs_.push_back(config);
    objective.infos_.push_back(*std::move(info));
  }
  return objective;
}

absl::StatusOr<ObjectiveValue> Objective::Evaluate(const at::Tensor& student_logits,
                                                   const ObjectiveInputs& inputs,
                                                   std::span<const double> weights) const {
  if (weights.size() != infos_.size()) {
    return absl::InvalidArgumentError(
        absl::StrCat(weights.size(), " weights for ", infos_.size(), " terms"));
  }
  RETURN_IF_ERROR(CheckCounts(student_logits, inputs));
  ObjectiveValue value;
  absl::Status status;
  RETURN_IF_ERROR(CallTorch("objective", [&] {
    // A sum of no elements: 0, and attached to the student when all weights are 0.
    value.loss = student_logits.narrow(0, 0, 0).sum();
    for (size_t i = 0; i < infos_.size() && status.ok(); ++i) {
      absl::StatusOr<at::Tensor> term =
          TermValue(configs_[i], infos_[i], student_logits, inputs, weights[i]);
      if (!term.ok()) {
        status = Annotate(term.status(), absl::StrCat("term \"", infos_[i].name, "\""));
        break;
      }
      value.terms.push_back(term->item<double>());
      if (weights[i] != 0) value.loss = value.loss + *term * weights[i];
    }
  }));
  RETURN_IF_ERROR(status);
  return value;
}

}  // namespace distill
