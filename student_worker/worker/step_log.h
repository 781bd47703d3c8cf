// DIR/<run>/metrics.rank<r>.jsonl: one line a step.
#ifndef STUDENT_WORKER_WORKER_STEP_LOG_H_
#define STUDENT_WORKER_WORKER_STEP_LOG_H_

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "common/files/file_system.h"
#include "student_worker/accounting/step_record.h"

namespace distill {

// A step waits for its record, and one line written alone costs as much as eight written
// together: records are kept until they are kMostUnwritten, or of steps that took kWriteEvery.
// There is no timer: whoever is about to wait for long, as for a teacher, flushes first.
// What a killed process made since then is lost; it lies behind the last checkpoint.
//
// Thread-compatible.
class StepLog {
 public:
  static constexpr size_t kMostUnwritten = 16;
  static constexpr absl::Duration kWriteEvery = absl::Milliseconds(250);

  // Opens the log for steps from `first_step` on: what an earlier world wrote of them is
  // cut off, so that each step is there once. Errors of FileSystem.
  static absl::StatusOr<std::unique_ptr<StepLog>> Open(FileSystem& files, const std::string& path,
                                                       int64_t first_step);

  // Writes what is left, also that of a session that failed.
  ~StepLog();

  // An error of FileSystem may be of an earlier record.
  absl::Status Append(StepRecord record);
  // Before a long wait, and before a checkpoint: a run that resumes from it has the records of all
  // steps up to it.
  absl::Status Flush();

 private:
  explicit StepLog(std::unique_ptr<AppendFile> file) : file_(std::move(file)) {}

  const std::unique_ptr<AppendFile> file_;
  std::vector<StepRecord> unwritten_;
  // What their steps took.
  absl::Duration unwritten_time_;
};

}  // namespace distill

#endif  // STUDENT_WORKER_WORKER_STEP_LOG_H_
