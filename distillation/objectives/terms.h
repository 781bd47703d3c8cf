// The terms of a loss as pure functions: each gives the SUM over the rows it is
// given, so that ranks with unequal shares add up to the loss of the whole batch
// once divided by the whole batch's count (objective.h).
//
// Logits are [n, classes] of any floating-point type; the arithmetic and the result,
// a tensor of one element, are float32, or float64 where the student's logits are. Only
// the student's logits receive gradients. All functions are thread-safe and return
// INVALID_ARGUMENT for shapes, labels or temperatures that do not fit.
#ifndef DISTILLATION_OBJECTIVES_TERMS_H_
#define DISTILLATION_OBJECTIVES_TERMS_H_

#include "absl/status/statusor.h"
#include "proto/run_config.pb.h"

namespace at {
class Tensor;
}

namespace distill {

// Label of a row without a class label.
inline constexpr int kNoLabel = -1;

// log softmax(logits / temperature) over classes.
absl::StatusOr<at::Tensor> TemperedLogProbabilities(const at::Tensor& logits, double temperature);

// -log softmax(student)[label], summed over the rows that have a label. `labels`
// is int64 [n], each kNoLabel or a class.
absl::StatusOr<at::Tensor> HardCrossEntropySum(const at::Tensor& student, const at::Tensor& labels);

// T^2 * KL(softmax(teacher / T) || softmax(student / T)); the T^2 keeps gradients of
// one size as T changes (Hinton, Vinyals, Dean, arXiv 1503.02531, section 2).
// A class whose teacher logit is -inf has probability 0 and adds nothing. Infinite
// where the teacher gives a probability to a class whose student logit is -inf.
absl::StatusOr<at::Tensor> SoftKlSum(const at::Tensor& student, const at::Tensor& teacher,
                                     double temperature);

// The summands of KL(p || q), of the shape of the two: none is below 0, and a class whose log_p
// is -inf adds nothing but its q, so that the sum over classes of distributions is the
// divergence. Calls LibTorch unguarded.
at::Tensor KlSummands(const at::Tensor& log_p, const at::Tensor& log_q);

// Squared differences of raw logits (arXiv 1903.12136): summed over classes
// (CLASS_SUM), or that divided by the number of classes (ELEMENT_MEAN, unspecified).
// A class whose teacher logit is -inf adds nothing.
absl::StatusOr<at::Tensor> LogitMseSum(const at::Tensor& student, const at::Tensor& teacher,
                                       v1::TermConfig::Reduction reduction);

}  // namespace distill

#endif  // DISTILLATION_OBJECTIVES_TERMS_H_
