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
#include "common/status/status_macros.h"
#include "distillation/models/model_tensors.h"
#include "distillation/models/torch_status.h"

namespace distill {

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

class BuiltInModel final : public Model {
 public:
  BuiltInModel(v1::ModelConfig config, ModelPlan plan, std::map<std::string, at::Tensor> tensors)
      : config_(std::move(config)), plan_(std::move(plan)), tensors_(std::move(tensors)) {}

  const v1::ModelConfig& config() const override { return config_; }
  const ModelPlan& plan() const override { return plan_; }
  std::vector<std::string> OutputNames() const override { return {kLogits}; }

  absl::StatusOr<at::Tensor> Forward(const at::Tensor& examples) override {
    ASSIGN_OR_RETURN(const at::Tensor hidden, Hidden(examples));
    return Head(hidden);
  }

  absl::StatusOr<std::vector<at::Tensor>> Outputs(const at::Tensor& examples,
                                                  const std::vector<std::string>& names) override {
    ASSIGN_OR_RETURN(const at::Tensor hidden, Hidden(examples));
    at::Tensor logits;
    std::vector<at::Tensor> outputs;
    for (const std::string& name : names) {
      if (name == kHiddenStates) {
        outputs.push_back(hidden);
        continue;
      }
      if (name != kLogits) {
        return absl::InvalidArgumentError(absl::StrCat("the model has no output '", name, "'"));
      }
      if (!logits.defined()) {
        ASSIGN_OR_RETURN(logits, Head(hidden));
      }
      outputs.push_back(logits);
    }
    return outputs;
  }

  void SetTraining(bool training) override { training_ = training; }
  bool training() const override { return training_; }

  std::vector<at::Tensor> Parameters() const override { return Select(/*trained=*/true); }
  std::vector<at::Tensor> Buffers() const override { return Select(/*trained=*/false); }

  absl::StatusOr<std::map<std::string, TensorView>> Tensors() const override {
    return CopyToViews(tensors_);
  }
  absl::Status SetTensors(const std::map<std::string, TensorView>& tensors) override {
    return CopyFromViews(tensors, tensors_);
  }

  absl::Status MoveTo(int index) override {
    return CallTorch("moving a model", [&] {
      at::NoGradGuard no_grad;
      const at::Device device = index < 0
                                    ? at::Device(at::kCPU)
                                    : at::Device(at::kCUDA, static_cast<at::DeviceIndex>(index));
      for (auto& [name, tensor] : tensors_) tensor.set_data(tensor.detach().to(device));
    });
  }

 private:
  at::Tensor Find(const std::string& name) const {
    const auto it = tensors_.find(name);
    return it == tensors_.end() ? at::Tensor() : it->second;
  }

  std::vector<at::Tensor> Select(bool trained) const {
    std::vector<at::Tensor> selected;
    for (const TensorSpec& spec : plan_.tensors) {
      if (spec.trained == trained) selected.push_back(tensors_.at(spec.name));
    }
    return selected;
  }

  absl::StatusOr<at::Tensor> Head(const at::Tensor& hidden) {
    const std::string& name = plan_.layers.back().name;
    at::Tensor logits;
    RETURN_IF_ERROR(CallTorch("forward pass", [&] {
      at::AutoGradMode grad(training_ && at::GradMode::is_enabled());
      logits = at::linear(hidden, tensors_.at(name + ".weight"), Find(name + ".bias"));
    }));
    return logits;
  }

  absl::StatusOr<at::Tensor> Hidden(const at::Tensor& examples) {
    RETURN_IF_ERROR(CheckExamples(examples, plan_.input_dims));
    at::Tensor x;
    RETURN_IF_ERROR(CallTorch("forward pass", [&] {
      at::AutoGradMode grad(training_ && at::GradMode::is_enabled());
      std::vector<int64_t> dims = {examples.size(0)};
      dims.insert(dims.end(), plan_.input_dims.begin(), plan_.input_dims.end());
      x = examples.reshape(dims);
      for (const LayerSpec& layer : plan_.layers) {
        if (layer.kind == LayerSpec::Kind::kLinear && x.dim() == 4) {
          x = plan_.global_average_pool ? x.mean({2, 3}) : x.flatten(1);
        }
        if (&layer == &plan_.layers.back()) break;
        x = Apply(layer, x);
      }
    }));
    return x;
  }

  at::Tensor Apply(const LayerSpec& layer, at::Tensor x) const {
    const at::Tensor weight = tensors_.at(layer.name + ".weight");
    const at::Tensor bias = Find(layer.name + ".bias");
    if (layer.kind == LayerSpec::Kind::kConvolution) {
      x = at::conv2d(x, weight, bias, layer.stride, /*padding=*/1);
    } else {
      x = at::linear(x, weight, bias);
    }
    if (!layer.norm.empty()) {
      x = at::batch_norm(x, Find(layer.norm + ".weight"), Find(layer.norm + ".bias"),
                         Find(layer.norm + ".running_mean"), Find(layer.norm + ".running_var"),
                         training_, kBatchNormMomentum, kBatchNormEpsilon, /*cudnn_enabled=*/true);
    }
    return layer.relu ? at::relu(x) : x;
  }

  const v1::ModelConfig config_;
  const ModelPlan plan_;
  // By the names of plan_.tensors.
  std::map<std::string, at::Tensor> tensors_;
  bool training_ = true;
};

}  // namespace

absl::StatusOr<std::unique_ptr<Model>> Model::Create(const v1::ModelConfig& config,
                                                     std::span<const int64_t> example_dims,
                                                     int64_t classes, uint64_t seed) {
  ASSIGN_OR_RETURN(ModelPlan plan, PlanModel(config, example_dims, classes));
  std::map<std::string, at::Tensor> tensors;
  RETURN_IF_ERROR(CallTorch("creating a model", [&] {
    for (const TensorSpec& spec : plan.tensors) {
      at::Tensor tensor = at::zeros(spec.dims, at::kFloat);
      if (spec.trained) tensor.set_requires_grad(true);
      tensors.emplace(spec.name, std::move(tensor));
    }
    Initialise(plan, seed, tensors);
  }));
  return std::make_unique<BuiltInModel>(config, std::move(plan), std::move(tensors));
}

}  // namespace distill
