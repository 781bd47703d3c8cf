#include "distillation/models/tensor_bridge.h"

#include <ATen/core/Tensor.h>
#include <ATen/ops/empty.h>

#include <cstring>
#include <memory>

#include "absl/strings/str_cat.h"
#include "common/status/status_macros.h"
#include "distillation/models/torch_status.h"

namespace distill {
namespace {

at::ScalarType ScalarTypeOf(ElementType type) {
  switch (type) {
    case ElementType::kFloat32:
      return at::kFloat;
    case ElementType::kFloat16:
      return at::kHalf;
    case ElementType::kBFloat16:
      return at::kBFloat16;
    case ElementType::kFloat64:
      return at::kDouble;
    case ElementType::kUInt8:
      return at::kByte;
    case ElementType::kInt32:
      return at::kInt;
    case ElementType::kInt64:
      return at::kLong;
  }
  return at::kFloat;
}

}  // namespace

absl::StatusOr<ElementType> ElementTypeOf(const at::Tensor& tensor) {
  const at::ScalarType type = tensor.scalar_type();
  for (ElementType candidate :
       {ElementType::kFloat32, ElementType::kFloat16, ElementType::kBFloat16, ElementType::kFloat64,
        ElementType::kUInt8, ElementType::kInt32, ElementType::kInt64}) {
    if (ScalarTypeOf(candidate) == type) return candidate;
  }
  return absl::InvalidArgumentError(
      absl::StrCat("no element type for LibTorch's ", c10::toString(type)));
}

absl::StatusOr<TensorView> CopyToView(const at::Tensor& tensor) {
  TensorView view;
  ASSIGN_OR_RETURN(view.type, ElementTypeOf(tensor));
  RETURN_IF_ERROR(CallTorch("copying a tensor to host memory", [&] {
    auto copy = std::make_shared<at::Tensor>(
        tensor.detach().to(at::kCPU, /*non_blocking=*/false, /*copy=*/true).contiguous());
    view.dims = copy->sizes().vec();
    view.bytes = {static_cast<const std::byte*>(copy->const_data_ptr()), copy->nbytes()};
    view.owner = copy;
  }));
  return view;
}

absl::StatusOr<at::Tensor> CopyToTensor(const TensorView& view) {
  if (view.device >= 0) {
    return absl::InvalidArgumentError(
        absl::StrCat("the view lies on accelerator ", view.device, "; copy it to the host first"));
  }
  ASSIGN_OR_RETURN(const int64_t elements, CheckedElements(view.dims, ElementBytes(view.type)));
  if (static_cast<size_t>(elements) * ElementBytes(view.type) != view.bytes.size()) {
    return absl::InvalidArgumentError(absl::StrCat("a view of ", elements, " elements of ",
                                                   ElementTypeName(view.type), " has ",
                                                   view.bytes.size(), " bytes"));
  }
  at::Tensor tensor;
  RETURN_IF_ERROR(CallTorch("copying a view to a tensor", [&] {
    tensor = at::empty(view.dims, ScalarTypeOf(view.type));
    if (!view.bytes.empty()) {
      std::memcpy(tensor.mutable_data_ptr(), view.bytes.data(), view.bytes.size());
    }
  }));
  return tensor;
}

}  // namespace distill
