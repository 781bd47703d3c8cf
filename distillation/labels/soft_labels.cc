#include "distillation/labels/soft_labels.h"

#include <utility>
#include <vector>

#include "absl/base/internal/raw_logging.h"
#include "absl/strings/str_cat.h"
#include "common/status/status_macros.h"
#include "distillation/labels/codec.h"
#include "distillation/labels/scatter_rows.h"
#include "distillation/labels/section.h"

namespace distill {
namespace {

using SparsePointer = std::shared_ptr<const SparseLabels>;

absl::StatusOr<SoftLabels> JoinDense(std::span<const SoftLabelsPart> parts) {
  std::vector<int64_t> dims = std::get<TensorView>(parts[0].labels).dims;
  dims[0] = 0;
  for (const SoftLabelsPart& part : parts) {
    const TensorView& view = std::get<TensorView>(part.labels);
    if (view.dims.size() != dims.size() || view.dims[1] != dims[1]) {
      return absl::InvalidArgumentError("labels of different shapes do not join");
    }
    dims[0] += view.dims[0];
  }
  std::vector<float> values(static_cast<size_t>(dims[0] * dims[1]));
  for (const SoftLabelsPart& part : parts) {
    ScatterRows(std::get<TensorView>(part.labels).as<float>(), part.places,
                static_cast<size_t>(dims[0]), values);
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
                                            std::span<const std::byte> payload,
                                            const std::shared_ptr<const void>& owner) {
  // Of a name that is unknown the other says what is wrong, with the output's name.
  const auto codec = FindCodec(section.codec());
  if (!codec.ok() || (*codec)->layout() == LabelLayout::kDense) {
    return DecodeSection(section, payload, owner);
  }
  ASSIGN_OR_RETURN(SparseLabels labels, DecodeSparseSection(section, payload, RowContext()));
  if (labels.width == labels.classes && labels.weights.empty()) {
    return MakeTensorView(ElementType::kFloat32, {labels.rows, labels.classes},
                          std::move(labels.values));
  }
  return std::make_shared<const SparseLabels>(std::move(labels));
}

absl::StatusOr<SoftLabels> JoinSoftLabels(std::span<const SoftLabelsPart> parts) {
  ABSL_RAW_CHECK(!parts.empty(), "no labels to join");
  for (const SoftLabelsPart& part : parts) {
    ABSL_RAW_CHECK(part.places.size() == static_cast<size_t>(RowsOf(part.labels)),
                   "not a place for each row");
    if (part.labels.index() == parts[0].labels.index()) continue;
    return absl::InvalidArgumentError("dense and sparse labels do not join");
  }
  if (std::holds_alternative<TensorView>(parts[0].labels)) return JoinDense(parts);
  std::vector<SparsePart> sparse;
  for (const SoftLabelsPart& part : parts) {
    sparse.push_back({std::get<SparsePointer>(part.labels).get(), part.places});
  }
  ASSIGN_OR_RETURN(SparseLabels joined, JoinSparseRows(sparse));
  return std::make_shared<const SparseLabels>(std::move(joined));
}

}  // namespace distill
