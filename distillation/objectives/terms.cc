#include "distillation/objectives/terms.h"

#include <ATen/TensorOperators.h>
#include <ATen/core/Tensor.h>
#include <ATen/ops/expm1.h>
#include <ATen/ops/log_softmax.h>
#include <ATen/ops/where.h>
#include <ATen/ops/zeros_like.h>

#include <cmath>
#include <limits>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/status/status_macros.h"
#include "distillation/models/torch_status.h"

namespace distill {
namespace {

constexpr double kMinusInfinity = -std::numeric_limits<double>::infinity();

// Half-precision logits would lose what the well-conditioned forms save.
at::ScalarType Arithmetic(const at::Tensor& student) {
  return student.scalar_type() == at::kDouble ? at::kDouble : at::kFloat;
}

absl::Status CheckLogits(const char* whose, const at::Tensor& logits) {
  if (logits.dim() == 2 && logits.size(1) >= 1 && logits.is_floating_point()) {
    return absl::OkStatus();
  }
  return absl::InvalidArgumentError(absl::StrCat(
      whose, " logits are ", c10::toString(logits.scalar_type()), " [",
      absl::StrJoin(logits.sizes().vec(), ","), "]; a term needs floating-point [n,classes]"));
}

absl::Status CheckPair(const at::Tensor& student, const at::Tensor& teacher) {
  RETURN_IF_ERROR(CheckLogits("student", student));
  RETURN_IF_ERROR(CheckLogits("teacher", teacher));
  if (student.sizes() == teacher.sizes()) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat("student logits are [", absl::StrJoin(student.sizes().vec(), ","),
                   "], but the teacher's are [", absl::StrJoin(teacher.sizes().vec(), ","), "]"));
}

absl::Status CheckTemperature(double temperature) {
  if (std::isfinite(temperature) && temperature > 0) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat("temperature is ", temperature, "; it must be finite and above 0"));
}

absl::Status CheckLabels(const at::Tensor& student, const at::Tensor& labels) {
  if (labels.dim() != 1 || labels.scalar_type() != at::kLong || labels.size(0) != student.size(0)) {
    return absl::InvalidArgumentError(
        absl::StrCat("labels are ", c10::toString(labels.scalar_type()), " [",
                     absl::StrJoin(labels.sizes().vec(), ","), "], but ", student.size(0),
                     " rows of logits need int64 [", student.size(0), "]"));
  }
  if (labels.size(0) == 0) return absl::OkStatus();
  const int64_t lowest = labels.min().item<int64_t>();
  const int64_t highest = labels.max().item<int64_t>();
  if (lowest >= kNoLabel && highest < student.size(1)) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat("labels range from ", lowest, " to ", highest,
                                                 "; they must be -1 or below ", student.size(1)));
}

}  // namespace

absl::StatusOr<at::Tensor> TemperedLogProbabilities(const at::Tensor& logits, double temperature) {
  RETURN_IF_ERROR(CheckLogits("the", logits));
  RETURN_IF_ERROR(CheckTemperature(temperature));
  at::Tensor result;
  RETURN_IF_ERROR(CallTorch("log-softmax", [&] {
    result = at::log_softmax(logits.to(Arithmetic(logits)) / temperature, /*dim=*/1);
  }));
  return result;
}

absl::StatusOr<at::Tensor> HardCrossEntropySum(const at::Tensor& student,
                                               const at::Tensor& labels) {
  RETURN_IF_ERROR(CheckLogits("student", student));
  RETURN_IF_ERROR(CheckLabels(student, labels));
  at::Tensor sum;
  RETURN_IF_ERROR(CallTorch("hard cross-entropy", [&] {
    const at::Tensor log_q = at::log_softmax(student.to(Arithmetic(student)), /*dim=*/1);
    const at::Tensor chosen = log_q.gather(1, labels.clamp_min(0).unsqueeze(1)).squeeze(1);
    sum = -at::where(labels != kNoLabel, chosen, at::zeros_like(chosen)).sum();
  }));
  return sum;
}

absl::StatusOr<at::Tensor> SoftKlSum(const at::Tensor& student, const at::Tensor& teacher,
                                     double temperature) {
  RETURN_IF_ERROR(CheckPair(student, teacher));
  RETURN_IF_ERROR(CheckTemperature(temperature));
  at::Tensor sum;
  RETURN_IF_ERROR(CallTorch("soft divergence", [&] {
    const at::ScalarType type = Arithmetic(student);
    const at::Tensor log_p = at::log_softmax(teacher.detach().to(type) / temperature, /*dim=*/1);
    const at::Tensor log_q = at::log_softmax(student.to(type) / temperature, /*dim=*/1);
    sum = KlSummands(log_p, log_q).sum() * (temperature * temperature);
  }));
  return sum;
}

// The summands of KL(p || q), whose sum over classes is the divergence. With
// d = log p - log q, and since the p and the q each sum to 1,
//   sum p d = sum p (d + expm1(-d)) = sum (p d + q - p),
// where every summand is at least 0: no cancellation between classes, so the sum
// cannot turn negative near agreement. The first form is exact for small d; the
// second does not overflow where q is far above p, and is q where p is 0.
at::Tensor KlSummands(const at::Tensor& log_p, const at::Tensor& log_q) {
  const at::Tensor masked = log_p == kMinusInfinity;
  const at::Tensor zero = at::zeros_like(log_p);
  const at::Tensor p = log_p.exp();
  const at::Tensor q = log_q.exp();
  // Both operands are made finite before they meet: 0 * inf in a branch not
  // taken would still turn the gradient into NaN.
  const at::Tensor d = at::where(masked, zero, log_p) - at::where(masked, zero, log_q);
  const at::Tensor near = d > -1;
  const at::Tensor near_d = at::where(near, d, zero);
  const at::Tensor near_form = p * (near_d + at::expm1(-near_d));
  const at::Tensor far_form = p * at::where(near, zero, d) + q - p;
  return at::where(near.logical_and(masked.logical_not()), near_form, far_form);
}

absl::StatusOr<at::Tensor> LogitMseSum(const at::Tensor& student, const at::Tensor& teacher,
                                       v1::TermConfig::Reduction reduction) {
  RETURN_IF_ERROR(CheckPair(student, teacher));
  at::Tensor sum;
  RETURN_IF_ERROR(CallTorch("logit difference", [&] {
    const at::ScalarType type = Arithmetic(student);
    const at::Tensor target = teacher.detach().to(type);
    const at::Tensor masked = target == kMinusInfinity;
    const at::Tensor zero = at::zeros_like(target);
    const at::Tensor difference =
        at::where(masked, zero, student.to(type)) - at::where(masked, zero, target);
    sum = difference.square().sum();
    if (reduction != v1::TermConfig::CLASS_SUM) sum = sum / student.size(1);
  }));
  return sum;
}

}  // namespace distill
