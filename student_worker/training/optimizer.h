// Turns gradients into changes of the parameters: SGD or AdamW, as PyTorch has them.
#ifndef STUDENT_WORKER_TRAINING_OPTIMIZER_H_
#define STUDENT_WORKER_TRAINING_OPTIMIZER_H_

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "common/tensor_view/tensor_view.h"
#include "proto/run_config.pb.h"

namespace at {
class Tensor;
}

namespace distill {

// Parameter p with gradient g at learning rate r; every parameter for itself.
//
// SGD with momentum m and weight decay w (torch.optim.SGD, dampening 0; the coupled
// L2 form of weight decay):
//   g <- g + w p;   b <- m b + g  (b starts at 0);
//   p <- p - r b,  with Nesterov  p <- p - r (g + m b),  without momentum  p <- p - r g.
//
// AdamW (torch.optim.AdamW without amsgrad; Loshchilov & Hutter, arXiv 1711.05101;
// weight decay is decoupled, so it does not pass through the moments):
//   t <- t + 1;   p <- (1 - r w) p;
//   a <- beta1 a + (1 - beta1) g;   v <- beta2 v + (1 - beta2) g^2;
//   p <- p - r / (1 - beta1^t) * a / (sqrt(v / (1 - beta2^t)) + epsilon).
//
// Equal inputs give equal bits on equal hardware and versions. Thread-compatible.
class Optimizer {
 public:
  // Shares `parameters`, float32 or float64 with `names` of their own, and changes
  // them in place. After a model was moved to its device: state is made beside each
  // parameter. Of `training`, whose defaults must be resolved, only the optimizer is
  // read. INVALID_ARGUMENT, naming the field or parameter, for options or parameters
  // that cannot be used.
  static absl::StatusOr<std::unique_ptr<Optimizer>> Create(const v1::TrainingConfig& training,
                                                           std::vector<at::Tensor> parameters,
                                                           std::vector<std::string> names);
  ~Optimizer();
  Optimizer(const Optimizer&) = delete;
  Optimizer& operator=(const Optimizer&) = delete;

  // One update from parameter.grad(), which stays: clear it before the next backward
  // pass. A parameter without a gradient is skipped, its state and t included.
  // INVALID_ARGUMENT, and nothing changed, for a rate that is negative or not finite.
  // After INTERNAL or RESOURCE_EXHAUSTED some parameters may have changed: go back to
  // a checkpoint.
  absl::Status Step(double learning_rate);

  // Copies of all that a later step depends on, beside the parameters themselves.
  // For each parameter: "momentum/<name>" (b) of an SGD with momentum; "exp_avg/<name>"
  // (a), "exp_avg_sq/<name>" (v) and "step/<name>" (t, int64 []) of AdamW.
  absl::StatusOr<std::map<std::string, TensorView>> State() const;
  // Goes on from such a state: with equal parameters, bit for bit. INVALID_ARGUMENT
  // naming the key, and nothing changed, when one is missing or unknown, its shape or
  // type differs, or a step is negative.
  absl::Status SetState(const std::map<std::string, TensorView>& state);

 private:
  struct Impl;
  explicit Optimizer(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace distill

#endif  // STUDENT_WORKER_TRAINING_OPTIMIZER_H_
