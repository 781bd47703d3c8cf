#include "distillation/models/program_model.h"

#include <ATen/core/Tensor.h>
#include <ATen/core/grad_mode.h>
#include <ATen/ops/zeros.h>

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/status/annotate.h"
#include "common/status/status_macros.h"
#include "distillation/models/model_file.h"
#include "distillation/models/model_tensors.h"
#include "distillation/models/torch_status.h"

namespace distill {

ProgramModel::ProgramModel(v1::ModelConfig config, std::span<const int64_t> example_dims,
                           int64_t classes)
    : config_(std::move(config)), names_(file().outputs().begin(), file().outputs().end()) {
  plan_.classes = classes;
  plan_.input_dims.assign(file().example_dims().begin(), file().example_dims().end());
  if (plan_.input_dims.empty()) plan_.input_dims.assign(example_dims.begin(), example_dims.end());
  for (const int64_t dim : example_dims) example_values_ *= dim;
}

const v1::ModelFile& ProgramModel::file() const { return ProgramFile(config_); }

std::string ProgramModel::Name() const { return absl::StrCat("model file ", file().file()); }

void ProgramModel::AddParameter(const std::string& name, const at::Tensor& tensor) {
  const bool trained = tensor.requires_grad();
  plan_.tensors.push_back({name, tensor.sizes().vec(), trained});
  tensors_.emplace(name, tensor);
  plan_.parameters += tensor.numel();
  if (trained) parameters_.push_back(tensor);
}

void ProgramModel::AddBuffer(const std::string& name, const at::Tensor& tensor) {
  plan_.tensors.push_back({name, tensor.sizes().vec(), /*trained=*/false});
  tensors_.emplace(name, tensor);
  if (tensor.scalar_type() == at::kFloat) buffers_.push_back(tensor);
}

absl::StatusOr<std::map<std::string, TensorView>> ProgramModel::Tensors() const {
  return CopyToViews(tensors_);
}

absl::Status ProgramModel::SetTensors(const std::map<std::string, TensorView>& tensors) {
  return CopyFromViews(tensors, tensors_);
}

absl::StatusOr<at::Tensor> ProgramModel::Forward(const at::Tensor& examples) {
  ASSIGN_OR_RETURN(std::vector<at::Tensor> outputs, Outputs(examples, {names_[0]}));
  return std::move(outputs[0]);
}

absl::StatusOr<std::vector<at::Tensor>> ProgramModel::Outputs(
    const at::Tensor& examples, const std::vector<std::string>& names) {
  RETURN_IF_ERROR(CheckExamples(examples, plan_.input_dims));
  at::Tensor x;
  RETURN_IF_ERROR(CallTorch(Name(), [&] {
    std::vector<int64_t> dims = {examples.size(0)};
    dims.insert(dims.end(), plan_.input_dims.begin(), plan_.input_dims.end());
    // A program may write to what it is given.
    x = examples.reshape(dims).clone();
  }));
  ASSIGN_OR_RETURN(const std::vector<at::Tensor> all, Run(x));
  std::vector<at::Tensor> outputs;
  for (const std::string& name : names) {
    const auto it = std::ranges::find(names_, name);
    if (it == names_.end()) {
      return absl::InvalidArgumentError(absl::StrCat(Name(), " has no output '", name, "'; it has ",
                                                     absl::StrJoin(names_, ", ")));
    }
    outputs.push_back(all[static_cast<size_t>(it - names_.begin())]);
    RETURN_IF_ERROR(CheckOutput(name, outputs.back(), examples.size(0)));
  }
  return outputs;
}

absl::StatusOr<std::vector<at::Tensor>> ProgramModel::InOrder(
    std::vector<at::Tensor> outputs) const {
  if (outputs.size() == names_.size()) return outputs;
  return absl::FailedPreconditionError(absl::StrCat(
      Name(), " gives ", outputs.size(), " outputs, but ", names_.size(), " are declared (",
      absl::StrJoin(names_, ", "), "); name all of them, in order, in outputs"));
}

absl::Status ProgramModel::CheckOutput(const std::string& name, const at::Tensor& output,
                                       int64_t rows) const {
  if (output.defined() && output.scalar_type() == at::kFloat && output.dim() == 2 &&
      output.size(0) == rows && output.size(1) == plan_.classes) {
    return absl::OkStatus();
  }
  return absl::FailedPreconditionError(absl::StrCat(
      Name(), ": its output '", name, "' is ",
      output.defined() ? absl::StrCat(c10::toString(output.scalar_type()), " [",
                                      absl::StrJoin(output.sizes().vec(), ","), "]")
                       : "undefined",
      " for ", rows, " examples, but must be Float [", rows, ",", plan_.classes,
      "]; it must give one row for each example and one column for each of the classes of the "
      "data set, and its batch dimension must be dynamic"));
}

absl::Status ProgramModel::ShakeHands() {
  int64_t values = 1;
  for (const int64_t dim : plan_.input_dims) values *= dim;
  if (values != example_values_) {
    return absl::InvalidArgumentError(
        absl::StrCat(Name(), ": example_dims [", absl::StrJoin(plan_.input_dims, ","), "] are ",
                     values, " values, but an example of the data set has ", example_values_));
  }
  const bool former = training();
  SetTraining(false);
  absl::Status status;
  for (const int64_t rows : {3, 1}) {
    std::vector<int64_t> dims = {rows};
    dims.insert(dims.end(), plan_.input_dims.begin(), plan_.input_dims.end());
    at::Tensor examples;
    status = CallTorch(Name(), [&] { examples = at::zeros(dims, at::kFloat); });
    if (status.ok()) status = Outputs(examples, names_).status();
    // What a program throws is about its shapes, more likely than not.
    if (absl::IsInternal(status)) {
      status = absl::FailedPreconditionError(
          absl::StrCat(status.message(), "; it was given ", rows, " examples, float32 [",
                       absl::StrJoin(dims, ","), "]: correct example_dims, or the program"));
    }
    if (!status.ok()) break;
  }
  SetTraining(former);
  return status;
}

}  // namespace distill
