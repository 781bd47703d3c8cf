// TorchScript modules made from source text, as files, for tests.
#ifndef DISTILLATION_MODELS_SCRIPT_MODULES_H_
#define DISTILLATION_MODELS_SCRIPT_MODULES_H_

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <map>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "common/files/file_system.h"
#include "common/tensor_view/tensor_view.h"

namespace distill {

// A module that computes what the architecture "mlp" does with these tensors, by the same names.
// Its forward takes `x` and returns the expression `result` of `logits`.
std::string MlpScript(const std::map<std::string, TensorView>& tensors,
                      std::string_view result = "logits");

// A 3x3 convolution to three channels with batch normalisation, as torch.nn has it, and a linear
// layer. Reads [n, 1, h, w].
std::string ConvNetScript(int64_t classes, uint64_t seed);

// By name. Each is saved as it is: type, strides and requires_grad, and what shares memory still
// does when it is loaded.
struct ScriptTensors {
  std::map<std::string, at::Tensor> parameters = {};
  std::map<std::string, at::Tensor> buffers = {};
  // Neither: what a module keeps for itself.
  std::map<std::string, at::Tensor> attributes = {};
};

// A module whose forward is this body, of `self` and `x`.
std::string ScriptOf(std::string_view body, const ScriptTensors& tensors = {});

// Writes files of a model directory, and its manifest.
absl::Status WriteModelDirectory(FileSystem& files, const std::string& folder,
                                 const std::map<std::string, std::string>& programs);

}  // namespace distill

#endif  // DISTILLATION_MODELS_SCRIPT_MODULES_H_
