#include "student_worker/worker/answer_check.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <memory>
#include <span>
#include <variant>

#include "absl/strings/str_cat.h"
#include "common/status/error_id.h"
#include "common/tensor_view/tensor_view.h"
#include "distillation/labels/sparse_labels.h"
#include "distillation/labels/validity.h"

namespace distill {
namespace {

// What a log-sum-exp of equal numbers may be off by, and far below what any model gives.
constexpr double kNoise = 1e-9;

// top_k is exact where it names all classes, and otherwise keeps small differences as
// dense_fp16 does.
bool IsFloats(std::string_view codec) {
  return codec == "dense_fp32" || codec == "dense_fp16" || codec == "dense_bf16" ||
         codec.starts_with("top_k");
}

// Of scores a constant row is at its maximum in all of the head, and flat in the tail.
absl::Status CheckVariedScores(const SparseLabels& labels) {
  const auto width = static_cast<size_t>(labels.width);
  const auto nodes = static_cast<size_t>(labels.tail_nodes);
  if (!labels.weights.empty() || nodes == 0) return absl::OkStatus();
  const double flat = std::log(static_cast<double>(labels.classes - labels.width)) - kNoise;
  for (size_t row = 0; row < static_cast<size_t>(labels.rows); ++row) {
    const auto head = std::span(labels.values).subspan(row * width, width);
    const auto tail = std::span(labels.tail).subspan(row * nodes, nodes);
    if (std::ranges::all_of(head, [](float value) { return value == 0; }) &&
        std::ranges::all_of(tail, [flat](double sum) { return sum >= flat; })) {
      return WithErrorId(
          absl::DataLossError(absl::StrCat("label row ", row, " is constant: all ", labels.classes,
                                           " classes are ", labels.shift[row],
                                           "; check that the teacher is trained and loaded whole")),
          ErrorId::kTeacherConstant);
    }
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status CheckAnswer(const SoftLabels& labels, std::string_view codec) {
  if (!IsFloats(codec)) return absl::OkStatus();
  if (const auto* const dense = std::get_if<TensorView>(&labels)) {
    return WithErrorId(CheckVariedRows(dense->as<float>(), dense->dims[1]),
                       ErrorId::kTeacherConstant);
  }
  return CheckVariedScores(*std::get<std::shared_ptr<const SparseLabels>>(labels));
}

}  // namespace distill
