// `distillctl doctor`: whether this machine, and a plan's files, are fit for a run.
#ifndef CLI_DOCTOR_DOCTOR_H_
#define CLI_DOCTOR_DOCTOR_H_

#include <functional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "cli/command_line/model_flags.h"
#include "cli/doctor/finding.h"
#include "cli/doctor/machine.h"
#include "common/files/file_system.h"

namespace distill {

struct DoctorRequest {
  // Empty: without a plan.
  std::string config;
  std::vector<std::string> settings;
  std::string run_dir = ".";
  // Path of the running distillctl, and what the plan's relative path starts from.
  std::string self;
  std::string working_directory;
  // With which the processes would be started.
  ModelFlags models;
  // Asked before each file: whether somebody wants it to stop. Null: nobody.
  std::function<bool()> stopped;
};

// All checks, in the order they are printed; those of a plan only with one. Reads every data
// file of the plan whole. Bounded by the time that takes and 20 s for each of four programs.
// CANCELLED: it was stopped, and what it found so far is no answer.
absl::StatusOr<std::vector<Finding>> Examine(Machine& machine, FileSystem& files,
                                             const DoctorRequest& request);

}  // namespace distill

#endif  // CLI_DOCTOR_DOCTOR_H_
