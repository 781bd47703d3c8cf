// A TorchScript module as a Model: served, or trained from the values it comes with.
#ifndef DISTILLATION_MODELS_SCRIPT_MODEL_H_
#define DISTILLATION_MODELS_SCRIPT_MODEL_H_

#include <cstdint>
#include <memory>
#include <span>

#include "absl/status/statusor.h"
#include "distillation/models/model.h"
#include "distillation/models/model_directory.h"
#include "proto/run_config.pb.h"

namespace distill {

// `config.torch_script` from bytes that were checked. Its forward takes one float32 tensor [n, ...]
// and gives a tensor, a tuple or a dict of tensors. It is interpreted as it is written: the
// optimiser of TorchScript computes in another order after a few passes than in the first,
// and then no run could be repeated bit for bit. In training mode, on the host.
// FAILED_PRECONDITION: it does not take or give what is declared, or a tensor of it does not fit
// (ProgramModel::AddParameter).
// INVALID_ARGUMENT: these bytes are no TorchScript module, or the configuration does not fit.
// RESOURCE_EXHAUSTED: memory ran out.
absl::StatusOr<std::unique_ptr<Model>> LoadScriptModel(const v1::ModelConfig& config,
                                                       std::span<const int64_t> example_dims,
                                                       int64_t classes, Program program);

}  // namespace distill

#endif  // DISTILLATION_MODELS_SCRIPT_MODEL_H_
