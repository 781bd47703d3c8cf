#include "cli/plan_inputs/plan_inputs.h"

#include <memory>
#include <utility>

#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/status/error_id.h"
#include "common/status/status_macros.h"
#include "distillation/data/data_set.h"
#include "distillation/label_sets/format.h"
#include "distillation/label_sets/reader.h"
#include "distillation/label_sets/run_label_set.h"
#include "distillation/models/model_file.h"
#include "distillation/order/order.h"
#include "distillation/order/run_examples.h"
#include "distillation/run_config/teachers.h"

namespace distill {
namespace {

// Whether the run can draw its batches and its labelled subset from that data.
absl::Status CheckExamples(const v1::RunConfig& run, const DataSet& data, uint64_t seed) {
  ASSIGN_OR_RETURN(const RunExamples examples,
                   ExamplesOfRun(run, data.labels(v1::TRAIN), data.classes(), seed));
  return Order::Create(examples.order).status();
}

absl::Status OtherDims(const std::vector<int64_t>& training, const std::vector<int64_t>& test) {
  return absl::InvalidArgumentError(absl::StrCat(
      "a training example is [", absl::StrJoin(training, ","), "], but a test example [",
      absl::StrJoin(test, ","), "]: no model can be trained on the ones and tested on the others"));
}

// Its manifest and the headers of its parts; what each block holds is checked when it is read.
PlanInput ReadLabelSet(FileSystem& files, const std::string& name, const std::string& directory,
                       LabelSetIdentity asked) {
  const std::string fix = "record it again with distillctl label, which keeps the sound parts";
  const auto manifest = ReadLabelSetManifest(files, directory);
  if (!manifest.ok()) return {name, manifest.status(), "", fix};
  asked.fingerprint = manifest->identity.fingerprint;  // Of any teacher.
  const auto set = LabelSetReader::Open(&files, directory, asked, {});
  // The message about a sound set of something else says what to do.
  if (!set.ok()) return {name, set.status(), "", absl::IsDataLoss(set.status()) ? fix : ""};
  return {name, absl::OkStatus(),
          absl::StrCat((*set)->identity().rows(), " rows of ", (*set)->identity().classes,
                       " classes in ", directory),
          ""};
}

// As the process reads it that will load it; what the program does is not looked at.
PlanInput ReadModel(const v1::RunConfig& run, const ModelDirectory& models) {
  const std::string name = absl::StrCat("model ", run.name());
  const v1::ModelFile& file = ProgramFile(run.model());
  const auto program = models.Load(file);
  if (!program.ok()) return {name, program.status(), "", ""};
  return {name, absl::OkStatus(),
          absl::StrCat(file.file(), ", ", program->bytes.size(), " bytes, is the file in the ",
                       "manifest"),
          ""};
}

// What the run takes from its training data, and the labels recorded of them.
void ReadForRun(FileSystem& files, const v1::RunConfig& run, const v1::DataSetConfig& config,
                const DataSet& data, uint64_t seed, const std::function<bool()>& stopped,
                std::vector<PlanInput>& inputs) {
  if (absl::Status fits = CheckExamples(run, data, seed); !fits.ok()) {
    inputs.push_back({absl::StrCat("run ", run.name()), std::move(fits), "",
                      "correct the run, or give it more data"});
  }
  for (const v1::TeacherConfig& teacher : run.teachers()) {
    if (!IsRecorded(teacher) || stopped()) continue;
    inputs.push_back(ReadLabelSet(
        files, absl::StrCat("labels ", run.name(), "/", teacher.role()), teacher.recorded_labels(),
        LabelSetOf(run, config, seed, teacher.outputs(0).name(), data.size(v1::TRAIN))));
  }
}

void CountExamples(const DataSet& data, std::vector<std::string>& counts) {
  for (const auto& [split, name] :
       {std::pair(v1::TRAIN, "training"), std::pair(v1::VALIDATION, "validation"),
        std::pair(v1::TEST, "test")}) {
    if (const uint64_t size = data.size(split); size > 0) {
      counts.push_back(absl::StrCat(size, " ", name));
    }
  }
}

void ReadDataSet(FileSystem& files, const v1::PlanConfig& plan, const v1::DataSetConfig& config,
                 const std::function<bool()>& stopped, std::vector<PlanInput>& inputs) {
  const std::string name = absl::StrCat("data ", config.name());
  std::vector<std::string> counts;
  std::vector<PlanInput> for_runs;
  std::vector<int64_t> training_dims;
  for (const auto which : {DataSet::Files::kTraining, DataSet::Files::kTest}) {
    if (stopped()) return;
    const auto data = DataSet::Load(files, config, which);
    if (!data.ok()) {
      inputs.push_back({name, data.status(), "", "correct data_sets, or get the file anew"});
      return;
    }
    CountExamples(**data, counts);
    if (which == DataSet::Files::kTest) {
      if ((*data)->example_dims() == training_dims) continue;
      inputs.push_back(
          {name, OtherDims(training_dims, (*data)->example_dims()), "", "correct data_sets"});
      return;
    }
    training_dims = (*data)->example_dims();
    for (const v1::RunConfig& run : plan.runs()) {
      if (run.data_set() != config.name()) continue;
      ReadForRun(files, run, config, **data, plan.seed(), stopped, for_runs);
    }
  }
  inputs.push_back(
      {name, absl::OkStatus(), absl::StrCat(absl::StrJoin(counts, ", "), " examples"), ""});
  inputs.insert(inputs.end(), for_runs.begin(), for_runs.end());
}

}  // namespace

absl::Status CheckDataFiles(FileSystem& files, const v1::PlanConfig& plan) {
  std::vector<std::string> missing;
  const auto check = [&](const std::string& field, const v1::ArrayFile& file) {
    const absl::Status status = files.Size(file.path()).status();
    if (!status.ok()) missing.push_back(absl::StrCat(field, ": ", std::string(status.message())));
  };
  for (int i = 0; i < plan.data_sets_size(); ++i) {
    const v1::DataSetConfig& data_set = plan.data_sets(i);
    const std::string field = absl::StrCat("data_sets[", i, "]");
    if (data_set.has_idx()) {
      check(field + ".idx.train_images", data_set.idx().train_images());
      check(field + ".idx.train_labels", data_set.idx().train_labels());
      check(field + ".idx.test_images", data_set.idx().test_images());
      check(field + ".idx.test_labels", data_set.idx().test_labels());
    } else if (data_set.has_npy()) {
      check(field + ".npy.train_examples", data_set.npy().train_examples());
      check(field + ".npy.train_labels", data_set.npy().train_labels());
      check(field + ".npy.test_examples", data_set.npy().test_examples());
      check(field + ".npy.test_labels", data_set.npy().test_labels());
    }
  }
  for (int i = 0; i < plan.runs_size(); ++i) {
    for (int j = 0; j < plan.runs(i).teachers_size(); ++j) {
      const v1::TeacherConfig& teacher = plan.runs(i).teachers(j);
      if (!IsRecorded(teacher)) continue;
      const absl::Status status =
          files.Size(JoinPath(teacher.recorded_labels(), kLabelSetManifestFile)).status();
      if (status.ok()) continue;
      missing.push_back(absl::StrCat("runs[", i, "].teachers[", j,
                                     "].recorded_labels: ", std::string(status.message()),
                                     "; record the set to its end with distillctl label"));
    }
  }
  if (missing.empty()) return absl::OkStatus();
  return WithErrorId(
      absl::NotFoundError(absl::StrCat("data files cannot be read; get them, or correct their ",
                                       "paths:\n", absl::StrJoin(missing, "\n"))),
      ErrorId::kDataFilesMissing);
}

std::vector<PlanInput> ReadPlanInputs(FileSystem& files, const v1::PlanConfig& plan,
                                      const ModelDirectory& models,
                                      const std::function<bool()>& stopped) {
  std::vector<PlanInput> inputs;
  for (const v1::DataSetConfig& data_set : plan.data_sets()) {
    ReadDataSet(files, plan, data_set, stopped, inputs);
  }
  for (const v1::RunConfig& run : plan.runs()) {
    if (IsProgram(run.model()) && !stopped()) inputs.push_back(ReadModel(run, models));
  }
  return inputs;
}

absl::Status CheckUsable(const std::vector<PlanInput>& inputs) {
  absl::Status first;
  std::vector<std::string> lines;
  for (const PlanInput& input : inputs) {
    if (input.status.ok()) continue;
    first.Update(input.status);
    const std::string text = absl::StrCat(input.name, ": ", input.status.message());
    // One with an id is followed by what the catalogue advises.
    const bool advised = input.fix.empty() || ErrorIdOf(input.status).has_value();
    lines.push_back(advised ? text : absl::StrCat(text, "; ", input.fix));
  }
  return first.ok() ? first : Reworded(first, first.code(), absl::StrJoin(lines, "\n"));
}

}  // namespace distill
