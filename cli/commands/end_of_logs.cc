#include "cli/commands/end_of_logs.h"

namespace distill {

void EndOfLogs::OnPlanEnd(const absl::Status& status) {
  absl::MutexLock lock(&mu_);
  deadline_ = clock_->MonotonicNow() + (status.ok() ? kDrainGrace : absl::ZeroDuration());
}

bool EndOfLogs::Reached() {
  if (shutdown_->requested()) return true;
  const auto processes = directory_->ReadProcesses();
  if (!processes.ok() || processes->empty()) return true;
  absl::MutexLock lock(&mu_);
  return clock_->MonotonicNow() >= deadline_;
}

}  // namespace distill
