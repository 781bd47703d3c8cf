#include "distillation/labels/section.h"

#include <limits>
#include <memory>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/bytes/aligned_bytes.h"
#include "common/status/annotate.h"
#include "common/status/status_macros.h"

namespace distill {
namespace {

absl::Status CheckRowSplits(const v1::Section& section) {
  if (section.row_splits().empty()) return absl::OkStatus();
  const uint64_t rows = static_cast<uint64_t>(section.dims(0));
  uint64_t previous = 0;
  for (int i = 0; i < section.row_splits_size(); ++i) {
    const uint64_t split = section.row_splits(i);
    if (split < previous || (i == 0 && split != 0)) {
      return absl::DataLossError(absl::StrCat("row split ", i, " is ", split, " after ", previous,
                                              "; they must start at 0 and not fall"));
    }
    previous = split;
  }
  if (previous != rows) {
    return absl::DataLossError(
        absl::StrCat("the last row split is ", previous, ", the rows are ", rows));
  }
  return absl::OkStatus();
}

// The codec of a section whose shape, length and place in the payload fit together.
absl::StatusOr<std::shared_ptr<const LabelCodec>> CheckedCodec(const v1::Section& section,
                                                               size_t payload_bytes) {
  ASSIGN_OR_RETURN(std::shared_ptr<const LabelCodec> codec, FindCodec(section.codec()));
  if (section.dtype() != v1::FLOAT32 || section.dims_size() != 2) {
    return absl::DataLossError(absl::StrCat("labels must be float32 [rows, classes], not dtype ",
                                            static_cast<int>(section.dtype()), " with ",
                                            section.dims_size(), " dimensions"));
  }
  const auto expected = codec->EncodedBytes(section.dims(0), section.dims(1));
  if (!expected.ok()) return absl::DataLossError(expected.status().message());
  if (section.length() != *expected) {
    return absl::DataLossError(absl::StrCat("length is ", section.length(), " bytes, but [",
                                            section.dims(0), ", ", section.dims(1), "] in ",
                                            section.codec(), " takes ", *expected));
  }
  // Subtracted rather than added: offset + length may pass 2^64.
  if (section.offset() > payload_bytes || section.length() > payload_bytes - section.offset()) {
    return absl::DataLossError(absl::StrCat("bytes [", section.offset(), ", +", section.length(),
                                            ") reach beyond the answer of ", payload_bytes,
                                            " bytes"));
  }
  RETURN_IF_ERROR(CheckRowSplits(section));
  return codec;
}

absl::StatusOr<TensorView> Decode(const v1::Section& section, std::span<const std::byte> payload,
                                  const std::shared_ptr<const void>& owner, LabelLayout layout) {
  ASSIGN_OR_RETURN(const auto codec, CheckedCodec(section, payload.size()));
  const int64_t rows = section.dims(0);
  const int64_t classes = section.dims(1);
  // Of a sparse codec the bytes received say nothing about rows * classes.
  if (codec->layout() != layout) {
    return absl::UnimplementedError(absl::StrCat(
        section.codec(), layout == LabelLayout::kDense ? " labels have no value for each class"
                                                       : " labels are not hidden states"));
  }
  const size_t count = static_cast<size_t>(rows * classes);
  const auto bytes = payload.subspan(section.offset(), section.length());
  if (owner != nullptr) {
    ASSIGN_OR_RETURN(const float* const in_place,
                     codec->DecodeInPlace(rows, classes, section.parameters(), bytes));
    if (in_place != nullptr) {
      return TensorView{
          ElementType::kFloat32, {rows, classes}, std::as_bytes(std::span(in_place, count)), owner};
    }
  }
  // Not cleared, since Decode writes them all; aligned, since a store across two cache lines is
  // two.
  const auto memory = std::make_shared<AlignedBytes>(count * sizeof(float));
  const std::span<float> values(reinterpret_cast<float*>(memory->data()), count);
  RETURN_IF_ERROR(codec->Decode(rows, classes, section.parameters(), bytes, values));
  return TensorView{ElementType::kFloat32, {rows, classes}, std::as_bytes(values), memory};
}

absl::StatusOr<SparseLabels> DecodeSparse(const v1::Section& section,
                                          std::span<const std::byte> payload,
                                          const RowContext& context) {
  ASSIGN_OR_RETURN(const auto codec, CheckedCodec(section, payload.size()));
  return codec->DecodeSparse(section.dims(0), section.dims(1), section.parameters(),
                             payload.subspan(section.offset(), section.length()), context);
}

// With the output's name where it failed.
template <typename T>
absl::StatusOr<T> Named(const v1::Section& section, absl::StatusOr<T> labels) {
  if (labels.ok()) return labels;
  return Annotate(labels.status(), absl::StrCat("section '", section.output(), "'"));
}

}  // namespace

absl::StatusOr<v1::Section> SectionFor(std::string_view output, const LabelCodec& codec,
                                       int64_t rows, int64_t classes, uint64_t bytes,
                                       std::string_view parameters, uint64_t offset) {
  ASSIGN_OR_RETURN(const uint64_t expected, codec.EncodedBytes(rows, classes));
  if (bytes != expected) {
    return absl::InvalidArgumentError(
        absl::StrCat("section '", std::string(output), "': ", bytes, " bytes were encoded, [", rows,
                     ", ", classes, "] in ", std::string(codec.name()), " takes ", expected));
  }
  if (offset > std::numeric_limits<uint64_t>::max() - expected) {
    return absl::OutOfRangeError(absl::StrCat("section '", std::string(output), "': offset ",
                                              offset, " leaves no room for ", expected, " bytes"));
  }
  v1::Section section;
  section.set_output(std::string(output));
  section.set_codec(std::string(codec.name()));
  section.set_parameters(std::string(parameters));
  section.set_dtype(v1::FLOAT32);
  section.add_dims(rows);
  section.add_dims(classes);
  section.set_offset(offset);
  section.set_length(expected);
  return section;
}

absl::StatusOr<v1::Section> SectionFor(std::string_view output, const LabelCodec& codec,
                                       int64_t rows, int64_t classes, const EncodedLabels& encoded,
                                       uint64_t offset) {
  return SectionFor(output, codec, rows, classes, encoded.bytes.size(), encoded.parameters, offset);
}

absl::StatusOr<TensorView> DecodeSection(const v1::Section& section,
                                         std::span<const std::byte> payload,
                                         const std::shared_ptr<const void>& owner) {
  return Named(section, Decode(section, payload, owner, LabelLayout::kDense));
}

absl::StatusOr<TensorView> DecodeHiddenSection(const v1::Section& section,
                                               std::span<const std::byte> payload,
                                               const std::shared_ptr<const void>& owner) {
  return Named(section, Decode(section, payload, owner, LabelLayout::kHidden));
}

absl::StatusOr<SparseLabels> DecodeSparseSection(const v1::Section& section,
                                                 std::span<const std::byte> payload,
                                                 const RowContext& context) {
  return Named(section, DecodeSparse(section, payload, context));
}

}  // namespace distill
