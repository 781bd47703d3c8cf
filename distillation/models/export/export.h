// An exported model on disk: what a teacher server loads and what is deployed.
//
//   DIR/<run>/export/
//     weights.safetensors   parameters and buffers
//     check.safetensors     "ids" int64 [n], "logits" float32 [n, classes] and, of the
//                           first m of them, "examples" float32 [m, example dims...]
//     model.pt              of a model that came as TorchScript: that, with these values, for use
//                           elsewhere; never read here
//     manifest.json         written last: without it, no export
//
// Ids of the check are of the VALIDATION split, or of TRAIN where there is none.
#ifndef DISTILLATION_MODELS_EXPORT_EXPORT_H_
#define DISTILLATION_MODELS_EXPORT_EXPORT_H_

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "common/files/file_system.h"
#include "common/tensor_view/tensor_view.h"
#include "proto/checkpoint.pb.h"

namespace distill {

// What the exporting process computed for a few examples; and as many of these, preprocessed,
// as kMaxCanaryBytes hold, one at least, so that whoever serves the model can ask it again
// without their data set. Exports of former versions have none: no dims.
struct ExportCheck {
  TensorView ids;
  TensorView logits;
  TensorView examples = {};
};
inline constexpr uint64_t kMaxCanaryBytes = uint64_t{4} << 20;

struct Export {
  v1::ExportManifest manifest;
  std::map<std::string, TensorView> tensors;
  ExportCheck check;
};

// Writes an export to `folder`, replacing a former one, and returns the manifest with
// everything filled in that CompleteManifest fills in. `program`: Model::Serialized, may be empty.
// Errors of FileSystem (RESOURCE_EXHAUSTED: the disk is full) and of CompleteManifest.
absl::StatusOr<v1::ExportManifest> WriteExport(FileSystem& files, const std::string& folder,
                                               v1::ExportManifest manifest,
                                               const std::map<std::string, TensorView>& tensors,
                                               const ExportCheck& check,
                                               std::string_view program = {});

// Only the manifest, checked against itself. NOT_FOUND: there is no export here.
absl::StatusOr<v1::ExportManifest> ReadExportManifest(FileSystem& files, const std::string& folder);

// Reads and checks all of it. NOT_FOUND: there is no export here. DATA_LOSS: altered
// or damaged; export the model again. INVALID_ARGUMENT, FAILED_PRECONDITION: see
// ParseManifest and ParseSafetensors.
absl::StatusOr<Export> ReadExport(FileSystem& files, const std::string& folder);

}  // namespace distill

#endif  // DISTILLATION_MODELS_EXPORT_EXPORT_H_
