// The soft divergence against labels that name a few classes of each row. As terms.h: sums
// over the rows, thread-safe, gradients for the student's logits only.
#ifndef DISTILLATION_OBJECTIVES_SPARSE_TERMS_H_
#define DISTILLATION_OBJECTIVES_SPARSE_TERMS_H_

#include <ATen/core/Tensor.h>

#include "absl/status/statusor.h"
#include "distillation/labels/sparse_labels.h"

namespace distill {

// Sparse labels at one temperature, as tensors.
struct SparseTarget {
  double temperature = 1;
  int64_t classes = 0;
  // int64 [n, width].
  at::Tensor ids;
  // Of scores: float32 [n, width + 1], whose softmax is the teacher's distribution over the ids
  // and, last, all other classes together. Undefined for draws.
  at::Tensor scores;
  // Of draws: float32 [n, width], each row a target distribution over its ids. Undefined for
  // scores.
  at::Tensor weights;
};

// OUT_OF_RANGE for a temperature that the labels were not made for; for draws that is any other
// than 1.
absl::StatusOr<SparseTarget> SparseTargetAt(const SparseLabels& labels, double temperature);

// Scores: T^2 * KL over the head's classes and one bucket for all others, of which the student's
// mass is the sum over them. That is the full divergence less the part within the tail,
// p_tail * KL(teacher's tail || student's tail), and its gradient by the logit of a class of the
// head is that of the full one.
//
// Draws: the cross-entropy -sum_i weight_i log q(id_i). Its mean over draws is that of the
// teacher's distribution, hence the divergence plus the teacher's entropy, which no student
// changes; so is its gradient ("Sparse Logit Sampling", arXiv 2503.16870).
//
// INVALID_ARGUMENT for student logits that are not floating-point [n, classes].
absl::StatusOr<at::Tensor> SparseSoftKlSum(const at::Tensor& student, const SparseTarget& target);

}  // namespace distill

#endif  // DISTILLATION_OBJECTIVES_SPARSE_TERMS_H_
