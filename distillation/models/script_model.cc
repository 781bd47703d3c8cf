#include "distillation/models/script_model.h"

#include <ATen/core/Tensor.h>
#include <ATen/core/grad_mode.h>
#include <ATen/core/ivalue.h>
#include <torch/csrc/jit/api/module.h>
#include <torch/csrc/jit/runtime/graph_executor.h>
#include <torch/csrc/jit/serialization/import.h>

#include <sstream>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/status/status_macros.h"
#include "distillation/models/program_model.h"
#include "distillation/models/torch_status.h"

namespace distill {
namespace {

class ScriptModel final : public ProgramModel {
 public:
  ScriptModel(v1::ModelConfig config, std::span<const int64_t> example_dims, int64_t classes,
              torch::jit::Module module)
      : ProgramModel(std::move(config), example_dims, classes), module_(std::move(module)) {
    SetTraining(true);
  }

  absl::Status NoteTensors() {
    absl::Status status;  // The first that does not fit.
    RETURN_IF_ERROR(CallTorch(Name(), [&] {
      for (const auto& parameter : module_.named_parameters()) {
        status.Update(AddParameter(parameter.name, parameter.value));
      }
      for (const auto& buffer : module_.named_buffers()) {
        status.Update(AddBuffer(buffer.name, buffer.value));
      }
    }));
    return status;
  }

  void SetTraining(bool training) override {
    training_ = training;
    module_.train(training);
  }
  bool training() const override { return training_; }

  absl::StatusOr<std::string> Serialized() const override {
    std::ostringstream out;
    RETURN_IF_ERROR(CallTorch(Name(), [&] { module_.save(out); }));
    return std::move(out).str();
  }

  absl::Status MoveTo(int index) override {
    return CallTorch("moving a model", [&] {
      module_.to(index < 0 ? at::Device(at::kCPU)
                           : at::Device(at::kCUDA, static_cast<at::DeviceIndex>(index)));
    });
  }

 private:
  absl::StatusOr<std::vector<at::Tensor>> Run(const at::Tensor& x) override {
    c10::IValue output;
    RETURN_IF_ERROR(CallTorch(Name(), [&] {
      // Not InferenceMode: what a module keeps of an evaluation, as a mask that it makes in its
      // first pass, could not be used in a step.
      const at::AutoGradMode grad(training_ && at::GradMode::is_enabled());
      const torch::jit::GraphOptimizerEnabledGuard as_written(false);
      output = module_.forward({x});
    }));
    absl::Status status;
    std::vector<at::Tensor> outputs;
    RETURN_IF_ERROR(CallTorch(Name(), [&] { status = Unpack(output, outputs); }));
    RETURN_IF_ERROR(status);
    return InOrder(std::move(outputs));
  }

  absl::Status Unpack(const c10::IValue& output, std::vector<at::Tensor>& outputs) const {
    if (output.isTensor()) {
      outputs = {output.toTensor()};
      return absl::OkStatus();
    }
    if (output.isTuple()) {
      for (const c10::IValue& element : output.toTupleRef().elements()) {
        if (!element.isTensor()) return NotTensors(output);
        outputs.push_back(element.toTensor());
      }
      return absl::OkStatus();
    }
    if (!output.isGenericDict()) return NotTensors(output);
    const auto dict = output.toGenericDict();
    for (const std::string& name : OutputNames()) {
      const auto it = dict.find(c10::IValue(name));
      if (it == dict.end()) {
        std::vector<std::string> keys;
        for (const auto& entry : dict) {
          if (entry.key().isString()) keys.push_back(entry.key().toStringRef());
        }
        return absl::FailedPreconditionError(absl::StrCat(Name(), " gives no output '", name,
                                                          "'; it gives ", absl::StrJoin(keys, ", "),
                                                          ": name those that are used in outputs"));
      }
      if (!it->value().isTensor()) return NotTensors(output);
      outputs.push_back(it->value().toTensor());
    }
    return absl::OkStatus();
  }

  absl::Status NotTensors(const c10::IValue& output) const {
    return absl::FailedPreconditionError(absl::StrCat(
        Name(), " gives a ", output.tagKind(),
        "; its forward must return a Tensor, a tuple of them, or a Dict[str, Tensor]"));
  }

  torch::jit::Module module_;
  bool training_ = true;
};

}  // namespace

absl::StatusOr<std::unique_ptr<Model>> LoadScriptModel(const v1::ModelConfig& config,
                                                       std::span<const int64_t> example_dims,
                                                       int64_t classes, Program program) {
  v1::ModelConfig loaded = config;
  loaded.mutable_torch_script()->set_sha256(program.sha256);
  torch::jit::Module module;
  std::istringstream in(std::move(program.bytes));
  const absl::Status read = CallTorch(
      absl::StrCat("model file ", config.torch_script().file()),
      [&] { module = torch::jit::load(in, c10::Device(at::kCPU), /*load_debug_files=*/false); });
  RETURN_IF_ERROR(BlameFile(read, absl::StatusCode::kInvalidArgument,
                            "torch_script takes what torch.jit.save wrote, not a "
                            "state_dict: docs/models.md says how to script a module"));
  auto model =
      std::make_unique<ScriptModel>(std::move(loaded), example_dims, classes, std::move(module));
  RETURN_IF_ERROR(model->NoteTensors());
  RETURN_IF_ERROR(model->ShakeHands());
  return model;
}

}  // namespace distill
