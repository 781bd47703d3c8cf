// A Clock that stands still until a test moves it.
#ifndef COMMON_CLOCK_FAKE_CLOCK_H_
#define COMMON_CLOCK_FAKE_CLOCK_H_

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "common/clock/clock.h"

namespace distill {

// Starts at 2024-01-01 00:00 UTC and at a monotonic reading of 1000 s: not zero, so
// that code which takes "zero" for "never" is caught. Thread-safe.
// Moving the clock fires no timers: where there are some, use FakeTimerQueue::Advance.
class FakeClock : public Clock {
 public:
  FakeClock();

  absl::Time WallNow() override ABSL_LOCKS_EXCLUDED(mutex_);
  absl::Duration MonotonicNow() override ABSL_LOCKS_EXCLUDED(mutex_);

  // Both clocks go on by `by`, which must not be negative: crashes otherwise.
  void Advance(absl::Duration by) ABSL_LOCKS_EXCLUDED(mutex_);

  // The wall clock alone is set forward or back, as an operator or NTP would.
  void JumpWall(absl::Duration by) ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  absl::Mutex mutex_;
  absl::Time wall_ ABSL_GUARDED_BY(mutex_);
  absl::Duration monotonic_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace distill

#endif  // COMMON_CLOCK_FAKE_CLOCK_H_
