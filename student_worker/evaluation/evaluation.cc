#include "student_worker/evaluation/evaluation.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <map>
#include <memory>
#include <numeric>
#include <span>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "common/status/annotate.h"
#include "common/status/error_id.h"
#include "common/status/status_macros.h"
#include "common/tensor_view/tensor_view.h"
#include "distillation/data/data_set.h"
#include "distillation/data/npy_writer.h"
#include "distillation/models/export/export.h"
#include "distillation/models/export/load_model.h"
#include "distillation/models/export/manifest.h"
#include "distillation/models/model.h"
#include "distillation/run_config/digests.h"
#include "student_worker/training/inference.h"

namespace distill {
namespace {

constexpr int kWarmUpPasses = 20;
constexpr int kTimedPasses = 200;

std::string ExportFolder(const std::string& run_dir, const std::string& run) {
  return JoinPath(JoinPath(run_dir, run), "export");
}

absl::Status NameRun(const absl::Status& status, const v1::RunConfig& run) {
  return Annotate(status, absl::StrCat("run '", run.name(), "'"));
}

struct Candidate {
  const v1::RunConfig* run = nullptr;
  v1::ExportManifest manifest;
  ExportCheck check;
  std::unique_ptr<Model> model;
  v1::ModelReport report;
};

// Loads each data set once, when it is first asked for.
class DataSets {
 public:
  DataSets(FileSystem& files, const v1::PlanConfig& plan, DataSet::Files which)
      : files_(files), plan_(plan), which_(which) {}

  absl::StatusOr<const DataSet*> Find(const std::string& name) {
    if (const auto it = loaded_.find(name); it != loaded_.end()) return it->second.get();
    for (const v1::DataSetConfig& config : plan_.data_sets()) {
      if (config.name() != name) continue;
      ASSIGN_OR_RETURN(auto data, DataSet::Load(files_, config, which_));
      return (loaded_[name] = std::move(data)).get();
    }
    return absl::InvalidArgumentError(absl::StrCat("the plan has no data set '", name, "'"));
  }

 private:
  FileSystem& files_;
  const v1::PlanConfig& plan_;
  const DataSet::Files which_;
  std::map<std::string, std::shared_ptr<const DataSet>> loaded_;
};

absl::StatusOr<Candidate> Load(FileSystem& files, const std::string& run_dir,
                               const v1::RunConfig& run, const ModelDirectory& programs) {
  const std::string folder = ExportFolder(run_dir, run.name());
  // Without a manifest there is no export; a missing weights file is damage.
  const auto manifest = ReadExportManifest(files, folder);
  if (absl::IsNotFound(manifest.status())) {
    return WithErrorId(
        absl::NotFoundError(absl::StrCat("it has no export (", manifest.status().message(),
                                         "); let it finish, then evaluate again")),
        ErrorId::kNoExport);
  }
  RETURN_IF_ERROR(manifest.status());
  absl::StatusOr<Export> exported = ReadExport(files, folder);
  if (absl::IsNotFound(exported.status())) {
    return absl::DataLossError(
        absl::StrCat(exported.status().message(), "; export the model again"));
  }
  RETURN_IF_ERROR(exported.status());
  Candidate candidate;
  candidate.run = &run;
  ASSIGN_OR_RETURN(candidate.model, LoadModel(*exported, programs));
  candidate.manifest = std::move(exported->manifest);
  candidate.check = std::move(exported->check);
  v1::ModelReport& report = candidate.report;
  report.set_parameters(candidate.manifest.parameters());
  report.set_multiply_adds(candidate.manifest.multiply_adds());
  report.set_fingerprint(candidate.manifest.fingerprint());
  report.set_steps(candidate.manifest.steps());
  ASSIGN_OR_RETURN(const uint64_t bytes,
                   files.Size(JoinPath(folder, candidate.manifest.weights_file())));
  report.set_file_bytes(bytes);
  return candidate;
}

absl::Status CheckFitsData(const v1::ExportManifest& manifest, const DataSet& data) {
  return CheckFits(manifest, data.classes(), data.example_dims());
}

double LargestDifference(const TensorView& a, const TensorView& b) {
  const std::span<const float> left = a.as<float>();
  const std::span<const float> right = b.as<float>();
  double largest = 0;
  for (size_t i = 0; i < left.size(); ++i) {
    largest = std::max(largest, std::abs(static_cast<double>(left[i]) - right[i]));
  }
  return largest;
}

// Whether this process computes what the exporting one did.
absl::Status VerifyExport(const DataSet& data, Candidate& candidate) {
  RETURN_IF_ERROR(CheckFitsData(candidate.manifest, data));
  const ExportCheck& check = candidate.check;
  if (check.ids.type != ElementType::kInt64) {
    return absl::DataLossError("the ids of its check are not int64; export the model again");
  }
  std::vector<uint64_t> ids;
  for (const int64_t id : check.ids.as<int64_t>()) ids.push_back(static_cast<uint64_t>(id));
  const v1::Split split = data.size(v1::VALIDATION) > 0 ? v1::VALIDATION : v1::TRAIN;
  ASSIGN_OR_RETURN(const TensorView logits, ComputeLogits(*candidate.model, data, split, ids));
  RETURN_IF_ERROR(CheckLogits(check.ids, check.logits, logits, kExportTolerance));
  candidate.report.set_export_max_difference(LargestDifference(check.logits, logits));
  return absl::OkStatus();
}

std::vector<uint64_t> AllIds(const DataSet& data, v1::Split split) {
  std::vector<uint64_t> ids(data.size(split));
  std::iota(ids.begin(), ids.end(), 0);
  return ids;
}

absl::StatusOr<std::vector<int32_t>> Predict(Model& model, const DataSet& data) {
  ASSIGN_OR_RETURN(const TensorView logits,
                   ComputeLogits(model, data, v1::TEST, AllIds(data, v1::TEST)));
  return Argmax(logits);
}

// Measures on test splits, where the reference predicts once for each data set.
class Examination {
 public:
  Examination(Candidate& reference, DataSets& data_sets, Clock& clock)
      : reference_(reference), data_sets_(data_sets), clock_(clock) {}

  absl::Status Measure(Candidate& candidate) {
    ASSIGN_OR_RETURN(const DataSet* data, data_sets_.Find(candidate.run->data_set()));
    RETURN_IF_ERROR(CheckFitsData(candidate.manifest, *data));
    if (data->size(v1::TEST) == 0) {
      return absl::InvalidArgumentError(
          absl::StrCat("data set '", data->name(), "' has no test examples; nothing to measure"));
    }
    ASSIGN_OR_RETURN(const std::vector<int32_t> predictions, Predict(*candidate.model, *data));
    v1::ModelReport& report = candidate.report;
    report.set_test_accuracy(Accuracy(predictions, data->labels(v1::TEST)));
    if (CheckFitsData(reference_.manifest, *data).ok()) {
      ASSIGN_OR_RETURN(const std::vector<int32_t>* reference, ReferencePredictions(*data));
      report.set_agreement(Agreement(predictions, *reference));
    }
    return MeasureLatency(*data, candidate);
  }

 private:
  absl::StatusOr<const std::vector<int32_t>*> ReferencePredictions(const DataSet& data) {
    auto it = predictions_.find(data.name());
    if (it == predictions_.end()) {
      ASSIGN_OR_RETURN(std::vector<int32_t> predictions, Predict(*reference_.model, data));
      it = predictions_.emplace(data.name(), std::move(predictions)).first;
    }
    return &it->second;
  }

  absl::Status MeasureLatency(const DataSet& data, Candidate& candidate) {
    ASSIGN_OR_RETURN(const TensorView example,
                     data.Examples(v1::TEST, std::vector<uint64_t>{0}, {}, {}));
    ASSIGN_OR_RETURN(const absl::Duration latency,
                     MedianLatency(*candidate.model, example, kWarmUpPasses, kTimedPasses, clock_));
    candidate.report.set_latency_ms(absl::ToDoubleMilliseconds(latency));
    return absl::OkStatus();
  }

  Candidate& reference_;
  DataSets& data_sets_;
  Clock& clock_;
  // By data set.
  std::map<std::string, std::vector<int32_t>> predictions_;
};

absl::StatusOr<std::vector<Candidate>> LoadAll(FileSystem& files, const std::string& run_dir,
                                               const v1::PlanConfig& plan,
                                               const ModelDirectory& programs) {
  std::vector<Candidate> candidates;
  for (const v1::RunConfig& run : plan.runs()) {
    absl::StatusOr<Candidate> candidate = Load(files, run_dir, run, programs);
    if (!candidate.ok()) return NameRun(candidate.status(), run);
    candidates.push_back(*std::move(candidate));
  }
  return candidates;
}

absl::Status VerifyAll(FileSystem& files, const v1::PlanConfig& plan,
                       std::vector<Candidate>& candidates) {
  DataSets data_sets(files, plan, DataSet::Files::kTraining);
  for (Candidate& candidate : candidates) {
    const auto data = data_sets.Find(candidate.run->data_set());
    const absl::Status status = data.ok() ? VerifyExport(**data, candidate) : data.status();
    RETURN_IF_ERROR(NameRun(status, *candidate.run));
  }
  return absl::OkStatus();
}

}  // namespace

std::string ReferenceRun(const v1::PlanConfig& plan) {
  std::string reference = plan.runs().empty() ? "" : plan.runs(0).name();
  for (const v1::RunConfig& run : plan.runs()) {
    for (const v1::RunConfig& student : plan.runs()) {
      for (const v1::TeacherConfig& teacher : student.teachers()) {
        if (teacher.run() == run.name()) reference = run.name();
      }
    }
  }
  return reference;
}

absl::StatusOr<v1::Report> EvaluatePlan(FileSystem& files, Clock& clock, const std::string& run_dir,
                                        const v1::PlanConfig& plan,
                                        const ModelDirectory& programs) {
  if (plan.runs().empty()) return absl::InvalidArgumentError("the plan has no runs to evaluate");
  v1::Report report;
  report.set_plan(plan.name());
  report.set_seed(plan.seed());
  report.set_config_digest(PlanDigest(plan));
  report.set_reference(ReferenceRun(plan));
  ASSIGN_OR_RETURN(std::vector<Candidate> candidates, LoadAll(files, run_dir, plan, programs));
  RETURN_IF_ERROR(VerifyAll(files, plan, candidates));

  const auto reference = std::find_if(
      candidates.begin(), candidates.end(),
      [&](const Candidate& candidate) { return candidate.run->name() == report.reference(); });
  DataSets data_sets(files, plan, DataSet::Files::kTest);
  Examination examination(*reference, data_sets, clock);
  for (Candidate& candidate : candidates) {
    RETURN_IF_ERROR(NameRun(examination.Measure(candidate), *candidate.run));
    (*report.mutable_models())[candidate.run->name()] = candidate.report;
  }
  return report;
}

absl::Status WriteTestLogits(FileSystem& files, const std::string& run_dir,
                             const v1::PlanConfig& plan, const std::string& wanted,
                             const ModelDirectory& programs) {
  if (wanted.empty()) return absl::OkStatus();
  const size_t equals = wanted.find('=');
  if (equals == std::string::npos) {
    return absl::InvalidArgumentError(absl::StrCat("'", wanted, "' is not of the form RUN=FILE"));
  }
  for (const v1::RunConfig& run : plan.runs()) {
    if (run.name() != wanted.substr(0, equals)) continue;
    absl::StatusOr<Candidate> candidate = Load(files, run_dir, run, programs);
    if (!candidate.ok()) return NameRun(candidate.status(), run);
    DataSets data_sets(files, plan, DataSet::Files::kTest);
    ASSIGN_OR_RETURN(const DataSet* data, data_sets.Find(run.data_set()));
    RETURN_IF_ERROR(NameRun(CheckFitsData(candidate->manifest, *data), run));
    ASSIGN_OR_RETURN(const TensorView logits,
                     ComputeLogits(*candidate->model, *data, v1::TEST, AllIds(*data, v1::TEST)));
    ASSIGN_OR_RETURN(const std::string bytes, NpyBytes(logits));
    return WriteFileAtomically(files, wanted.substr(equals + 1), bytes);
  }
  return absl::NotFoundError(
      absl::StrCat("the plan has no run '", wanted.substr(0, equals), "' to write logits of"));
}

bool IsDataProblem(const absl::Status& status) {
  switch (status.code()) {
    case absl::StatusCode::kNotFound:
    case absl::StatusCode::kDataLoss:
    case absl::StatusCode::kFailedPrecondition:
    case absl::StatusCode::kInvalidArgument:
    case absl::StatusCode::kOutOfRange:
      return true;
    default:
      return false;
  }
}

}  // namespace distill
