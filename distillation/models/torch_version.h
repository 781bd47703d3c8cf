// Which LibTorch this program was built with.
#ifndef DISTILLATION_MODELS_TORCH_VERSION_H_
#define DISTILLATION_MODELS_TORCH_VERSION_H_

#include <string>

namespace distill {

// "2.11.0".
std::string TorchVersion();

}  // namespace distill

#endif  // DISTILLATION_MODELS_TORCH_VERSION_H_
