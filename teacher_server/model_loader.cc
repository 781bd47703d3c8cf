#include "teacher_server/model_loader.h"

#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/status/annotate.h"
#include "common/status/error_id.h"
#include "common/status/status_macros.h"
#include "common/tensor_view/tensor_view.h"
#include "distillation/labels/codec.h"
#include "distillation/models/export/load_model.h"
#include "distillation/models/export/manifest.h"
#include "distillation/run_config/digests.h"
#include "teacher_server/canary/canary.h"
#include "teacher_server/runner/model_runner.h"

namespace distill {
namespace {

// The model would read other numbers than it was trained on.
absl::Status CheckPreprocessing(const v1::ExportManifest& manifest, const v1::DataSetConfig& data) {
  const auto same = [](const char* field, double exported, double served) -> absl::Status {
    if (exported == served) return absl::OkStatus();
    return WithErrorId(absl::FailedPreconditionError(absl::StrCat(
                           "the model was trained on data with ", field, " ", exported,
                           " and data_set.", field, " is ", served, "; train it anew")),
                       ErrorId::kTeacherData);
  };
  RETURN_IF_ERROR(same("scale", manifest.scale(), data.scale()));
  RETURN_IF_ERROR(same("mean", manifest.mean(), data.mean()));
  return same("deviation", manifest.deviation(), data.deviation());
}

// Of the examples that the export kept.
absl::StatusOr<CanaryRecord> CanaryOf(const Export& exported, const std::string& output) {
  const ExportCheck& check = exported.check;
  CanaryRecord record;
  if (check.examples.dims.empty()) return record;
  record.fingerprint = exported.manifest.fingerprint();
  record.output = output;
  record.examples = check.examples;
  record.logits = check.logits;
  const int64_t kept = check.examples.dims[0];
  const auto& manifest = exported.manifest;
  std::vector<int64_t> dims = {kept};
  dims.insert(dims.end(), manifest.example_dims().begin(), manifest.example_dims().end());
  const std::vector<int64_t>& logits = check.logits.dims;
  if (kept < 1 || check.examples.dims != dims || check.ids.type != ElementType::kInt64 ||
      check.ids.elements() < kept || logits.size() != 2 || logits[0] < kept ||
      logits[1] != int64_t{manifest.classes()} || check.logits.type != ElementType::kFloat32) {
    return WithErrorId(
        absl::DataLossError("its recorded answers do not fit it; export the model again"),
        ErrorId::kExportDamaged);
  }
  const auto ids = check.ids.as<int64_t>().first(static_cast<size_t>(kept));
  record.ids.assign(ids.begin(), ids.end());
  record.logits.dims[0] = kept;
  record.logits.bytes =
      record.logits.bytes.first(static_cast<size_t>(kept * logits[1]) * sizeof(float));
  if (const absl::Status valid = record.Validate(); !valid.ok()) {
    return WithErrorId(absl::DataLossError(valid.message()), ErrorId::kExportDamaged);
  }
  return record;
}

}  // namespace

absl::StatusOr<Serving> LoadServing(FileSystem& files, const std::string& run_dir,
                                    const v1::Serve& order, uint64_t incarnation, Executor* device,
                                    Clock* clock, const ModelDirectory& programs) {
  // Model names are run names, which the configuration keeps to one path element; what
  // comes over the wire is held to that here too.
  if (order.model().empty() || order.model().find('/') != std::string::npos ||
      order.model() == "." || order.model() == "..") {
    return absl::InvalidArgumentError(absl::StrCat("'", order.model(), "' is no model name"));
  }
  const std::string folder = JoinPath(JoinPath(run_dir, order.model()), "export");
  ASSIGN_OR_RETURN(const Export exported, ReadExport(files, folder));
  const v1::ExportManifest& manifest = exported.manifest;
  if (manifest.fingerprint() != order.fingerprint()) {
    return WithErrorId(
        absl::FailedPreconditionError(absl::StrCat(
            "export ", folder, " has the fingerprint ", manifest.fingerprint().substr(0, 12),
            "... and the run names ", order.fingerprint().substr(0, 12),
            "...; is --run-dir the folder that the students write to?")),
        ErrorId::kTeacherFingerprint);
  }
  Serving serving;
  ASSIGN_OR_RETURN(serving.data, DataSet::Load(files, order.data_set(), DataSet::Files::kTraining));
  RETURN_IF_ERROR(
      Annotate(CheckFits(manifest, serving.data->classes(), serving.data->example_dims()), folder));
  RETURN_IF_ERROR(Annotate(CheckPreprocessing(manifest, order.data_set()), folder));
  ASSIGN_OR_RETURN(std::unique_ptr<Model> model, LoadModel(exported, programs));

  ModelRunnerOptions options;
  options.fingerprint = manifest.fingerprint();
  options.example_dims = serving.data->example_dims();
  options.classes = serving.data->classes();
  serving.runner = MakeModelRunner(std::move(model), options, device, clock);
  const ModelDescription& description = serving.runner->description();
  serving.model.model = order.model();
  serving.model.fingerprint = manifest.fingerprint();
  serving.model.numerics_class = description.numerics_class;
  serving.model.data_set_digest = DataSetDigest(order.data_set());
  serving.model.outputs = description.outputs;
  serving.model.codecs = ServedCodecNames();
  serving.model.example_dims = description.example_dims;
  serving.model.classes = static_cast<uint32_t>(description.classes);
  serving.model.incarnation = incarnation;
  serving.bounds = order.serving();
  absl::StatusOr<CanaryRecord> canary = CanaryOf(exported, description.outputs[0]);
  if (!canary.ok()) return Annotate(canary.status(), folder);
  serving.canary = *std::move(canary);
  return serving;
}

}  // namespace distill
