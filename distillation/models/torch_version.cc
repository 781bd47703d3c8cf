#include "distillation/models/torch_version.h"

#include <torch/version.h>

namespace distill {

std::string TorchVersion() { return TORCH_VERSION; }

}  // namespace distill
