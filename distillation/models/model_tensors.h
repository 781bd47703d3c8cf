// What every kind of Model does with its tensors and with the examples it is given.
#ifndef DISTILLATION_MODELS_MODEL_TENSORS_H_
#define DISTILLATION_MODELS_MODEL_TENSORS_H_

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "common/tensor_view/tensor_view.h"

namespace at {
class Tensor;
}

namespace distill {

// INVALID_ARGUMENT unless `examples` is float32 [n, ...], each with as many values as `input_dims`.
absl::Status CheckExamples(const at::Tensor& examples, const std::vector<int64_t>& input_dims);

// Copies, by name.
absl::StatusOr<std::map<std::string, TensorView>> CopyToViews(
    const std::map<std::string, at::Tensor>& tensors);

// Copies the values into `tensors`, of which there must be exactly the same. INVALID_ARGUMENT, and
// nothing changed, when a name is missing or unknown, or a shape or element type differs.
absl::Status CopyFromViews(const std::map<std::string, TensorView>& views,
                           const std::map<std::string, at::Tensor>& tensors);

}  // namespace distill

#endif  // DISTILLATION_MODELS_MODEL_TENSORS_H_
