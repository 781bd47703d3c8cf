// What is to be recorded for one teacher role of a run, and what a teacher server is told
// so that it can answer.
#ifndef CLI_LABEL_RECORDING_RECORDING_PLAN_H_
#define CLI_LABEL_RECORDING_RECORDING_PLAN_H_

#include <cstdint>
#include <string>

#include "absl/status/statusor.h"
#include "common/files/file_system.h"
#include "distillation/label_sets/identity.h"
#include "proto/coordinator.pb.h"
#include "proto/run_config.pb.h"
#include "proto/teacher.pb.h"

namespace distill {

struct RecordingRequest {
  std::string run;
  // May be empty for a run with one teacher.
  std::string role;
  // Holds <teacher's run>/export.
  std::string run_dir;
  uint32_t block_rows = 64;
};

struct RecordingPlan {
  // The numerics class is open: that of the teacher servers.
  LabelSetIdentity identity;
  v1::ViewSpec view;
  // For the streams; exact.
  v1::Open open;
  // For a teacher server that no coordinator tells what to serve.
  v1::Serve order;
};

// `plan` resolved. Reads the export's manifest and the training data, whose size decides
// how many rows there are.
//   INVALID_ARGUMENT     no such run or role; block_rows beyond a teacher's batch.
//   FAILED_PRECONDITION  the view cannot be recorded, or the teacher does not fit the data.
//   NOT_FOUND            no export: train the teacher first.
//   UNIMPLEMENTED        the run names no codec that a set can hold.
//   else the errors of DataSet::Load.
absl::StatusOr<RecordingPlan> PlanRecording(FileSystem& files, const v1::PlanConfig& plan,
                                            const RecordingRequest& request);

}  // namespace distill

#endif  // CLI_LABEL_RECORDING_RECORDING_PLAN_H_
