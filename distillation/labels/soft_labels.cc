#include "distillation/labels/soft_labels.h"

#include <utility>
#include <vector>

#include "absl/base/internal/raw_logging.h"
#include "absl/strings/str_cat.h"
#include "common/status/status_macros.h"
#include "distillation/labels/codec.h"
#include "distillation/labels/section.h"

namespace distill {
namespace {

using SparsePointer = std::shared_ptr<const SparseLabels>;

absl::StatusOr<SoftLabels> JoinDense(std::span<const SoftLabels> parts) {
  const TensorView& first = std::get<TensorView>(parts[0]);
  std::vector<int64_t> dims = first.dims;
  dims[0] = 0;
  for (const SoftLabels& part : parts) {
    const TensorView& view = std::get<TensorView>(part);
    if (view.dims.size() != dims.size() || view.dims[1] != dims[1]) {
      return absl::InvalidArgumentError("labels of different shapes do not join");
    }
    dims[0] += view.dims[0];
  }
  std::vector<float> values;
  values.reserve(static_cast<size_t>(dims[0] * dims[1]));
  for (const SoftLabels& part : parts) {
    const std::span<const float> its = std::get<TensorView>(part).as<float>();
    values.insert(values.end(), its.begin(), its.end());
  }
  return MakeTensorView(ElementType::kFloat32, dims, std::move(values));
}

}  // namespace

int64_t RowsOf(const SoftLabels& labels) {
  const auto* const dense = std::get_if<TensorView>(&labels);
  return dense != nullptr ? dense->dims[0] : std::get<SparsePointer>(labels)->rows;
}

int64_t ClassesOf(const SoftLabels& labels) {
  const auto* const dense = std::get_if<TensorView>(&labels);
  return dense != nullptr ? dense->dims[1] : std::get<SparsePointer>(labels)->classes;
}

absl::StatusOr<SoftLabels> DecodeSoftLabels(const v1::Section& section,
                                            std::span<const std::byte> payload) {
  // Of a name that is unknown the other says what is wrong, with the output's name.
  const auto codec = FindCodec(section.codec());
  if (!codec.ok() || (*codec)->layout() == LabelLayout::kDense) {
    return DecodeSection(section, payload);
  }
  ASSIGN_OR_RETURN(SparseLabels labels, DecodeSparseSection(section, payload, RowContext()));
  if (labels.width == labels.classes && labels.weights.empty()) {
    return MakeTensorView(ElementType::kFloat32, {labels.rows, labels.classes},
                          std::move(labels.values));
  }
  return std::make_shared<const SparseLabels>(std::move(labels));
}

absl::StatusOr<SoftLabels> JoinSoftLabels(std::span<const SoftLabels> parts) {
  ABSL_RAW_CHECK(!parts.empty(), "no labels to join");
  if (parts.size() == 1) return parts[0];
  for (const SoftLabels& part : parts) {
    if (part.index() == parts[0].index()) continue;
    return absl::InvalidArgumentError("dense and sparse labels do not join");
  }
  if (std::holds_alternative<TensorView>(parts[0])) return JoinDense(parts);
  std::vector<const SparseLabels*> sparse;
  for (const SoftLabels& part : parts) sparse.push_back(std::get<SparsePointer>(part).get());
  ASSIGN_OR_RETURN(SparseLabels joined, JoinSparseRows(sparse));
  return std::make_shared<const SparseLabels>(std::move(joined));
}

}  // namespace distill
