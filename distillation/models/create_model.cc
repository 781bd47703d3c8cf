#include "distillation/models/create_model.h"

#include <utility>

#include "common/status/status_macros.h"
#include "distillation/models/model_file.h"
#include "distillation/models/package_model.h"
#include "distillation/models/script_model.h"

namespace distill {

absl::StatusOr<std::unique_ptr<Model>> CreateModel(const v1::ModelConfig& config,
                                                   std::span<const int64_t> example_dims,
                                                   int64_t classes, uint64_t seed,
                                                   const ModelDirectory& programs) {
  if (!IsProgram(config)) return Model::Create(config, example_dims, classes, seed);
  RETURN_IF_ERROR(CheckProgram(config));
  ASSIGN_OR_RETURN(Program program, programs.Load(ProgramFile(config)));
  const auto load = config.has_aot_inductor() ? LoadPackageModel : LoadScriptModel;
  return load(config, example_dims, classes, std::move(program));
}

}  // namespace distill
