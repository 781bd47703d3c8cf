// Measures the exports of a finished plan: what DIR/report.json says about its models.
#ifndef STUDENT_WORKER_EVALUATION_EVALUATION_H_
#define STUDENT_WORKER_EVALUATION_EVALUATION_H_

#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "common/clock/clock.h"
#include "common/files/file_system.h"
#include "distillation/models/model_directory.h"
#include "proto/report.pb.h"
#include "proto/run_config.pb.h"

namespace distill {

// The run that `agreement` compares with: of those that others take as teacher the
// last in the plan's order; where there is none, the first run. "" without runs.
std::string ReferenceRun(const v1::PlanConfig& plan);

// Reads RUN_DIR/<run>/export of every run of a resolved plan, verifies it against the
// logits recorded there, and measures it on the test split of the run's data set.
// A model from a file is loaded from `programs`. Fills in what Report says of
// models, plan and reference. Agreement
// is 1 for the reference, and 0 where the reference cannot read the run's examples. For a process
// that did not train the models; set its threads first (distillation/models/threads.h). Errors name
// the run:
//   NOT_FOUND            it has no export: let it finish. Or a data file is missing.
//   DATA_LOSS            export or data file damaged, or the logits are not those recorded.
//   FAILED_PRECONDITION  an export of another format version, or for other data.
//   INVALID_ARGUMENT     a manifest or data file that is none; a plan without runs.
//   OUT_OF_RANGE         an id recorded at export is not in the split.
//   others               of FileSystem and LibTorch.
absl::StatusOr<v1::Report> EvaluatePlan(FileSystem& files, Clock& clock, const std::string& run_dir,
                                        const v1::PlanConfig& plan,
                                        const ModelDirectory& programs = {});

// Writes the logits that the export of a run gives the whole test split to a .npy file, float32
// [examples, classes]. `wanted` is "RUN=FILE"; empty: nothing to do. Errors as of EvaluatePlan;
// NOT_FOUND where the plan has no such run, INVALID_ARGUMENT for another form.
absl::Status WriteTestLogits(FileSystem& files, const std::string& run_dir,
                             const v1::PlanConfig& plan, const std::string& wanted,
                             const ModelDirectory& programs = {});

// Whether an error of EvaluatePlan lies in the data or the exports, so that evaluating
// them again gives it again.
bool IsDataProblem(const absl::Status& status);

}  // namespace distill

#endif  // STUDENT_WORKER_EVALUATION_EVALUATION_H_
