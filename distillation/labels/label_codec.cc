#include "distillation/labels/label_codec.h"

#include <array>

#include "absl/strings/str_cat.h"
#include "common/status/status_macros.h"
#include "distillation/labels/validity.h"

namespace distill {

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

}  // namespace distill
