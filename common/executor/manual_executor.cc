#include "common/executor/manual_executor.h"

#include <utility>

#include "absl/base/internal/raw_logging.h"

namespace distill {

ManualExecutor::ManualExecutor(size_t capacity) : capacity_(capacity) {}

absl::Status ManualExecutor::Schedule(absl::AnyInvocable<void()> closure) {
  absl::MutexLock lock(&mutex_);
  if (queue_.size() >= capacity_) {
    return absl::ResourceExhaustedError("manual executor: the queue is full");
  }
  queue_.push_back(std::move(closure));
  return absl::OkStatus();
}

bool ManualExecutor::RunNext() {
  absl::AnyInvocable<void()> closure;
  {
    absl::MutexLock lock(&mutex_);
    if (queue_.empty()) return false;
    closure = std::move(queue_.front());
    queue_.pop_front();
  }
  closure();
  return true;
}

int ManualExecutor::RunAll() {
  int runs = 0;
  while (RunNext()) {
    ABSL_RAW_CHECK(++runs <= 1'000'000, "closures schedule one another without end");
  }
  return runs;
}

size_t ManualExecutor::pending() const {
  absl::MutexLock lock(&mutex_);
  return queue_.size();
}

}  // namespace distill
