#include "common/tensor_view/tensor_view.h"

#include "absl/base/internal/raw_logging.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"

namespace distill {

size_t ElementBytes(ElementType type) {
  switch (type) {
    case ElementType::kFloat32:
    case ElementType::kInt32:
      return 4;
    case ElementType::kFloat16:
    case ElementType::kBFloat16:
      return 2;
    case ElementType::kFloat64:
    case ElementType::kInt64:
      return 8;
    case ElementType::kUInt8:
      return 1;
  }
  ABSL_RAW_LOG(FATAL, "not an ElementType: %d", static_cast<int>(type));
  return 0;
}

const char* ElementTypeName(ElementType type) {
  switch (type) {
    case ElementType::kFloat32:
      return "float32";
    case ElementType::kFloat16:
      return "float16";
    case ElementType::kBFloat16:
      return "bfloat16";
    case ElementType::kFloat64:
      return "float64";
    case ElementType::kUInt8:
      return "uint8";
    case ElementType::kInt32:
      return "int32";
    case ElementType::kInt64:
      return "int64";
  }
  ABSL_RAW_LOG(FATAL, "not an ElementType: %d", static_cast<int>(type));
  return "";
}

int64_t TensorView::elements() const {
  const absl::StatusOr<int64_t> count = CheckedElements(dims, ElementBytes(type));
  ABSL_RAW_CHECK(count.ok(), "a TensorView holds an impossible shape");
  return *count;
}

absl::StatusOr<int64_t> CheckedElements(std::span<const int64_t> dims, size_t element_bytes) {
  bool empty = false;
  for (const int64_t dim : dims) {
    if (dim < 0) {
      return absl::InvalidArgumentError(absl::StrCat(
          "shape [", absl::StrJoin(dims, ", "), "] has a negative dimension: sizes start at 0"));
    }
    empty = empty || dim == 0;
  }
  // An empty tensor is in range however large its other dimensions are.
  if (empty) return 0;
  int64_t elements = 1;
  int64_t bytes = 0;
  bool overflow = false;
  for (const int64_t dim : dims) {
    overflow = overflow || __builtin_mul_overflow(elements, dim, &elements);
  }
  overflow = overflow || __builtin_mul_overflow(elements, element_bytes, &bytes);
  if (overflow) {
    return absl::OutOfRangeError(absl::StrCat("shape [", absl::StrJoin(dims, ", "), "] of ",
                                              element_bytes,
                                              "-byte elements needs more than 2^63 - 1 bytes"));
  }
  return elements;
}

void CheckElementSize(size_t expected, size_t actual) {
  ABSL_RAW_CHECK(expected == actual, "elements read as a C++ type of another size");
}

void CheckFillsShape(const TensorView& view) {
  const size_t needed = static_cast<size_t>(view.elements()) * ElementBytes(view.type);
  ABSL_RAW_CHECK(needed == view.bytes.size(), "the values do not fill the shape");
}

}  // namespace distill
