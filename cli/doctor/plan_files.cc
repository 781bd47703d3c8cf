#include "cli/doctor/plan_files.h"

#include <memory>
#include <utility>

#include "absl/status/statusor.h"
#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "common/status/error_id.h"
#include "common/status/status_macros.h"
#include "distillation/data/data_set.h"
#include "distillation/label_sets/format.h"
#include "distillation/label_sets/reader.h"
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

void CheckDataSet(FileSystem& files, const v1::PlanConfig& plan, const v1::DataSetConfig& config,
                  const std::function<bool()>& stopped, std::vector<Finding>& findings) {
  const std::string check = absl::StrCat("data ", config.name());
  std::vector<std::string> counts;
  std::vector<Finding> of_runs;
  std::vector<int64_t> training_dims;
  for (const auto which : {DataSet::Files::kTraining, DataSet::Files::kTest}) {
    if (stopped()) return;
    const auto data = DataSet::Load(files, config, which);
    if (!data.ok()) {
      findings.push_back(
          FailedCheck(check, data.status(), "correct data_sets, or get the file anew"));
      return;
    }
    if (which == DataSet::Files::kTraining) {
      training_dims = (*data)->example_dims();
    } else if ((*data)->example_dims() != training_dims) {
      findings.push_back(FailedCheck(check, OtherDims(training_dims, (*data)->example_dims()),
                                     "correct data_sets"));
      return;
    }
    for (const auto& [split, name] :
         {std::pair(v1::TRAIN, "training"), std::pair(v1::VALIDATION, "validation"),
          std::pair(v1::TEST, "test")}) {
      if (const uint64_t size = (*data)->size(split); size > 0) {
        counts.push_back(absl::StrCat(size, " ", name));
      }
    }
    if (which != DataSet::Files::kTraining) continue;
    for (const v1::RunConfig& run : plan.runs()) {
      if (run.data_set() != config.name()) continue;
      const absl::Status fits = CheckExamples(run, **data, plan.seed());
      if (fits.ok()) continue;
      of_runs.push_back(FailedCheck(absl::StrCat("run ", run.name()), fits,
                                    "correct the run, or give it more data"));
    }
  }
  findings.push_back(
      {Verdict::kOk, check, absl::StrCat(absl::StrJoin(counts, ", "), " examples"), ""});
  findings.insert(findings.end(), of_runs.begin(), of_runs.end());
}

// Its manifest and the headers of its parts; what each block holds is checked when it is read.
Finding CheckLabelSet(FileSystem& files, const v1::RunConfig& run,
                      const v1::TeacherConfig& teacher) {
  const std::string check = absl::StrCat("labels ", run.name(), "/", teacher.role());
  const std::string fix = "record it again with distillctl label, which keeps the sound parts";
  const auto manifest = ReadLabelSetManifest(files, teacher.recorded_labels());
  if (!manifest.ok()) return FailedCheck(check, manifest.status(), fix);
  const auto set = LabelSetReader::Open(&files, teacher.recorded_labels(), manifest->identity, {});
  if (!set.ok()) return FailedCheck(check, set.status(), fix);
  return {Verdict::kOk, check,
          absl::StrCat((*set)->identity().rows(), " rows of ", (*set)->identity().classes,
                       " classes in ", teacher.recorded_labels()),
          ""};
}

// As the process reads it that will load it; what the program does is not looked at.
Finding CheckModel(const v1::RunConfig& run, const ModelDirectory& models) {
  const std::string check = absl::StrCat("model ", run.name());
  const v1::ModelFile& file = ProgramFile(run.model());
  const auto program = models.Load(file);
  // Which says what to do.
  if (!program.ok()) return FailedCheck(check, program.status(), "");
  return {Verdict::kOk, check,
          absl::StrCat(file.file(), ", ", program->bytes.size(), " bytes, is the file in the ",
                       "manifest"),
          ""};
}

}  // namespace

Finding FailedCheck(const std::string& check, const absl::Status& status, const std::string& fix) {
  std::vector<std::string> lines;
  for (const std::string& line :
       std::vector<std::string>(absl::StrSplit(MessageWithId(status), '\n'))) {
    if (line.rfind("    ", 0) != 0) lines.emplace_back(absl::StripAsciiWhitespace(line));
  }
  return {Verdict::kFail, check, absl::StrJoin(lines, " | "), fix};
}

std::vector<Finding> CheckPlanFiles(FileSystem& files, const v1::PlanConfig& plan,
                                    const ModelDirectory& models,
                                    const std::function<bool()>& stopped) {
  std::vector<Finding> findings;
  for (const v1::DataSetConfig& data_set : plan.data_sets()) {
    CheckDataSet(files, plan, data_set, stopped, findings);
  }
  for (const v1::RunConfig& run : plan.runs()) {
    for (const v1::TeacherConfig& teacher : run.teachers()) {
      if (IsRecorded(teacher) && !stopped()) findings.push_back(CheckLabelSet(files, run, teacher));
    }
    if (IsProgram(run.model()) && !stopped()) findings.push_back(CheckModel(run, models));
  }
  return findings;
}

}  // namespace distill
