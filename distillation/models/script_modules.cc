#include "distillation/models/script_modules.h"

#include <ATen/CPUGeneratorImpl.h>
#include <ATen/core/Tensor.h>
#include <ATen/core/jit_type.h>
#include <ATen/ops/ones.h>
#include <ATen/ops/zeros.h>
#include <torch/csrc/jit/api/module.h>

#include <sstream>
#include <utility>

#include "absl/base/internal/raw_logging.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "common/status/status_macros.h"
#include "distillation/models/model_directory.h"
#include "distillation/models/tensor_bridge.h"

namespace distill {
namespace {

torch::jit::Module NewModule(const std::string& name) {
  torch::jit::Module module(c10::QualifiedName(absl::StrCat("__torch__.", name)));
  module.register_attribute("training", c10::BoolType::get(), true);
  return module;
}

at::Tensor Trained(at::Tensor values) { return values.set_requires_grad(true); }

std::string Saved(const torch::jit::Module& module) {
  std::ostringstream out;
  module.save(out);
  return std::move(out).str();
}

}  // namespace

std::string MlpScript(const std::map<std::string, TensorView>& tensors, std::string_view result) {
  torch::jit::Module module = NewModule("Mlp");
  std::map<std::string, torch::jit::Module> layers;
  for (const auto& [name, view] : tensors) {
    const std::pair<std::string, std::string> parts = absl::StrSplit(name, '.');
    auto layer = layers.try_emplace(parts.first, NewModule("Layer_" + parts.first)).first;
    auto values = CopyToTensor(view);
    ABSL_RAW_CHECK(values.ok(), "a tensor of the model");
    layer->second.register_parameter(parts.second, Trained(*std::move(values)),
                                     /*is_buffer=*/false);
  }
  std::string body = "def forward(self, x):\n  x = torch.flatten(x, 1)\n";
  // In the order of their names, which is that of the hidden layers; "linear" is the last.
  for (const auto& [name, layer] : layers) {
    module.register_module(name, layer);
    const std::string linear =
        absl::StrCat("torch.linear(x, self.", name, ".weight, self.", name, ".bias)");
    absl::StrAppend(&body, name == "linear" ? "  logits = " : "  x = torch.relu(", linear,
                    name == "linear" ? "\n" : ")\n");
  }
  module.define(absl::StrCat(body, "  return ", std::string(result), "\n"));
  return Saved(module);
}

std::string ConvNetScript(int64_t classes, uint64_t seed) {
  at::Generator generator = at::make_generator<at::CPUGeneratorImpl>(seed);
  const auto random = [&](std::vector<int64_t> dims) {
    return Trained(at::zeros(dims, at::kFloat).uniform_(-0.3, 0.3, generator));
  };
  torch::jit::Module norm = NewModule("Norm");
  norm.register_parameter("weight", Trained(at::ones({3}, at::kFloat)), /*is_buffer=*/false);
  norm.register_parameter("bias", Trained(at::zeros({3}, at::kFloat)), /*is_buffer=*/false);
  norm.register_buffer("running_mean", at::zeros({3}, at::kFloat));
  norm.register_buffer("running_var", at::ones({3}, at::kFloat));
  norm.register_buffer("num_batches_tracked", at::zeros({}, at::kLong));
  norm.define(R"(
def forward(self, x):
  if self.training:
    self.num_batches_tracked.add_(1)
  return torch.batch_norm(x, self.weight, self.bias, self.running_mean, self.running_var,
                          self.training, 0.1, 1e-05, True)
)");
  torch::jit::Module module = NewModule("ConvNet");
  module.register_parameter("conv", random({3, 1, 3, 3}), /*is_buffer=*/false);
  module.register_parameter("weight", random({classes, 3}), /*is_buffer=*/false);
  module.register_module("norm", norm);
  module.define(R"(
def forward(self, x):
  x = torch.conv2d(x, self.conv, None, [1, 1], [1, 1])
  x = torch.relu(self.norm.forward(x))
  return torch.linear(torch.mean(x, [2, 3]), self.weight)
)");
  return Saved(module);
}

std::string ScriptOf(std::string_view body, const ScriptTensors& tensors) {
  torch::jit::Module module = NewModule("Given");
  for (const auto& [name, tensor] : tensors.parameters) {
    module.register_parameter(name, tensor, /*is_buffer=*/false);
  }
  for (const auto& [name, tensor] : tensors.buffers) module.register_buffer(name, tensor);
  for (const auto& [name, tensor] : tensors.attributes) {
    module.register_attribute(name, c10::TensorType::get(), tensor);
  }
  module.define(absl::StrCat("def forward(self, x):\n  ", std::string(body), "\n"));
  return Saved(module);
}

absl::Status WriteModelDirectory(FileSystem& files, const std::string& folder,
                                 const std::map<std::string, std::string>& programs) {
  RETURN_IF_ERROR(files.MakeDirectories(folder));
  for (const auto& [name, bytes] : programs) {
    RETURN_IF_ERROR(files.Write(JoinPath(folder, name), bytes));
  }
  return WriteModelManifest(files, folder).status();
}

}  // namespace distill
