// Any model that a configuration names: of an architecture, or from a file.
#ifndef DISTILLATION_MODELS_CREATE_MODEL_H_
#define DISTILLATION_MODELS_CREATE_MODEL_H_

#include <cstdint>
#include <memory>
#include <span>

#include "absl/status/statusor.h"
#include "distillation/models/model.h"
#include "distillation/models/model_directory.h"
#include "proto/run_config.pb.h"

namespace distill {

// `seed` decides the initial values of an architecture; those of a program are its own. In
// training mode, on the host. Errors of Model::Create, ModelDirectory::Load, LoadScriptModel and
// LoadPackageModel.
absl::StatusOr<std::unique_ptr<Model>> CreateModel(const v1::ModelConfig& config,
                                                   std::span<const int64_t> example_dims,
                                                   int64_t classes, uint64_t seed,
                                                   const ModelDirectory& programs);

}  // namespace distill

#endif  // DISTILLATION_MODELS_CREATE_MODEL_H_
