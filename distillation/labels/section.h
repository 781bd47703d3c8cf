// Encoded labels as a Section of an answer (proto/teacher.proto), and back. A section
// comes from another process: nothing in it is believed before it is checked, and memory
// is allocated only once its size is known to follow from the bytes received.
#ifndef DISTILLATION_LABELS_SECTION_H_
#define DISTILLATION_LABELS_SECTION_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string_view>

#include "absl/status/statusor.h"
#include "common/tensor_view/tensor_view.h"
#include "distillation/labels/codec.h"
#include "distillation/labels/label_codec.h"
#include "distillation/labels/sparse_labels.h"
#include "proto/teacher.pb.h"

namespace distill {

// The section of labels [rows, classes] that `codec` encoded and that begin at byte
// `offset` of the answer. INVALID_ARGUMENT or OUT_OF_RANGE when shape, bytes and offset do
// not fit together. One row for each example; a caller with ragged rows adds row_splits.
absl::StatusOr<v1::Section> SectionFor(std::string_view output, const LabelCodec& codec,
                                       int64_t rows, int64_t classes, uint64_t bytes,
                                       std::string_view parameters, uint64_t offset);
absl::StatusOr<v1::Section> SectionFor(std::string_view output, const LabelCodec& codec,
                                       int64_t rows, int64_t classes, const EncodedLabels& encoded,
                                       uint64_t offset);

// The labels of `section` as float32 [rows, classes]. `payload` is the whole answer, all parts
// joined. Where `owner` keeps it alive and nobody writes to it any more, labels that lie in it as
// they are (dense_fp32, at a multiple of 4 bytes) are shared with it, and the whole answer lives
// as long as they; without an owner labels are in memory of their own. UNIMPLEMENTED for a codec
// that is unknown or not dense; DATA_LOSS, with the output's name, for everything that does not
// fit: ask another teacher. Valid row_splits (0 first, not falling, rows last) are left to the
// caller to apply.
absl::StatusOr<TensorView> DecodeSection(const v1::Section& section,
                                         std::span<const std::byte> payload,
                                         const std::shared_ptr<const void>& owner = nullptr);

// The same for a hidden codec: hidden states, float32 [rows, features].
absl::StatusOr<TensorView> DecodeHiddenSection(const v1::Section& section,
                                               std::span<const std::byte> payload,
                                               const std::shared_ptr<const void>& owner = nullptr);

// The same for a sparse codec. INVALID_ARGUMENT where `context` is not what it needs.
absl::StatusOr<SparseLabels> DecodeSparseSection(const v1::Section& section,
                                                 std::span<const std::byte> payload,
                                                 const RowContext& context);

}  // namespace distill

#endif  // DISTILLATION_LABELS_SECTION_H_
