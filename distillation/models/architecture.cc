#include "distillation/models/architecture.h"

#include <cstddef>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "common/status/annotate.h"
#include "common/status/status_macros.h"

namespace distill {
namespace {

constexpr int kMaxLayers = 64;
constexpr int64_t kMaxWidth = 1 << 16;
constexpr int64_t kMaxStride = 16;
constexpr int64_t kMaxExampleValues = int64_t{1} << 24;
constexpr int64_t kMaxParameters = int64_t{1} << 31;

absl::Status CheckSize(const char* what, int64_t value, int64_t largest) {
  if (value >= 1 && value <= largest) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat(what, " is ", value, "; it must be from 1 to ", largest));
}

absl::StatusOr<int64_t> ExampleValues(std::span<const int64_t> dims) {
  if (dims.empty()) return absl::InvalidArgumentError("an example has no dimensions");
  int64_t values = 1;
  for (int64_t dim : dims) {
    RETURN_IF_ERROR(CheckSize("a dimension of the examples", dim, kMaxExampleValues));
    values *= dim;  // Both factors are at most 2^24.
    RETURN_IF_ERROR(CheckSize("the number of values of an example", values, kMaxExampleValues));
  }
  return values;
}

absl::Status CheckWidths(const v1::ModelConfig& config) {
  if (config.widths_size() > kMaxLayers) {
    return absl::InvalidArgumentError(absl::StrCat(
        "widths has ", config.widths_size(), " entries; at most ", kMaxLayers, " are supported"));
  }
  for (uint32_t width : config.widths()) {
    RETURN_IF_ERROR(CheckSize("an entry of widths", width, kMaxWidth));
  }
  return absl::OkStatus();
}

void AddLinear(ModelPlan& plan, std::string name, int64_t inputs, int64_t outputs, bool relu) {
  LayerSpec layer;
  layer.kind = LayerSpec::Kind::kLinear;
  layer.name = std::move(name);
  layer.inputs = inputs;
  layer.outputs = outputs;
  layer.relu = relu;
  plan.layers.push_back(std::move(layer));
}

absl::Status PlanConvNet(const v1::ModelConfig& config, std::span<const int64_t> example_dims,
                         int64_t classes, ModelPlan& plan) {
  if (example_dims.size() != 2 && example_dims.size() != 3) {
    return absl::InvalidArgumentError(
        absl::StrCat("examples are [h,w] or [c,h,w], but they have ", example_dims.size(),
                     " dimensions; use architecture mlp for feature rows"));
  }
  if (config.widths_size() == 0) {
    return absl::InvalidArgumentError("widths is empty; give one width for each convolution");
  }
  if (config.strides_size() != config.widths_size()) {
    return absl::InvalidArgumentError(absl::StrCat("strides has ", config.strides_size(),
                                                   " entries and widths ", config.widths_size(),
                                                   "; give one stride for each convolution"));
  }
  plan.input_dims.assign(example_dims.begin(), example_dims.end());
  if (example_dims.size() == 2) plan.input_dims.insert(plan.input_dims.begin(), 1);
  plan.global_average_pool = config.global_average_pool();
  int64_t channels = plan.input_dims[0];
  int64_t height = plan.input_dims[1];
  int64_t width = plan.input_dims[2];
  for (int i = 0; i < config.widths_size(); ++i) {
    const int64_t stride = config.strides(i);
    RETURN_IF_ERROR(CheckSize("an entry of strides", stride, kMaxStride));
    // Kernel 3 and padding 1: (n + 2 - 3) / stride + 1 positions.
    height = (height - 1) / stride + 1;
    width = (width - 1) / stride + 1;
    LayerSpec layer;
    layer.kind = LayerSpec::Kind::kConvolution;
    layer.name = absl::StrCat("conv", i + 1);
    if (config.batch_norm()) layer.norm = absl::StrCat("norm", i + 1);
    layer.inputs = channels;
    layer.outputs = config.widths(i);
    layer.stride = stride;
    layer.height = height;
    layer.width = width;
    layer.bias = !config.batch_norm();
    plan.layers.push_back(std::move(layer));
    channels = config.widths(i);
  }
  const int64_t positions = config.global_average_pool() ? 1 : height * width;
  AddLinear(plan, "linear", channels * positions, classes, /*relu=*/false);
  return absl::OkStatus();
}

absl::Status PlanMlp(const v1::ModelConfig& config, int64_t features, int64_t classes,
                     ModelPlan& plan) {
  if (config.strides_size() != 0 || config.batch_norm() || config.global_average_pool()) {
    return absl::InvalidArgumentError(
        "strides, batch_norm and global_average_pool belong to conv_net; remove them");
  }
  plan.input_dims = {features};
  for (int i = 0; i < config.widths_size(); ++i) {
    AddLinear(plan, absl::StrCat("hidden", i + 1), features, config.widths(i), /*relu=*/true);
    features = config.widths(i);
  }
  AddLinear(plan, "linear", features, classes, /*relu=*/false);
  return absl::OkStatus();
}

void AddLayerTensors(const LayerSpec& layer, ModelPlan& plan) {
  std::vector<int64_t> weight = {layer.outputs, layer.inputs};
  if (layer.kind == LayerSpec::Kind::kConvolution) weight.insert(weight.end(), {3, 3});
  plan.tensors.push_back({layer.name + ".weight", std::move(weight), true});
  if (layer.bias) plan.tensors.push_back({layer.name + ".bias", {layer.outputs}, true});
  if (layer.norm.empty()) return;
  plan.tensors.push_back({layer.norm + ".weight", {layer.outputs}, true});
  plan.tensors.push_back({layer.norm + ".bias", {layer.outputs}, true});
  plan.tensors.push_back({layer.norm + ".running_mean", {layer.outputs}, false});
  plan.tensors.push_back({layer.norm + ".running_var", {layer.outputs}, false});
}

int64_t Elements(const TensorSpec& tensor) {
  int64_t elements = 1;
  for (int64_t dim : tensor.dims) elements *= dim;
  return elements;
}

absl::Status AddTensorsAndCosts(ModelPlan& plan) {
  for (const LayerSpec& layer : plan.layers) {
    const size_t before = plan.tensors.size();
    AddLayerTensors(layer, plan);
    for (size_t i = before; i < plan.tensors.size(); ++i) {
      if (plan.tensors[i].trained) plan.parameters += Elements(plan.tensors[i]);
    }
    RETURN_IF_ERROR(CheckSize("the number of parameters", plan.parameters, kMaxParameters));
    // Every weight is used once at every position of the output.
    plan.multiply_adds += Elements(plan.tensors[before]) * layer.height * layer.width;
  }
  return absl::OkStatus();
}

absl::Status Plan(const v1::ModelConfig& config, std::span<const int64_t> example_dims,
                  int64_t classes, ModelPlan& plan) {
  ASSIGN_OR_RETURN(const int64_t values, ExampleValues(example_dims));
  RETURN_IF_ERROR(CheckSize("classes", classes, kMaxWidth));
  RETURN_IF_ERROR(CheckWidths(config));
  plan.classes = classes;
  if (config.architecture() == "conv_net") {
    RETURN_IF_ERROR(PlanConvNet(config, example_dims, classes, plan));
  } else if (config.architecture() == "mlp") {
    RETURN_IF_ERROR(PlanMlp(config, values, classes, plan));
  } else {
    return absl::InvalidArgumentError("unknown architecture; the known ones are conv_net and mlp");
  }
  return AddTensorsAndCosts(plan);
}

}  // namespace

absl::StatusOr<ModelPlan> PlanModel(const v1::ModelConfig& config,
                                    std::span<const int64_t> example_dims, int64_t classes) {
  ModelPlan plan;
  absl::Status status = Plan(config, example_dims, classes, plan);
  if (!status.ok()) {
    return Annotate(status, absl::StrCat("model (architecture \"", config.architecture(), "\")"));
  }
  return plan;
}

}  // namespace distill
