// A model that is a program from a file: what TorchScript modules and AOTInductor packages have
// in common. Outputs and shapes are declared (v1::ModelFile) and held to it in every pass.
#ifndef DISTILLATION_MODELS_PROGRAM_MODEL_H_
#define DISTILLATION_MODELS_PROGRAM_MODEL_H_

#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "common/tensor_view/tensor_view.h"
#include "distillation/models/architecture.h"
#include "distillation/models/model.h"
#include "proto/run_config.pb.h"

namespace distill {

class ProgramModel : public Model {
 public:
  const v1::ModelConfig& config() const final { return config_; }
  const ModelPlan& plan() const final { return plan_; }
  std::vector<std::string> OutputNames() const final { return names_; }

  absl::StatusOr<at::Tensor> Forward(const at::Tensor& examples) final;
  absl::StatusOr<std::vector<at::Tensor>> Outputs(const at::Tensor& examples,
                                                  const std::vector<std::string>& names) final;

  std::vector<at::Tensor> Parameters() const final { return parameters_; }
  std::vector<at::Tensor> Buffers() const final { return buffers_; }
  absl::StatusOr<std::map<std::string, TensorView>> Tensors() const final;
  absl::Status SetTensors(const std::map<std::string, TensorView>& tensors) final;

  // Whether it takes and gives what it declares: runs it on examples of zeros, several and one.
  // FAILED_PRECONDITION where not, where it gives probabilities instead of logits, or where it
  // fails. In evaluation mode, which it leaves.
  absl::Status ShakeHands();

 protected:
  // `config` with the SHA-256 of the file. INVALID_ARGUMENT, through ShakeHands: example_dims of
  // another number of values than `example_dims`.
  ProgramModel(v1::ModelConfig config, std::span<const int64_t> example_dims, int64_t classes);

  // Take note of the program's tensors, in their order. A parameter that asks for no gradient is
  // not trained, and stays what it is. FAILED_PRECONDITION, naming it, for a parameter that is not
  // float32, a buffer of a type that no checkpoint holds, and one that does not fill its memory
  // exactly once: what is restored and averaged over ranks is written there as one block.
  absl::Status AddParameter(const std::string& name, const at::Tensor& tensor);
  absl::Status AddBuffer(const std::string& name, const at::Tensor& tensor);

  // One pass, `x` [n, input dims...] float32, to be kept or written to: the outputs in the order
  // of OutputNames, their shapes not checked yet.
  virtual absl::StatusOr<std::vector<at::Tensor>> Run(const at::Tensor& x) = 0;

  const v1::ModelFile& file() const;
  // "model file a.pt".
  std::string Name() const;
  // Brings what a program gave as a list to the declared names.
  absl::StatusOr<std::vector<at::Tensor>> InOrder(std::vector<at::Tensor> outputs) const;

 private:
  absl::Status CheckDense(const std::string& what, const at::Tensor& tensor) const;
  absl::Status CheckLogits(const at::Tensor& examples);
  absl::Status CheckOutput(const std::string& name, const at::Tensor& output, int64_t rows) const;

  v1::ModelConfig config_;
  ModelPlan plan_;
  std::vector<std::string> names_;
  // Of the data set.
  const std::vector<int64_t> example_dims_;
  std::vector<at::Tensor> parameters_;
  std::vector<at::Tensor> buffers_;
  std::map<std::string, at::Tensor> tensors_;
};

}  // namespace distill

#endif  // DISTILLATION_MODELS_PROGRAM_MODEL_H_
