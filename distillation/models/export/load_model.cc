#include "distillation/models/export/load_model.h"

#include <vector>

#include "common/status/status_macros.h"
#include "distillation/models/create_model.h"

namespace distill {

absl::StatusOr<std::unique_ptr<Model>> LoadModel(const Export& exported,
                                                 const ModelDirectory& programs) {
  const std::vector<int64_t> dims(exported.manifest.example_dims().begin(),
                                  exported.manifest.example_dims().end());
  ASSIGN_OR_RETURN(std::unique_ptr<Model> model,
                   CreateModel(exported.manifest.model(), dims, exported.manifest.classes(),
                               /*seed=*/0, programs));
  RETURN_IF_ERROR(model->SetTensors(exported.tensors));
  model->SetTraining(false);
  return model;
}

}  // namespace distill
