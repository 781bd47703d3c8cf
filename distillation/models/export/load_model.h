// From an export to a model that computes.
#ifndef DISTILLATION_MODELS_EXPORT_LOAD_MODEL_H_
#define DISTILLATION_MODELS_EXPORT_LOAD_MODEL_H_

#include <memory>

#include "absl/status/statusor.h"
#include "distillation/models/export/export.h"
#include "distillation/models/model.h"
#include "distillation/models/model_directory.h"

namespace distill {

// In evaluation mode, on the host. A program is loaded from `programs`, and must be the file that
// was exported. Errors of CreateModel and SetTensors.
absl::StatusOr<std::unique_ptr<Model>> LoadModel(const Export& exported,
                                                 const ModelDirectory& programs = {});

}  // namespace distill

#endif  // DISTILLATION_MODELS_EXPORT_LOAD_MODEL_H_
