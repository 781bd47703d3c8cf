// Running something later, without a thread that sleeps.
#ifndef COMMON_CLOCK_TIMER_H_
#define COMMON_CLOCK_TIMER_H_

#include <cstdint>

#include "absl/functional/any_invocable.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"

namespace distill {

// Closures by deadline. Implementations are thread-safe; a closure runs without any
// lock of the queue held, so it may schedule and cancel. It must return soon: the
// later timers wait for it.
//
//   ASSIGN_OR_RETURN(const TimerQueue::TimerId id,
//                    timers.ScheduleAt(clock.MonotonicNow() + absl::Seconds(3),
//                                      [this] { OnSilence(); }));
//   timers.Cancel(id);
//
// The trap: Cancel == false may mean that the closure is running at this moment, so
// what it uses has to outlive the queue, or be shared with it.
class TimerQueue {
 public:
  using TimerId = uint64_t;

  virtual ~TimerQueue() = default;

  // Runs `closure` once, when the monotonic clock reads `deadline` or more; timers
  // of one deadline run in the order they were scheduled. A deadline in the past is
  // due at once, but never runs inside this call.
  // RESOURCE_EXHAUSTED: the queue is full; cancel timers or give it a larger bound.
  // UNAVAILABLE: the queue is stopped; the closure will not run.
  virtual absl::StatusOr<TimerId> ScheduleAt(absl::Duration deadline,
                                             absl::AnyInvocable<void()> closure) = 0;

  // True: the closure has not started and never will. False: it has started, has
  // ended, was cancelled before, or never existed.
  virtual bool Cancel(TimerId id) = 0;
};

}  // namespace distill

#endif  // COMMON_CLOCK_TIMER_H_
