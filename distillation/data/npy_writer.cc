#include "distillation/data/npy_writer.h"

#include <bit>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "common/status/status_macros.h"

namespace distill {
namespace {

static_assert(std::endian::native == std::endian::little, "elements are little-endian");

constexpr std::string_view kMagic("\x93NUMPY\x01\x00", 8);
// NumPy pads the header so that the elements begin at a multiple of it.
constexpr size_t kAlignment = 64;

absl::StatusOr<std::string> Description(ElementType type) {
  switch (type) {
    case ElementType::kFloat32:
      return "<f4";
    case ElementType::kFloat16:
      return "<f2";
    case ElementType::kFloat64:
      return "<f8";
    case ElementType::kUInt8:
      return "|u1";
    case ElementType::kInt32:
      return "<i4";
    case ElementType::kInt64:
      return "<i8";
    case ElementType::kBFloat16:
      break;
  }
  return absl::InvalidArgumentError(
      absl::StrCat("NumPy has no ", ElementTypeName(type), "; convert to float32 first"));
}

}  // namespace

absl::StatusOr<std::string> NpyBytes(const TensorView& tensor) {
  if (tensor.device != -1) {
    return absl::InvalidArgumentError("the tensor lies on an accelerator; copy it to the host");
  }
  ASSIGN_OR_RETURN(const std::string description, Description(tensor.type));
  std::string shape;
  for (const int64_t dim : tensor.dims) absl::StrAppend(&shape, dim, ", ");
  std::string header = absl::StrCat("{'descr': '", description,
                                    "', 'fortran_order': False, 'shape': (", shape, "), }");
  const size_t begin = kMagic.size() + sizeof(uint16_t);
  header.append((kAlignment - (begin + header.size() + 1) % kAlignment) % kAlignment, ' ');
  header += '\n';
  std::string bytes(kMagic);
  bytes += static_cast<char>(header.size() & 0xff);
  bytes += static_cast<char>(header.size() >> 8);
  bytes += header;
  bytes.append(reinterpret_cast<const char*>(tensor.bytes.data()), tensor.bytes.size());
  return bytes;
}

}  // namespace distill
