// DIR/<run>/metrics.rank<r>.jsonl: one line a step.
#ifndef STUDENT_WORKER_WORKER_STEP_LOG_H_
#define STUDENT_WORKER_WORKER_STEP_LOG_H_

#include <cstdint>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "common/files/file_system.h"
#include "student_worker/accounting/step_record.h"

namespace distill {

// Thread-compatible.
class StepLog {
 public:
  // Opens the log for steps from `first_step` on: what an earlier world wrote of them is
  // cut off, so that each step is there once. Errors of FileSystem.
  static absl::StatusOr<std::unique_ptr<StepLog>> Open(FileSystem& files, const std::string& path,
                                                       int64_t first_step);

  absl::Status Append(const StepRecord& record);

 private:
  explicit StepLog(std::unique_ptr<AppendFile> file) : file_(std::move(file)) {}
  const std::unique_ptr<AppendFile> file_;
};

}  // namespace distill

#endif  // STUDENT_WORKER_WORKER_STEP_LOG_H_
