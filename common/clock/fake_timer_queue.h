// A TimerQueue without a thread: a test moves time, and the timers fire in it.
#ifndef COMMON_CLOCK_FAKE_TIMER_QUEUE_H_
#define COMMON_CLOCK_FAKE_TIMER_QUEUE_H_

#include <cstddef>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "common/clock/fake_clock.h"
#include "common/clock/timer.h"
#include "common/clock/timer_set.h"

namespace distill {

// Does not own the clock, which must outlive it.
//
//   FakeClock clock;
//   FakeTimerQueue timers(&clock);
//   ...
//   timers.Advance(absl::Seconds(5));  // fires on the calling thread
class FakeTimerQueue : public TimerQueue {
 public:
  explicit FakeTimerQueue(FakeClock* clock, size_t capacity = 1 << 20);

  absl::StatusOr<TimerId> ScheduleAt(absl::Duration deadline,
                                     absl::AnyInvocable<void()> closure) override
      ABSL_LOCKS_EXCLUDED(mutex_);
  bool Cancel(TimerId id) override ABSL_LOCKS_EXCLUDED(mutex_);

  // Moves the clock on by `by`, stopping at each deadline on the way: a closure
  // reads its own deadline (or later) as the time, and what it schedules inside the
  // interval fires too. Advance(0) fires what is due. Call from one thread at a time.
  // Crashes after a million closures: they schedule one another without end.
  void Advance(absl::Duration by) ABSL_LOCKS_EXCLUDED(mutex_);

  // Timers that wait.
  size_t pending() const ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  bool RunNextUpTo(absl::Duration end) ABSL_LOCKS_EXCLUDED(mutex_);

  FakeClock* const clock_;
  mutable absl::Mutex mutex_;
  TimerSet timers_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace distill

#endif  // COMMON_CLOCK_FAKE_TIMER_QUEUE_H_
