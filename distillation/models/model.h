// A network, for training and for inference: built from an architecture here, or from a file
// (program_model.h).
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

// Thread-compatible; in evaluation mode the outputs of an architecture may be asked for from many
// threads. Examples and outputs are float32.
class Model {
 public:
  // Of an architecture. The initial values are a function of the arguments and of LibTorch's
  // version alone: weights and biases uniform in +-1/sqrt(inputs of a unit), as PyTorch
  // draws them; normalisations start as the identity. In training mode, on the
  // host. INVALID_ARGUMENT as PlanModel.
  static absl::StatusOr<std::unique_ptr<Model>> Create(const v1::ModelConfig& config,
                                                       std::span<const int64_t> example_dims,
                                                       int64_t classes, uint64_t seed);
  virtual ~Model() = default;

  // As it was asked for; of a program with the SHA-256 of its file.
  virtual const v1::ModelConfig& config() const = 0;
  // Of a program: without layers and costs.
  virtual const ModelPlan& plan() const = 0;
  // Names of the outputs of [n, classes]; students are trained by the first.
  virtual std::vector<std::string> OutputNames() const = 0;

  // The first output, for examples [n, ...] float32, each with as many values as
  // one example, on the model's device. Training mode normalises with the batch's
  // statistics, updates the running ones, and records for backward; evaluation
  // mode does none of that. INVALID_ARGUMENT for another shape or type; FAILED_PRECONDITION
  // for a program whose outputs are not those it declares.
  virtual absl::StatusOr<at::Tensor> Forward(const at::Tensor& examples) = 0;

  // Several of one pass, in the order of `names`: of OutputNames, and kHiddenStates of an
  // architecture. INVALID_ARGUMENT for another name, else as Forward.
  virtual absl::StatusOr<std::vector<at::Tensor>> Outputs(
      const at::Tensor& examples, const std::vector<std::string>& names) = 0;

  // A new model is in training mode.
  virtual void SetTraining(bool training) = 0;
  virtual bool training() const = 0;

  // The trained tensors in the plan's order. They share memory with the model, so
  // an optimiser changes the model through them.
  virtual std::vector<at::Tensor> Parameters() const = 0;

  // The float32 buffers (running statistics) in the plan's order, shared likewise; each fills
  // numel() values in a row.
  virtual std::vector<at::Tensor> Buffers() const = 0;

  // Copies of all tensors, buffers included, by name.
  virtual absl::StatusOr<std::map<std::string, TensorView>> Tensors() const = 0;
  // Takes the values of all tensors. INVALID_ARGUMENT, and nothing changed, when a
  // name is missing or unknown, or a shape or element type differs.
  virtual absl::Status SetTensors(const std::map<std::string, TensorView>& tensors) = 0;

  // A file with the present values that does without this project, as which it came; empty for a
  // model that came from no such file.
  virtual absl::StatusOr<std::string> Serialized() const { return std::string(); }

  // Moves to accelerator `index`, or to the host (-1). Before an optimiser is made.
  virtual absl::Status MoveTo(int index) = 0;
};

}  // namespace distill

#endif  // DISTILLATION_MODELS_MODEL_H_
