// A package of AOTInductor as a Model: served as it is.
#ifndef DISTILLATION_MODELS_PACKAGE_MODEL_H_
#define DISTILLATION_MODELS_PACKAGE_MODEL_H_

#include <cstdint>
#include <memory>
#include <span>

#include "absl/status/statusor.h"
#include "distillation/models/model.h"
#include "distillation/models/model_directory.h"
#include "proto/run_config.pb.h"

namespace distill {

// A package looks at the shapes it is given only when the environment says so, and computes from
// what lies behind a smaller input otherwise. Changes the environment: first thing in main, while
// there is one thread.
void CheckPackageInputs();

// `config.aot_inductor` from bytes that were checked: code for the instruction set that it was
// compiled for, with its values inside, so it has no tensors and is never trained. It takes one
// float32 tensor [n, ...]; its outputs come in the order of outputs. Loaded one at a time in a
// process, and each by a loader of its own. On the host. FAILED_PRECONDITION: it cannot be loaded
// here, or does not take or give what is declared. INVALID_ARGUMENT: the configuration does not
// fit. RESOURCE_EXHAUSTED: memory or the disk of TMPDIR is full. INTERNAL: the process did not call
// CheckPackageInputs.
absl::StatusOr<std::unique_ptr<Model>> LoadPackageModel(const v1::ModelConfig& config,
                                                        std::span<const int64_t> example_dims,
                                                        int64_t classes, Program program);

}  // namespace distill

#endif  // DISTILLATION_MODELS_PACKAGE_MODEL_H_
