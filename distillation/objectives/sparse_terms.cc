#include "distillation/objectives/sparse_terms.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/empty.h>

#include <algorithm>
#include <limits>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/status/status_macros.h"
#include "distillation/models/torch_status.h"
#include "distillation/objectives/terms.h"

namespace distill {
namespace {

template <typename To, typename From>
at::Tensor Matrix(const std::vector<From>& values, int64_t rows, int64_t columns,
                  at::ScalarType type) {
  at::Tensor tensor = at::empty({rows, columns}, type);
  std::transform(values.begin(), values.end(), tensor.data_ptr<To>(),
                 [](From value) { return static_cast<To>(value); });
  return tensor;
}

// Over the head and, where there are any, all others together. The others' sum is taken over
// them alone: one less the head's would keep no digits of a small tail.
at::Tensor HeadAndTail(const at::Tensor& log_q, const at::Tensor& ids) {
  if (ids.size(1) == log_q.size(1)) return log_q.gather(1, ids);
  const at::Tensor others = log_q.scatter(1, ids, -std::numeric_limits<double>::infinity());
  return at::cat({log_q.gather(1, ids), others.logsumexp(1, /*keepdim=*/true)}, 1);
}

}  // namespace

absl::StatusOr<SparseTarget> SparseTargetAt(const SparseLabels& labels, double temperature) {
  SparseTarget target;
  target.temperature = temperature;
  target.classes = labels.classes;
  std::vector<double> scores;
  if (labels.weights.empty()) {
    ASSIGN_OR_RETURN(scores, HeadAndTailScores(labels, temperature));
  } else if (temperature != 1) {
    return absl::OutOfRangeError(
        absl::StrCat("labels drawn from a teacher's distribution at temperature 1 are used at ",
                     temperature, "; take the codec top_k, or set schedules.temperature to 1"));
  }
  RETURN_IF_ERROR(CallTorch("sparse labels", [&] {
    target.ids = Matrix<int64_t>(labels.ids, labels.rows, labels.width, at::kLong);
    if (labels.weights.empty()) {
      target.scores = Matrix<float>(scores, labels.rows, labels.width + 1, at::kFloat);
    } else {
      target.weights = Matrix<float>(labels.weights, labels.rows, labels.width, at::kFloat);
    }
  }));
  return target;
}

absl::StatusOr<at::Tensor> SparseSoftKlSum(const at::Tensor& student, const SparseTarget& target) {
  if (student.dim() != 2 || student.size(0) != target.ids.size(0) ||
      student.size(1) != target.classes) {
    return absl::InvalidArgumentError(absl::StrCat(
        "student logits are [", absl::StrJoin(student.sizes().vec(), ","),
        "], but the teacher's labels are of [", target.ids.size(0), ",", target.classes, "]"));
  }
  ASSIGN_OR_RETURN(const at::Tensor log_q, TemperedLogProbabilities(student, target.temperature));
  at::Tensor sum;
  RETURN_IF_ERROR(CallTorch("sparse soft divergence", [&] {
    if (target.weights.defined()) {
      sum = -(log_q.gather(1, target.ids) * target.weights).sum();
    } else {
      const at::Tensor head_and_tail = HeadAndTail(log_q, target.ids);
      // Without the tail where it has no class.
      const at::Tensor log_p =
          target.scores.narrow(1, 0, head_and_tail.size(1)).to(log_q.scalar_type()).log_softmax(1);
      sum = KlSummands(log_p, head_and_tail).sum() * (target.temperature * target.temperature);
    }
  }));
  return sum;
}

}  // namespace distill
