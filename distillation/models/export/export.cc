#include "distillation/models/export/export.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "common/safetensors/safetensors.h"
#include "common/status/annotate.h"
#include "common/status/status_macros.h"
#include "distillation/models/export/manifest.h"

namespace distill {
namespace {

constexpr size_t kMaxManifestBytes = size_t{1} << 20;
constexpr size_t kMaxWeightsBytes = size_t{64} << 30;
constexpr size_t kMaxCheckBytes = size_t{256} << 20;
constexpr char kIds[] = "ids";
constexpr char kLogits[] = "logits";
constexpr char kExamples[] = "examples";

absl::StatusOr<Safetensors> Parse(const std::string& path, std::string bytes) {
  const auto owner = std::make_shared<const std::string>(std::move(bytes));
  return ParseSafetensors(std::as_bytes(std::span<const char>(*owner)), owner, path);
}

absl::Status NameFolder(const absl::Status& status, const std::string& folder) {
  return Annotate(status, absl::StrCat("export ", folder));
}

absl::StatusOr<Export> ReadAll(FileSystem& files, const std::string& folder) {
  Export result;
  ASSIGN_OR_RETURN(const std::string manifest,
                   files.Read(JoinPath(folder, kExportManifestFile), kMaxManifestBytes));
  ASSIGN_OR_RETURN(result.manifest, ParseManifest(manifest));
  const std::string weights_path = JoinPath(folder, kExportWeightsFile);
  ASSIGN_OR_RETURN(std::string weights, files.Read(weights_path, kMaxWeightsBytes));
  RETURN_IF_ERROR(CheckWeightsFile(result.manifest, weights));
  ASSIGN_OR_RETURN(Safetensors parsed, Parse(weights_path, std::move(weights)));
  RETURN_IF_ERROR(CheckTensors(result.manifest, parsed.tensors));
  result.tensors = std::move(parsed.tensors);
  ASSIGN_OR_RETURN(Safetensors check,
                   ReadSafetensors(files, JoinPath(folder, kExportCheckFile), kMaxCheckBytes));
  if (!check.tensors.count(kIds) || !check.tensors.count(kLogits)) {
    return absl::DataLossError(
        absl::StrCat(kExportCheckFile, " lacks its tensors; export the model again"));
  }
  result.check = {check.tensors[kIds], check.tensors[kLogits], {}};
  if (const auto examples = check.tensors.find(kExamples); examples != check.tensors.end()) {
    result.check.examples = examples->second;
  }
  return result;
}

}  // namespace

absl::StatusOr<v1::ExportManifest> WriteExport(FileSystem& files, const std::string& folder,
                                               v1::ExportManifest manifest,
                                               const std::map<std::string, TensorView>& tensors,
                                               const ExportCheck& check, std::string_view program) {
  Safetensors weights;
  weights.tensors = tensors;
  ASSIGN_OR_RETURN(const std::string bytes, SerializeSafetensors(weights));
  RETURN_IF_ERROR(CompleteManifest(bytes, manifest));
  ASSIGN_OR_RETURN(const std::string text, PrintManifest(manifest));
  Safetensors recorded;
  recorded.tensors = {{kIds, check.ids}, {kLogits, check.logits}};
  if (!check.examples.dims.empty()) recorded.tensors[kExamples] = check.examples;

  RETURN_IF_ERROR(files.MakeDirectories(folder));
  const std::string manifest_path = JoinPath(folder, kExportManifestFile);
  RETURN_IF_ERROR(files.RemoveTree(manifest_path));
  RETURN_IF_ERROR(WriteFileAtomically(files, JoinPath(folder, kExportWeightsFile), bytes));
  RETURN_IF_ERROR(WriteSafetensors(files, JoinPath(folder, kExportCheckFile), recorded));
  const std::string program_path = JoinPath(folder, kExportProgramFile);
  RETURN_IF_ERROR(program.empty() ? files.RemoveTree(program_path)
                                  : WriteFileAtomically(files, program_path, program));
  RETURN_IF_ERROR(WriteFileAtomically(files, manifest_path, text));
  return manifest;
}

absl::StatusOr<v1::ExportManifest> ReadExportManifest(FileSystem& files,
                                                      const std::string& folder) {
  const auto text = files.Read(JoinPath(folder, kExportManifestFile), kMaxManifestBytes);
  if (!text.ok()) return NameFolder(text.status(), folder);
  auto manifest = ParseManifest(*text);
  if (!manifest.ok()) return NameFolder(manifest.status(), folder);
  return manifest;
}

absl::StatusOr<Export> ReadExport(FileSystem& files, const std::string& folder) {
  auto result = ReadAll(files, folder);
  if (!result.ok()) return NameFolder(result.status(), folder);
  return result;
}

}  // namespace distill
