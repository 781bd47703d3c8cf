#include "distillation/models/export/manifest.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "common/digest/sha256.h"
#include "common/status/annotate.h"
#include "common/status/error_id.h"
#include "common/status/status_macros.h"
#include "distillation/models/architecture.h"
#include "distillation/models/model_file.h"
#include "google/protobuf/util/json_util.h"

namespace distill {
namespace {

constexpr size_t kMaxManifestBytes = 1 << 20;

std::span<const int64_t> ExampleDims(const v1::ExportManifest& manifest) {
  return {manifest.example_dims().data(), static_cast<size_t>(manifest.example_dims_size())};
}

absl::StatusOr<ModelPlan> PlanOf(const v1::ExportManifest& manifest) {
  return PlanModel(manifest.model(), ExampleDims(manifest), manifest.classes());
}

// With its length, so that no two lists of fields run together into one text.
void AppendText(std::string& to, std::string_view text) {
  absl::StrAppend(&to, text.size(), ":", std::string(text), "\n");
}

void AppendDouble(std::string& to, double value) { AppendText(to, absl::StrFormat("%a", value)); }

std::string Shape(std::span<const int64_t> dims) {
  return absl::StrCat("[", absl::StrJoin(dims.begin(), dims.end(), ","), "]");
}

absl::Status CheckNames(const v1::ExportManifest& manifest) {
  // A manifest from elsewhere must not make anyone read outside its folder.
  if (manifest.weights_file() == kExportWeightsFile && manifest.check_file() == kExportCheckFile) {
    return absl::OkStatus();
  }
  return absl::InvalidArgumentError(absl::StrCat(
      "weights_file is \"", manifest.weights_file(), "\" and check_file \"", manifest.check_file(),
      "\"; they must be ", kExportWeightsFile, " and ", kExportCheckFile));
}

// What only a program's file could tell is taken from the manifest.
absl::Status CheckModel(const v1::ExportManifest& manifest) {
  if (IsProgram(manifest.model())) {
    RETURN_IF_ERROR(CheckProgram(manifest.model()));
    if (!ProgramFile(manifest.model()).sha256().empty()) return absl::OkStatus();
    return absl::DataLossError("the SHA-256 of its model file is missing; export the model again");
  }
  ASSIGN_OR_RETURN(const ModelPlan plan, PlanOf(manifest));
  if (static_cast<uint64_t>(plan.parameters) != manifest.parameters() ||
      static_cast<uint64_t>(plan.multiply_adds) != manifest.multiply_adds()) {
    return absl::DataLossError(absl::StrCat(
        "it names ", manifest.parameters(), " parameters and ", manifest.multiply_adds(),
        " multiply-adds, but its model has ", plan.parameters, " and ", plan.multiply_adds));
  }
  return absl::OkStatus();
}

absl::Status CheckConsistent(const v1::ExportManifest& manifest) {
  if (manifest.format_version() != kExportFormatVersion) {
    return absl::FailedPreconditionError(
        absl::StrCat("format_version is ", manifest.format_version(), ", but this program reads ",
                     kExportFormatVersion, "; use the version of the program that wrote it"));
  }
  RETURN_IF_ERROR(CheckNames(manifest));
  RETURN_IF_ERROR(CheckModel(manifest));
  if (!manifest.class_names().empty() &&
      manifest.class_names_size() != static_cast<int>(manifest.classes())) {
    return absl::DataLossError(absl::StrCat("it has ", manifest.class_names_size(),
                                            " class names for ", manifest.classes(), " classes"));
  }
  const std::string fingerprint = ExportFingerprint(manifest);
  if (fingerprint != manifest.fingerprint()) {
    return WithErrorId(absl::DataLossError(absl::StrCat(
                           "its fingerprint is ", manifest.fingerprint(), ", but its fields give ",
                           fingerprint, "; it was changed, export the model again")),
                       ErrorId::kExportDamaged);
  }
  return absl::OkStatus();
}

}  // namespace

std::string ModelDigest(const std::map<std::string, TensorView>& tensors) {
  Sha256 digest;
  for (const auto& [name, view] : tensors) {
    std::string header;
    AppendText(header, name);
    AppendText(header, ElementTypeName(view.type));
    AppendText(header, Shape(view.dims));
    digest.Update(header);
    digest.Update(view.bytes);
  }
  return digest.FinishHex();
}

std::string ExportFingerprint(const v1::ExportManifest& manifest) {
  const v1::ModelConfig& model = manifest.model();
  std::string text;
  AppendText(text, "distillery export 1");
  AppendText(text, model.architecture());
  AppendText(text, absl::StrJoin(model.widths(), ","));
  AppendText(text, absl::StrJoin(model.strides(), ","));
  AppendText(text, absl::StrCat(model.batch_norm(), ",", model.global_average_pool()));
  AppendText(text, Shape(ExampleDims(manifest)));
  AppendDouble(text, manifest.scale());
  AppendDouble(text, manifest.mean());
  AppendDouble(text, manifest.deviation());
  AppendText(text, absl::StrCat(manifest.classes(), ",", manifest.class_names_size()));
  for (const std::string& name : manifest.class_names()) AppendText(text, name);
  AppendText(text, manifest.weights_sha256());
  if (IsProgram(model)) {
    const v1::ModelFile& file = ProgramFile(model);
    AppendText(text, model.has_aot_inductor() ? "aot_inductor" : "torch_script");
    AppendText(text, file.sha256());
    AppendText(text, absl::StrJoin(file.example_dims(), ","));
    for (const std::string& output : file.outputs()) AppendText(text, output);
  }
  return Sha256Hex(text);
}

absl::Status CompleteManifest(std::string_view weights_file_bytes, v1::ExportManifest& manifest) {
  if (!IsProgram(manifest.model())) {
    ASSIGN_OR_RETURN(const ModelPlan plan, PlanOf(manifest));
    manifest.set_parameters(plan.parameters);
    manifest.set_multiply_adds(plan.multiply_adds);
  }
  manifest.set_format_version(kExportFormatVersion);
  manifest.set_weights_file(kExportWeightsFile);
  manifest.set_check_file(kExportCheckFile);
  manifest.set_weights_sha256(Sha256Hex(weights_file_bytes));
  manifest.set_fingerprint(ExportFingerprint(manifest));
  return CheckConsistent(manifest);
}

absl::StatusOr<std::string> PrintManifest(const v1::ExportManifest& manifest) {
  google::protobuf::util::JsonPrintOptions options;
  options.add_whitespace = true;
  options.always_print_primitive_fields = true;
  options.preserve_proto_field_names = true;
  std::string text;
  const auto status = google::protobuf::util::MessageToJsonString(manifest, &text, options);
  if (!status.ok()) {
    return absl::InternalError(
        absl::StrCat("export manifest cannot be printed: ", std::string(status.message())));
  }
  return text;
}

absl::StatusOr<v1::ExportManifest> ParseManifest(std::string_view text) {
  if (text.size() > kMaxManifestBytes) {
    return absl::InvalidArgumentError(absl::StrCat(
        "export manifest has ", text.size(), " bytes; at most ", kMaxManifestBytes, " are read"));
  }
  v1::ExportManifest manifest;
  const auto parsed = google::protobuf::util::JsonStringToMessage(std::string(text), &manifest);
  if (!parsed.ok()) {
    return absl::InvalidArgumentError(
        absl::StrCat("export manifest cannot be read: ", std::string(parsed.message())));
  }
  absl::Status status = CheckConsistent(manifest);
  if (!status.ok()) return Annotate(status, "export manifest");
  return manifest;
}

absl::Status CheckWeightsFile(const v1::ExportManifest& manifest, std::string_view bytes) {
  const std::string digest = Sha256Hex(bytes);
  if (digest == manifest.weights_sha256()) return absl::OkStatus();
  return WithErrorId(absl::DataLossError(absl::StrCat(
                         kExportWeightsFile, " has SHA-256 ", digest, ", but its manifest names ",
                         manifest.weights_sha256(), "; it is damaged or of another export")),
                     ErrorId::kExportDamaged);
}

absl::Status CheckTensors(const v1::ExportManifest& manifest,
                          const std::map<std::string, TensorView>& tensors) {
  if (IsProgram(manifest.model())) return absl::OkStatus();  // its file has the names
  ASSIGN_OR_RETURN(const ModelPlan plan, PlanOf(manifest));
  for (const TensorSpec& spec : plan.tensors) {
    const auto it = tensors.find(spec.name);
    if (it == tensors.end()) {
      return absl::DataLossError(absl::StrCat("weights: tensor ", spec.name, " is missing"));
    }
    const TensorView& view = it->second;
    if (view.type != ElementType::kFloat32 || view.dims != spec.dims) {
      return absl::DataLossError(absl::StrCat("weights: tensor ", spec.name, " is ",
                                              ElementTypeName(view.type), " ", Shape(view.dims),
                                              ", but the model needs float32 ", Shape(spec.dims)));
    }
  }
  if (tensors.size() == plan.tensors.size()) return absl::OkStatus();
  return absl::DataLossError(absl::StrCat("weights: ", tensors.size(),
                                          " tensors, but the model has ", plan.tensors.size()));
}

absl::Status CheckFits(const v1::ExportManifest& manifest, int64_t classes,
                       std::span<const int64_t> example_dims) {
  if (manifest.classes() != classes) {
    return WithErrorId(
        absl::FailedPreconditionError(absl::StrCat("the exported model has ", manifest.classes(),
                                                   " classes, but the data set ", classes)),
        ErrorId::kTeacherClasses);
  }
  const std::span<const int64_t> own = ExampleDims(manifest);
  if (std::vector<int64_t>(own.begin(), own.end()) !=
      std::vector<int64_t>(example_dims.begin(), example_dims.end())) {
    return WithErrorId(
        absl::FailedPreconditionError(absl::StrCat("the exported model reads examples ", Shape(own),
                                                   ", but the data set has ", Shape(example_dims))),
        ErrorId::kTeacherShape);
  }
  return absl::OkStatus();
}

absl::Status CheckLogits(const TensorView& ids, const TensorView& expected,
                         const TensorView& actual, double tolerance) {
  if (ids.type != ElementType::kInt64 || expected.type != ElementType::kFloat32 ||
      actual.type != ElementType::kFloat32 || expected.dims.size() != 2 || expected.dims[1] < 1 ||
      ids.dims != std::vector<int64_t>{expected.dims[0]} || actual.dims != expected.dims) {
    return absl::InvalidArgumentError(
        absl::StrCat("check: ids ", Shape(ids.dims), ", expected logits ", Shape(expected.dims),
                     " and computed logits ", Shape(actual.dims), " do not belong together"));
  }
  const std::span<const float> want = expected.as<float>();
  const std::span<const float> got = actual.as<float>();
  size_t worst = 0;
  double worst_excess = 0;
  for (size_t i = 0; i < want.size(); ++i) {
    const double error = std::abs(static_cast<double>(got[i]) - want[i]) /
                         std::max(1.0, std::abs(static_cast<double>(want[i])));
    const double excess = std::isfinite(error) ? error : HUGE_VAL;
    if (excess > worst_excess) {
      worst = i;
      worst_excess = excess;
    }
  }
  if (worst_excess <= tolerance) return absl::OkStatus();
  const size_t classes = static_cast<size_t>(expected.dims[1]);
  return WithErrorId(
      absl::DataLossError(absl::StrCat(
          "check: example ", ids.as<int64_t>()[worst / classes], ", class ", worst % classes,
          ": logit ", got[worst], ", but the exporting process computed ", want[worst],
          " (tolerance ", tolerance, "); the weights or the code changed")),
      ErrorId::kExportDamaged);
}

}  // namespace distill
