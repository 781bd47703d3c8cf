// Tensors between rooms without LibTorch: bytes with a type and a shape.
#ifndef COMMON_TENSOR_VIEW_TENSOR_VIEW_H_
#define COMMON_TENSOR_VIEW_TENSOR_VIEW_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace distill {

enum class ElementType { kFloat32, kFloat16, kBFloat16, kFloat64, kUInt8, kInt32, kInt64 };

// Bytes of one element.
size_t ElementBytes(ElementType type);
// "float32", as in messages to people.
const char* ElementTypeName(ElementType type);

// A dense row-major array that shares ownership of its memory. Copying it copies
// no elements. Thread-compatible; the bytes are read-only for every holder.
struct TensorView {
  ElementType type = ElementType::kFloat32;
  std::vector<int64_t> dims;
  std::span<const std::byte> bytes;
  // Keeps `bytes` alive; null where somebody else does.
  std::shared_ptr<const void> owner;
  // -1: host memory; otherwise the index of an accelerator.
  int device = -1;

  int64_t elements() const;
  // The elements as T, which must have ElementBytes(type) bytes: crashes otherwise.
  template <typename T>
  std::span<const T> as() const;
};

// Elements of a shape. INVALID_ARGUMENT for a negative dimension,
// OUT_OF_RANGE when elements * element_bytes exceeds 2^63 - 1.
absl::StatusOr<int64_t> CheckedElements(std::span<const int64_t> dims, size_t element_bytes);

// A view over a vector that it takes over. Crashes unless the shape has as many
// elements as the vector and T the size of an element.
template <typename T>
TensorView MakeTensorView(ElementType type, std::vector<int64_t> dims, std::vector<T> values);

// Implementation below.

void CheckElementSize(size_t expected, size_t actual);
void CheckFillsShape(const TensorView& view);

template <typename T>
std::span<const T> TensorView::as() const {
  CheckElementSize(ElementBytes(type), sizeof(T));
  return {reinterpret_cast<const T*>(bytes.data()), bytes.size() / sizeof(T)};
}

template <typename T>
TensorView MakeTensorView(ElementType type, std::vector<int64_t> dims, std::vector<T> values) {
  CheckElementSize(ElementBytes(type), sizeof(T));
  auto owner = std::make_shared<const std::vector<T>>(std::move(values));
  TensorView view;
  view.type = type;
  view.dims = std::move(dims);
  view.bytes = std::as_bytes(std::span<const T>(*owner));
  view.owner = owner;
  CheckFillsShape(view);
  return view;
}

}  // namespace distill

#endif  // COMMON_TENSOR_VIEW_TENSOR_VIEW_H_
