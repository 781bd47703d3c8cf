// Whether the files that a plan reads are there, sound, and what its runs need.
#ifndef CLI_DOCTOR_PLAN_FILES_H_
#define CLI_DOCTOR_PLAN_FILES_H_

#include <functional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "cli/doctor/finding.h"
#include "common/files/file_system.h"
#include "distillation/models/model_directory.h"
#include "proto/run_config.pb.h"

namespace distill {

// What failed and why, on one line: without the lines of a plan that stand below its problems.
Finding FailedCheck(const std::string& check, const absl::Status& status, const std::string& fix);

// Reads every data file of a valid plan whole: "data NAME". "run NAME" where it cannot train on
// that data, "labels RUN/ROLE" of each recorded set, "model RUN" of each run whose
// model comes from a file.
// Asks `stopped` before each file; once it says so, what was found says nothing true.
std::vector<Finding> CheckPlanFiles(FileSystem& files, const v1::PlanConfig& plan,
                                    const ModelDirectory& models,
                                    const std::function<bool()>& stopped);

}  // namespace distill

#endif  // CLI_DOCTOR_PLAN_FILES_H_
