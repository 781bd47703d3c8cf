#include "distillation/labels/label_codec.h"

#include <array>

#include "absl/strings/str_cat.h"
#include "common/status/status_macros.h"
#include "distillation/labels/validity.h"

namespace distill {

absl::Status LabelCodec::Decode(int64_t, int64_t, std::string_view, std::span<const std::byte>,
                                std::span<float>) const {
  return absl::UnimplementedError(
      absl::StrCat(std::string(name()), " labels are sparse: they have no value for each class"));
}

absl::StatusOr<const float*> LabelCodec::DecodeInPlace(int64_t, int64_t, std::string_view,
                                                       std::span<const std::byte>) const {
  return nullptr;
}

absl::StatusOr<SparseLabels> LabelCodec::DecodeSparse(int64_t, int64_t, std::string_view,
                                                      std::span<const std::byte>,
                                                      const RowContext&) const {
  return absl::UnimplementedError(
      absl::StrCat(std::string(name()), " labels are dense: they name no classes"));
}

absl::StatusOr<int64_t> CheckedLabelShape(int64_t rows, int64_t classes) {
  if (rows < 0 || classes < 1) {
    return absl::InvalidArgumentError(absl::StrCat("labels of shape [", rows, ", ", classes,
                                                   "]: rows must be >= 0 and classes >= 1"));
  }
  const std::array<int64_t, 2> dims = {rows, classes};
  // Eight bytes an element: room for one float32 in each row beside the values.
  return CheckedElements(dims, 8);
}

absl::Status CheckLabelsToEncode(const TensorView& labels) {
  if (labels.type != ElementType::kFloat32 || labels.dims.size() != 2 || labels.device != -1) {
    return absl::InvalidArgumentError(
        absl::StrCat("labels to encode must be float32 [rows, classes] in host memory, not ",
                     ElementTypeName(labels.type), " with ", labels.dims.size(),
                     " dimensions on device ", labels.device));
  }
  ASSIGN_OR_RETURN(const int64_t elements, CheckedLabelShape(labels.dims[0], labels.dims[1]));
  if (labels.bytes.size() != static_cast<size_t>(elements) * sizeof(float)) {
    return absl::InvalidArgumentError(absl::StrCat("labels to encode have ", labels.bytes.size(),
                                                   " bytes, their shape says ",
                                                   elements * sizeof(float)));
  }
  return CheckFiniteRows(labels.as<float>(), labels.dims[1]);
}

absl::Status CheckEncodedSizes(const LabelCodec& codec, int64_t rows, int64_t classes,
                               std::string_view parameters, size_t wanted_parameters,
                               std::span<const std::byte> bytes) {
  const auto expected = codec.EncodedBytes(rows, classes);
  if (!expected.ok()) return absl::DataLossError(expected.status().message());
  if (bytes.size() != *expected || parameters.size() != wanted_parameters) {
    return absl::DataLossError(absl::StrCat(std::string(codec.name()), " labels [", rows, ", ",
                                            classes, "] take ", *expected, " bytes and ",
                                            wanted_parameters, " bytes of parameters; found ",
                                            bytes.size(), " and ", parameters.size()));
  }
  return absl::OkStatus();
}

}  // namespace distill
