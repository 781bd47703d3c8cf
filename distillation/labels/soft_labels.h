// Decoded soft labels of one output, whichever kind of codec they came in.
#ifndef DISTILLATION_LABELS_SOFT_LABELS_H_
#define DISTILLATION_LABELS_SOFT_LABELS_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <variant>

#include "absl/status/statusor.h"
#include "common/tensor_view/tensor_view.h"
#include "distillation/labels/label_head.h"
#include "distillation/labels/sparse_labels.h"
#include "proto/teacher.pb.h"

namespace distill {

// A value for each class, float32 [rows, classes]; a few classes of each row, never null; or what
// the teacher's head makes logits of. Cheap to copy: the numbers are shared and no longer change.
using SoftLabels = std::variant<TensorView, std::shared_ptr<const SparseLabels>, HiddenLabels>;

int64_t RowsOf(const SoftLabels& labels);
int64_t ClassesOf(const SoftLabels& labels);

// What `section` holds of `payload` (section.h), by a codec that needs no context. Sparse labels
// that name all classes come out dense: they hold the logits themselves, and every loss takes
// those. `owner` as of DecodeSection. `head` is that of hidden labels, which without one are
// FAILED_PRECONDITION, and DATA_LOSS where they are of other features. Otherwise errors as of
// DecodeSection.
absl::StatusOr<SoftLabels> DecodeSoftLabels(const v1::Section& section,
                                            std::span<const std::byte> payload,
                                            const std::shared_ptr<const LabelHead>& head = nullptr,
                                            const std::shared_ptr<const void>& owner = nullptr);

// Row i is row places[i] of the whole.
struct SoftLabelsPart {
  SoftLabels labels;
  std::span<const int32_t> places;
};

// The whole of at least one part, which together name each of its rows once.
// INVALID_ARGUMENT unless all are of one kind and shape, hidden ones of one head.
absl::StatusOr<SoftLabels> JoinSoftLabels(std::span<const SoftLabelsPart> parts);

}  // namespace distill

#endif  // DISTILLATION_LABELS_SOFT_LABELS_H_
