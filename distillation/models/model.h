// A network built from a ModelConfig, for training and for inference.
#ifndef DISTILLATION_MODELS_MODEL_H_
#define DISTILLATION_MODELS_MODEL_H_

#include <cstdint>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "common/tensor_view/tensor_view.h"
#include "distillation/models/architecture.h"
#include "proto/run_config.pb.h"

namespace at {
class Tensor;
}

namespace distill {

// Thread-compatible; in evaluation mode Forward may be called from many threads.
// All values are float32.
class Model {
 public:
  // The initial values are a function of the arguments and of LibTorch's version
  // alone: weights and biases uniform in +-1/sqrt(inputs of a unit), as PyTorch
  // draws them; normalisations start as the identity. In training mode, on the
  // host. INVALID_ARGUMENT as PlanModel.
  static absl::StatusOr<std::unique_ptr<Model>> Create(const v1::ModelConfig& config,
                                                       std::span<const int64_t> example_dims,
                                                       int64_t classes, uint64_t seed);
  ~Model();
  Model(const Model&) = delete;
  Model& operator=(const Model&) = delete;

  const ModelPlan& plan() const;

  // Logits [n, classes] for examples [n, ...] float32, each with as many values as
  // one example, on the model's device. Training mode normalises with the batch's
  // statistics, updates the running ones, and records for backward; evaluation
  // mode does none of that. INVALID_ARGUMENT for another shape or type.
  absl::StatusOr<at::Tensor> Forward(const at::Tensor& examples);

  // The two halves of Forward: what the last layer, a linear one, makes logits of, [n, features];
  // and its logits of that.
  absl::StatusOr<at::Tensor> Hidden(const at::Tensor& examples);
  absl::StatusOr<at::Tensor> Head(const at::Tensor& hidden);

  // A new model is in training mode.
  void SetTraining(bool training);
  bool training() const;

  // The trained tensors in the plan's order. They share memory with the model, so
  // an optimiser changes the model through them.
  std::vector<at::Tensor> Parameters() const;

  // The running statistics in the plan's order, shared likewise.
  std::vector<at::Tensor> Buffers() const;

  // Copies of all tensors, buffers included, by name.
  absl::StatusOr<std::map<std::string, TensorView>> Tensors() const;
  // Takes the values of all tensors. INVALID_ARGUMENT, and nothing changed, when a
  // name is missing or unknown, or a shape or element type differs.
  absl::Status SetTensors(const std::map<std::string, TensorView>& tensors);

  // Moves to accelerator `index`, or to the host (-1). Before an optimiser is made.
  absl::Status MoveTo(int index);

 private:
  struct State;
  explicit Model(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace distill

#endif  // DISTILLATION_MODELS_MODEL_H_
