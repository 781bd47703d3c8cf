#include "cli/commands/model_digest.h"

#include <map>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/safetensors/safetensors.h"
#include "common/status/error_id.h"
#include "common/status/status_macros.h"
#include "distillation/models/export/export.h"
#include "distillation/models/export/manifest.h"

namespace distill {
namespace {

constexpr size_t kMaxPartBytes = size_t{64} << 30;
constexpr char kModelPrefix[] = "model/";

absl::StatusOr<std::string> DigestOfCheckpoint(FileSystem& files, const std::string& folder) {
  const auto shared = ReadSafetensors(files, JoinPath(folder, "shared.safetensors"), kMaxPartBytes);
  // The checkpoint is whole, so a part that is none is damaged.
  if (absl::IsInvalidArgument(shared.status()) || absl::IsNotFound(shared.status())) {
    return absl::DataLossError(shared.status().message());
  }
  RETURN_IF_ERROR(shared.status());
  std::map<std::string, TensorView> model;
  const std::string prefix = kModelPrefix;
  for (const auto& [name, tensor] : shared->tensors) {
    if (name.rfind(prefix, 0) == 0) model[name.substr(prefix.size())] = tensor;
  }
  return ModelDigest(model);
}

}  // namespace

absl::StatusOr<std::string> LatestModelDigest(FileSystem& files, const std::string& run_dir,
                                              const std::string& run) {
  const std::string folder = JoinPath(run_dir, run);
  const auto exported = ReadExport(files, JoinPath(folder, "export"));
  if (exported.ok()) {
    const v1::ModelConfig& model = exported->manifest.model();
    // A package has its values in the file.
    return model.has_aot_inductor() ? model.aot_inductor().sha256()
                                    : ModelDigest(exported->tensors);
  }
  if (!absl::IsNotFound(exported.status())) return exported.status();
  const std::string checkpoints = JoinPath(folder, "checkpoints");
  const auto names = files.List(checkpoints);
  if (!names.ok() && !absl::IsNotFound(names.status())) return names.status();
  // Names are padded, so the newest is the last; without a manifest it is none.
  for (size_t i = names.ok() ? names->size() : 0; i > 0; --i) {
    const std::string checkpoint = JoinPath(checkpoints, (*names)[i - 1]);
    ASSIGN_OR_RETURN(const bool whole, files.Exists(JoinPath(checkpoint, "manifest.json")));
    if (whole) return DigestOfCheckpoint(files, checkpoint);
  }
  return WithErrorId(
      absl::NotFoundError(absl::StrCat("run ", run, " in ", run_dir,
                                       " has neither an export nor a checkpoint yet")),
      ErrorId::kNoExport);
}

}  // namespace distill
