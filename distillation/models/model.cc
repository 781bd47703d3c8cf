#include "distillation/models/model.h"

#include <ATen/CPUGeneratorImpl.h>
#include <ATen/core/Tensor.h>
#include <ATen/core/grad_mode.h>
#include <ATen/ops/batch_norm.h>
#include <ATen/ops/conv2d.h>
#include <ATen/ops/linear.h>
#include <ATen/ops/relu.h>
#include <ATen/ops/zeros.h>

#include <cmath>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/status/annotate.h"
#include "common/status/status_macros.h"
#include "distillation/models/tensor_bridge.h"
#include "distillation/models/torch_status.h"

namespace distill {

struct Model::State {
  ModelPlan plan;
  // By the names of plan.tensors.
  std::map<std::string, at::Tensor> tensors;
  bool training = true;

  at::Tensor Find(const std::string& name) const {
    const auto it = tensors.find(name);
    return it == tensors.end() ? at::Tensor() : it->second;
  }
};

namespace {

void Initialise(const ModelPlan& plan, uint64_t seed, std::map<std::string, at::Tensor>& tensors) {
  at::NoGradGuard no_grad;
  at::Generator generator = at::make_generator<at::CPUGeneratorImpl>(seed);
  for (const LayerSpec& layer : plan.layers) {
    const bool convolution = layer.kind == LayerSpec::Kind::kConvolution;
    const double bound = 1.0 / std::sqrt(static_cast<double>(layer.inputs * (convolution ? 9 : 1)));
    tensors.at(layer.name + ".weight").uniform_(-bound, bound, generator);
    if (layer.bias) tensors.at(layer.name + ".bias").uniform_(-bound, bound, generator);
    if (layer.norm.empty()) continue;
    tensors.at(layer.norm + ".weight").fill_(1);
    tensors.at(layer.norm + ".running_var").fill_(1);
  }
}

bool RowsMatch(const at::Tensor& examples, const std::vector<int64_t>& input_dims) {
  if (examples.dim() < 2 || examples.scalar_type() != at::kFloat) return false;
  int64_t wanted = 1;
  for (int64_t dim : input_dims) wanted *= dim;
  int64_t given = 1;
  for (int64_t i = 1; i < examples.dim(); ++i) given *= examples.size(i);
  return given == wanted;
}

absl::Status CheckTensor(const TensorSpec& spec, const TensorView& view) {
  if (view.type != ElementType::kFloat32) {
    return absl::InvalidArgumentError(
        absl::StrCat("tensor ", spec.name, " is ", ElementTypeName(view.type), ", not float32"));
  }
  if (view.dims != spec.dims) {
    return absl::InvalidArgumentError(
        absl::StrCat("tensor ", spec.name, " has shape [", absl::StrJoin(view.dims, ","),
                     "], but the model's is [", absl::StrJoin(spec.dims, ","), "]"));
  }
  return absl::OkStatus();
}

}  // namespace

Model::Model(std::unique_ptr<State> state) : state_(std::move(state)) {}
Model::~Model() = default;

absl::StatusOr<std::unique_ptr<Model>> Model::Create(const v1::ModelConfig& config,
                                                     std::span<const int64_t> example_dims,
                                                     int64_t classes, uint64_t seed) {
  auto state = std::make_unique<State>();
  ASSIGN_OR_RETURN(state->plan, PlanModel(config, example_dims, classes));
  RETURN_IF_ERROR(CallTorch("creating a model", [&] {
    for (const TensorSpec& spec : state->plan.tensors) {
      at::Tensor tensor = at::zeros(spec.dims, at::kFloat);
      if (spec.trained) tensor.set_requires_grad(true);
      state->tensors.emplace(spec.name, std::move(tensor));
    }
    Initialise(state->plan, seed, state->tensors);
  }));
  return std::unique_ptr<Model>(new Model(std::move(state)));
}

const ModelPlan& Model::plan() const { return state_->plan; }

void Model::SetTraining(bool training) { state_->training = training; }

bool Model::training() const { return state_->training; }

absl::StatusOr<at::Tensor> Model::Forward(const at::Tensor& examples) {
  ASSIGN_OR_RETURN(const at::Tensor hidden, Hidden(examples));
  return Head(hidden);
}

absl::StatusOr<at::Tensor> Model::Head(const at::Tensor& hidden) {
  const State& s = *state_;
  const std::string& name = s.plan.layers.back().name;
  at::Tensor logits;
  RETURN_IF_ERROR(CallTorch("forward pass", [&] {
    at::AutoGradMode grad(s.training && at::GradMode::is_enabled());
    logits = at::linear(hidden, s.tensors.at(name + ".weight"), s.Find(name + ".bias"));
  }));
  return logits;
}

absl::StatusOr<at::Tensor> Model::Hidden(const at::Tensor& examples) {
  const State& s = *state_;
  if (!RowsMatch(examples, s.plan.input_dims)) {
    return absl::InvalidArgumentError(absl::StrCat(
        "examples are ", c10::toString(examples.scalar_type()), " [",
        absl::StrJoin(examples.sizes().vec(), ","), "], but the model reads float32 [n,",
        absl::StrJoin(s.plan.input_dims, ","), "]"));
  }
  at::Tensor x;
  RETURN_IF_ERROR(CallTorch("forward pass", [&] {
    at::AutoGradMode grad(s.training && at::GradMode::is_enabled());
    std::vector<int64_t> dims = {examples.size(0)};
    dims.insert(dims.end(), s.plan.input_dims.begin(), s.plan.input_dims.end());
    x = examples.reshape(dims);
    for (const LayerSpec& layer : s.plan.layers) {
      if (layer.kind == LayerSpec::Kind::kLinear && x.dim() == 4) {
        x = s.plan.global_average_pool ? x.mean({2, 3}) : x.flatten(1);
      }
      if (&layer == &s.plan.layers.back()) break;
      const at::Tensor weight = s.tensors.at(layer.name + ".weight");
      const at::Tensor bias = s.Find(layer.name + ".bias");
      if (layer.kind == LayerSpec::Kind::kConvolution) {
        x = at::conv2d(x, weight, bias, layer.stride, /*padding=*/1);
      } else {
        x = at::linear(x, weight, bias);
      }
      if (!layer.norm.empty()) {
        x = at::batch_norm(x, s.Find(layer.norm + ".weight"), s.Find(layer.norm + ".bias"),
                           s.Find(layer.norm + ".running_mean"),
                           s.Find(layer.norm + ".running_var"), s.training, kBatchNormMomentum,
                           kBatchNormEpsilon, /*cudnn_enabled=*/true);
      }
      if (layer.relu) x = at::relu(x);
    }
  }));
  return x;
}

std::vector<at::Tensor> Model::Parameters() const {
  std::vector<at::Tensor> parameters;
  for (const TensorSpec& spec : state_->plan.tensors) {
    if (spec.trained) parameters.push_back(state_->tensors.at(spec.name));
  }
  return parameters;
}

std::vector<at::Tensor> Model::Buffers() const {
  std::vector<at::Tensor> buffers;
  for (const TensorSpec& spec : state_->plan.tensors) {
    if (!spec.trained) buffers.push_back(state_->tensors.at(spec.name));
  }
  return buffers;
}

absl::StatusOr<std::map<std::string, TensorView>> Model::Tensors() const {
  std::map<std::string, TensorView> views;
  for (const auto& [name, tensor] : state_->tensors) {
    ASSIGN_OR_RETURN(views[name], CopyToView(tensor));
  }
  return views;
}

absl::Status Model::SetTensors(const std::map<std::string, TensorView>& tensors) {
  std::vector<std::pair<at::Tensor, at::Tensor>> copies;
  for (const TensorSpec& spec : state_->plan.tensors) {
    const auto it = tensors.find(spec.name);
    if (it == tensors.end()) {
      return absl::InvalidArgumentError(absl::StrCat("tensor ", spec.name, " is missing"));
    }
    RETURN_IF_ERROR(CheckTensor(spec, it->second));
    absl::StatusOr<at::Tensor> values = CopyToTensor(it->second);
    if (!values.ok()) return Annotate(values.status(), spec.name);
    copies.emplace_back(state_->tensors.at(spec.name), *std::move(values));
  }
  for (const auto& [name, view] : tensors) {
    if (!state_->tensors.contains(name)) {
      return absl::InvalidArgumentError(
          absl::StrCat("tensor ", name, " is no tensor of this model"));
    }
  }
  return CallTorch("setting a model's tensors", [&] {
    at::NoGradGuard no_grad;
    for (auto& [tensor, values] : copies) tensor.copy_(values);
  });
}

absl::Status Model::MoveTo(int index) {
  return CallTorch("moving a model", [&] {
    at::NoGradGuard no_grad;
    const at::Device device = index < 0
                                  ? at::Device(at::kCPU)
                                  : at::Device(at::kCUDA, static_cast<at::DeviceIndex>(index));
    for (auto& [name, tensor] : state_->tensors) tensor.set_data(tensor.detach().to(device));
  });
}

}  // namespace distill
