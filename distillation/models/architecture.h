// What a ModelConfig means: layers, tensors and costs, without LibTorch, so that
// configurations and exports can be checked where no tensor library is.
#ifndef DISTILLATION_MODELS_ARCHITECTURE_H_
#define DISTILLATION_MODELS_ARCHITECTURE_H_

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "proto/run_config.pb.h"

namespace distill {

// The output of every architecture, [n, classes]; and what its last layer, a linear one, makes
// logits of, [n, features].
inline constexpr char kLogits[] = "logits";
inline constexpr char kHiddenStates[] = "hidden";

struct TensorSpec {
  std::string name;
  std::vector<int64_t> dims;
  // False: a buffer (running statistics), not changed by an optimiser.
  bool trained = true;
};

struct LayerSpec {
  enum class Kind { kConvolution, kLinear };
  Kind kind = Kind::kLinear;
  // Prefix of its tensors' names: "conv1", "hidden1", "linear".
  std::string name;
  // Prefix of the batch normalisation after it; empty: none.
  std::string norm;
  // Channels or features.
  int64_t inputs = 0;
  int64_t outputs = 0;
  int64_t stride = 1;
  // Positions per side of a convolution's output.
  int64_t height = 1;
  int64_t width = 1;
  // A convolution before a normalisation has none: the normalisation shifts.
  bool bias = true;
  bool relu = true;
};

struct ModelPlan {
  std::vector<LayerSpec> layers;
  // Parameters and buffers in the fixed order of checkpoints and digests.
  std::vector<TensorSpec> tensors;
  // [channels, height, width] for conv_net; [features] for mlp.
  std::vector<int64_t> input_dims;
  int64_t classes = 0;
  bool global_average_pool = false;
  // Values of parameters.
  int64_t parameters = 0;
  // Of convolutions and linear layers, for one example; bias additions, activations
  // and normalisations (which fold into the convolution before them) not counted.
  int64_t multiply_adds = 0;
};

// The plan of a model for examples of `example_dims` and `classes` outputs.
//   conv_net: 3x3 convolutions with padding 1, each followed by an optional batch
//     normalisation and by ReLU; then flattened, or the mean over positions; then
//     a linear layer. Examples are [c,h,w], or [h,w] of one channel.
//   mlp: examples flattened; linear layers with ReLU between them.
// INVALID_ARGUMENT, naming the field, for an unknown architecture, a size out of
// bounds, or a field the architecture has no use for. Thread-safe.
absl::StatusOr<ModelPlan> PlanModel(const v1::ModelConfig& config,
                                    std::span<const int64_t> example_dims, int64_t classes);

// PyTorch's: variance + epsilon under the root; weight of the newest batch in the
// running statistics.
inline constexpr double kBatchNormEpsilon = 1e-5;
inline constexpr double kBatchNormMomentum = 0.1;

}  // namespace distill

#endif  // DISTILLATION_MODELS_ARCHITECTURE_H_
