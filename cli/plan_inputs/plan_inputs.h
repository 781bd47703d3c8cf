// Whether the files that a plan reads are there, sound, and what its runs need.
#ifndef CLI_PLAN_INPUTS_PLAN_INPUTS_H_
#define CLI_PLAN_INPUTS_PLAN_INPUTS_H_

#include <functional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "common/files/file_system.h"
#include "distillation/models/model_directory.h"
#include "proto/run_config.pb.h"

namespace distill {

// Whether every data file of a valid plan is there, without a look into it; NOT_FOUND lists all
// that are not, one a line, "field: path: reason".
absl::Status CheckDataFiles(FileSystem& files, const v1::PlanConfig& plan);

struct PlanInput {
  // "data NAME", "run NAME", "labels RUN/ROLE" or "model RUN".
  std::string name;
  absl::Status status;
  // What is there, where `status` is OK.
  std::string found;
  // What to do where it is not; empty where its message says so.
  std::string fix;
};

// Reads every data file of a valid plan whole: "data NAME". "run NAME" where it cannot train on
// that data, "labels RUN/ROLE" of each recorded set of data that is sound (its manifest and the
// headers of its parts), "model RUN" of each run whose model comes from a file.
// Asks `stopped` before each half of a data set, each label set and each model; once it says so,
// what was found says nothing true.
std::vector<PlanInput> ReadPlanInputs(FileSystem& files, const v1::PlanConfig& plan,
                                      const ModelDirectory& models,
                                      const std::function<bool()>& stopped);

// OK where all are; else those that are not, one a line, with name and what to do. Code and id are
// those of the first.
absl::Status CheckUsable(const std::vector<PlanInput>& inputs);

}  // namespace distill

#endif  // CLI_PLAN_INPUTS_PLAN_INPUTS_H_
