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
#include "distillation/models/tensor_bridge.h"
#include "distillation/models/torch_status.h"

namespace distill {
namespace {

constexpr char kTooMany[] = "too many";
// How far from 1 the float32 sum of a softmax over many classes may be.
constexpr double kSumTolerance = 1e-3;

std::string ValuesOf(const std::vector<int64_t>& dims) {
  const absl::StatusOr<int64_t> values = CheckedElements(dims, sizeof(float));
  return values.ok() ? absl::StrCat(*values) : kTooMany;
}

// What a softmax gives, of any example; logits would be so only by chance.
bool AreProbabilities(const at::Tensor& rows) {
  return rows.ge(0).all().item<bool>() &&
         rows.sum(1).sub(1).abs().le(kSumTolerance).all().item<bool>();
}

}  // namespace

ProgramModel::ProgramModel(v1::ModelConfig config, std::span<const int64_t> example_dims,
                           int64_t classes)
    : config_(std::move(config)),
      names_(file().outputs().begin(), file().outputs().end()),
      example_dims_(example_dims.begin(), example_dims.end()) {
  plan_.classes = classes;
  plan_.input_dims.assign(file().example_dims().begin(), file().example_dims().end());
  if (plan_.input_dims.empty()) plan_.input_dims = example_dims_;
}

const v1::ModelFile& ProgramModel::file() const { return ProgramFile(config_); }

std::string ProgramModel::Name() const { return absl::StrCat("model file ", file().file()); }

absl::Status ProgramModel::CheckDense(const std::string& what, const at::Tensor& tensor) const {
  const bool strided = tensor.layout() == at::kStrided;
  if (strided && (tensor.numel() == 0 || tensor.is_non_overlapping_and_dense())) {
    return absl::OkStatus();
  }
  return absl::FailedPreconditionError(
      absl::StrCat(Name(), ": ", what, " is ", strided ? "a view" : "not dense",
                   ", and cannot be restored as one block of values; make it dense with ",
                   strided ? ".contiguous()" : ".to_dense()", " and script the module again"));
}

absl::Status ProgramModel::AddParameter(const std::string& name, const at::Tensor& tensor) {
  if (tensor.scalar_type() != at::kFloat) {
    return absl::FailedPreconditionError(
        absl::StrCat(Name(), ": parameter ", name, " is ", c10::toString(tensor.scalar_type()),
                     ", not Float; script the module again after module.float()"));
  }
  RETURN_IF_ERROR(CheckDense(absl::StrCat("parameter ", name), tensor));
  const bool trained = tensor.requires_grad();
  plan_.tensors.push_back({name, tensor.sizes().vec(), trained});
  tensors_.emplace(name, tensor);
  plan_.parameters += tensor.numel();
  if (trained) parameters_.push_back(tensor);
  return absl::OkStatus();
}

absl::Status ProgramModel::AddBuffer(const std::string& name, const at::Tensor& tensor) {
  if (!ElementTypeOf(tensor).ok()) {
    return absl::FailedPreconditionError(
        absl::StrCat(Name(), ": buffer ", name, " is ", c10::toString(tensor.scalar_type()),
                     ", which checkpoints and exports do not hold; register it as uint8, int32, "
                     "int64 or float, ",
                     "convert it in forward (self.", name, " != 0), and script the module again"));
  }
  RETURN_IF_ERROR(CheckDense(absl::StrCat("buffer ", name), tensor));
  plan_.tensors.push_back({name, tensor.sizes().vec(), /*trained=*/false});
  tensors_.emplace(name, tensor);
  if (tensor.scalar_type() == at::kFloat) buffers_.push_back(tensor);
  return absl::OkStatus();
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

absl::Status ProgramModel::CheckLogits(const at::Tensor& examples) {
  ASSIGN_OR_RETURN(const std::vector<at::Tensor> outputs, Outputs(examples, names_));
  for (size_t i = 0; i < outputs.size(); ++i) {
    bool probabilities = false;
    RETURN_IF_ERROR(CallTorch(Name(), [&] { probabilities = AreProbabilities(outputs[i]); }));
    if (!probabilities) continue;
    return absl::FailedPreconditionError(absl::StrCat(
        Name(), ": its output '", names_[i],
        "' is probabilities (none below 0, each row's sum 1), ",
        "but must be logits; take the softmax out of forward, or give the logarithm of it"));
  }
  return absl::OkStatus();
}

absl::Status ProgramModel::ShakeHands() {
  const std::string values = ValuesOf(plan_.input_dims);
  const std::string of_data = ValuesOf(example_dims_);
  if (values != of_data || values == kTooMany) {
    return absl::InvalidArgumentError(absl::StrCat(
        Name(), ": example_dims [", absl::StrJoin(plan_.input_dims, ","), "] are ", values,
        " values, but an example of the data set has ", of_data, "; correct example_dims"));
  }
  const bool former = training();
  SetTraining(false);
  absl::Status status;
  for (const int64_t rows : {3, 1}) {
    std::vector<int64_t> dims = {rows};
    dims.insert(dims.end(), plan_.input_dims.begin(), plan_.input_dims.end());
    at::Tensor examples;
    status = CallTorch(Name(), [&] { examples = at::zeros(dims, at::kFloat); });
    if (status.ok()) status = CheckLogits(examples);
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
