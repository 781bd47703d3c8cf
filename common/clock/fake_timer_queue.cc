#include "common/clock/fake_timer_queue.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "absl/base/internal/raw_logging.h"

namespace distill {

FakeTimerQueue::FakeTimerQueue(FakeClock* clock, size_t capacity)
    : clock_(clock), timers_(capacity) {}

absl::StatusOr<TimerQueue::TimerId> FakeTimerQueue::ScheduleAt(absl::Duration deadline,
                                                               absl::AnyInvocable<void()> closure) {
  absl::MutexLock lock(&mutex_);
  return timers_.Add(deadline, std::move(closure));
}

bool FakeTimerQueue::Cancel(TimerId id) {
  std::optional<absl::AnyInvocable<void()>> closure;  // Destroyed after the lock.
  absl::MutexLock lock(&mutex_);
  closure = timers_.Remove(id);
  return closure.has_value();
}

void FakeTimerQueue::Advance(absl::Duration by) {
  const absl::Duration end = clock_->MonotonicNow() + by;
  constexpr int kMaxClosures = 1'000'000;
  int closures = 0;
  while (RunNextUpTo(end)) {
    ABSL_RAW_CHECK(++closures <= kMaxClosures, "timers schedule one another without end");
  }
  clock_->Advance(std::max(absl::ZeroDuration(), end - clock_->MonotonicNow()));
}

bool FakeTimerQueue::RunNextUpTo(absl::Duration end) {
  std::optional<absl::AnyInvocable<void()>> closure;
  {
    absl::MutexLock lock(&mutex_);
    const std::optional<absl::Duration> deadline = timers_.NextDeadline();
    if (!deadline.has_value() || *deadline > end) return false;
    const absl::Duration now = clock_->MonotonicNow();
    if (*deadline > now) clock_->Advance(*deadline - now);
    closure = timers_.PopDue(*deadline);
  }
  (*closure)();
  return true;
}

size_t FakeTimerQueue::pending() const {
  absl::MutexLock lock(&mutex_);
  return timers_.size();
}

}  // namespace distill
