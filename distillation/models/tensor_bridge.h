// Between TensorView, which every room may use, and LibTorch's tensors.
#ifndef DISTILLATION_MODELS_TENSOR_BRIDGE_H_
#define DISTILLATION_MODELS_TENSOR_BRIDGE_H_

#include "absl/status/statusor.h"
#include "common/tensor_view/tensor_view.h"

namespace at {
class Tensor;
}

namespace distill {

// INVALID_ARGUMENT for an element type that TensorView has no name for.
absl::StatusOr<ElementType> ElementTypeOf(const at::Tensor& tensor);

// A copy of a tensor in host memory that later changes of the tensor do not
// reach. INVALID_ARGUMENT as ElementTypeOf.
absl::StatusOr<TensorView> CopyToView(const at::Tensor& tensor);

// A new host tensor with the view's elements. INVALID_ARGUMENT when the bytes do
// not fill the shape or lie on an accelerator.
absl::StatusOr<at::Tensor> CopyToTensor(const TensorView& view);

}  // namespace distill

#endif  // DISTILLATION_MODELS_TENSOR_BRIDGE_H_
