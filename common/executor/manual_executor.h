// An Executor for tests that decide when, and whether, the work runs.
#ifndef COMMON_EXECUTOR_MANUAL_EXECUTOR_H_
#define COMMON_EXECUTOR_MANUAL_EXECUTOR_H_

#include <cstddef>
#include <deque>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "common/executor/executor.h"

namespace distill {

// Keeps the closures in order until the test runs them. Thread-safe; closures run on
// the thread of the test, without a lock held.
class ManualExecutor : public Executor {
 public:
  explicit ManualExecutor(size_t capacity = 1 << 20);

  absl::Status Schedule(absl::AnyInvocable<void()> closure) override ABSL_LOCKS_EXCLUDED(mutex_);

  // Runs the oldest closure; false when there is none.
  bool RunNext() ABSL_LOCKS_EXCLUDED(mutex_);

  // Runs until none is left, those included that are scheduled on the way, and returns
  // how many ran. Crashes after a million: they schedule one another without end.
  int RunAll() ABSL_LOCKS_EXCLUDED(mutex_);

  size_t pending() const ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  const size_t capacity_;
  mutable absl::Mutex mutex_;
  std::deque<absl::AnyInvocable<void()>> queue_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace distill

#endif  // COMMON_EXECUTOR_MANUAL_EXECUTOR_H_
