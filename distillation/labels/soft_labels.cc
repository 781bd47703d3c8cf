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

// Of labels that are not sparse.
const TensorView& ValuesOf(const SoftLabels& labels) {
  const auto* const dense = std::get_if<TensorView>(&labels);
  return dense != nullptr ? *dense : std::get<HiddenLabels>(labels).hidden;
}

absl::StatusOr<TensorView> JoinValues(std::span<const SoftLabelsPart> parts) {
  std::vector<int64_t> dims = ValuesOf(parts[0].labels).dims;
  dims[0] = 0;
  for (const SoftLabelsPart& part : parts) {
    const TensorView& view = ValuesOf(part.labels);
    if (view.dims.size() != dims.size() || view.dims[1] != dims[1]) {
      return absl::InvalidArgumentError("labels of different shapes do not join");
    }
    dims[0] += view.dims[0];
  }
  std::vector<float> values(static_cast<size_t>(dims[0] * dims[1]));
  for (const SoftLabelsPart& part : parts) {
    ScatterRows(ValuesOf(part.labels).as<float>(), part.places, static_cast<size_t>(dims[0]),
                values);
  }
  return MakeTensorView(ElementType::kFloat32, dims, std::move(values));
}

absl::StatusOr<SoftLabels> JoinHidden(std::span<const SoftLabelsPart> parts) {
  HiddenLabels joined;
  joined.head = std::get<HiddenLabels>(parts[0].labels).head;
  for (const SoftLabelsPart& part : parts) {
    if (std::get<HiddenLabels>(part.labels).head == joined.head) continue;
    return absl::InvalidArgumentError("hidden labels of different heads do not join");
  }
  ASSIGN_OR_RETURN(joined.hidden, JoinValues(parts));
  return joined;
}

absl::StatusOr<SoftLabels> DecodeHidden(const v1::Section& section,
                                        std::span<const std::byte> payload,
                                        const std::shared_ptr<const LabelHead>& head,
                                        const std::shared_ptr<const void>& owner) {
  if (head == nullptr) {
    return absl::FailedPreconditionError(absl::StrCat(
        section.codec(), " labels are nothing without the teacher's head; ask for it first"));
  }
  HiddenLabels labels;
  ASSIGN_OR_RETURN(labels.hidden, DecodeHiddenSection(section, payload, owner));
  if (labels.hidden.dims[1] != head->features()) {
    return absl::DataLossError(absl::StrCat("section '", section.output(), "': hidden states of ",
                                            labels.hidden.dims[1], " features, and the head has ",
                                            head->features()));
  }
  labels.head = head;
  return labels;
}

}  // namespace

int64_t RowsOf(const SoftLabels& labels) {
  const auto* const sparse = std::get_if<SparsePointer>(&labels);
  return sparse != nullptr ? (*sparse)->rows : ValuesOf(labels).dims[0];
}

int64_t ClassesOf(const SoftLabels& labels) {
  if (const auto* const hidden = std::get_if<HiddenLabels>(&labels)) return hidden->head->classes();
  const auto* const sparse = std::get_if<SparsePointer>(&labels);
  return sparse != nullptr ? (*sparse)->classes : ValuesOf(labels).dims[1];
}

absl::StatusOr<SoftLabels> DecodeSoftLabels(const v1::Section& section,
                                            std::span<const std::byte> payload,
                                            const std::shared_ptr<const LabelHead>& head,
                                            const std::shared_ptr<const void>& owner) {
  // Of a name that is unknown the other says what is wrong, with the output's name.
  const auto codec = FindCodec(section.codec());
  if (!codec.ok() || (*codec)->layout() == LabelLayout::kDense) {
    return DecodeSection(section, payload, owner);
  }
  if ((*codec)->layout() == LabelLayout::kHidden)
    return DecodeHidden(section, payload, head, owner);
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
    return absl::InvalidArgumentError("dense, sparse and hidden labels do not join");
  }
  if (std::holds_alternative<TensorView>(parts[0].labels)) return JoinValues(parts);
  if (std::holds_alternative<HiddenLabels>(parts[0].labels)) return JoinHidden(parts);
  std::vector<SparsePart> sparse;
  for (const SoftLabelsPart& part : parts) {
    sparse.push_back({std::get<SparsePointer>(part.labels).get(), part.places});
  }
  ASSIGN_OR_RETURN(SparseLabels joined, JoinSparseRows(sparse));
  return std::make_shared<const SparseLabels>(std::move(joined));
}

}  // namespace distill
