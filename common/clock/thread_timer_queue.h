// The TimerQueue of the product: one thread that waits for the next deadline.
#ifndef COMMON_CLOCK_THREAD_TIMER_QUEUE_H_
#define COMMON_CLOCK_THREAD_TIMER_QUEUE_H_

#include <condition_variable>
#include <cstddef>
#include <thread>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "common/clock/clock.h"
#include "common/clock/timer.h"
#include "common/clock/timer_set.h"

namespace distill {

// Does not own the clock, which must outlive it and run at the machine's pace: the
// thread waits for "deadline - MonotonicNow()" of real time. Setting the machine's
// wall clock neither delays nor hastens a timer. Thread-safe.
class ThreadTimerQueue : public TimerQueue {
 public:
  explicit ThreadTimerQueue(Clock* clock, size_t capacity = 65536);
  ~ThreadTimerQueue() override;

  absl::StatusOr<TimerId> ScheduleAt(absl::Duration deadline,
                                     absl::AnyInvocable<void()> closure) override
      ABSL_LOCKS_EXCLUDED(mutex_);
  bool Cancel(TimerId id) override ABSL_LOCKS_EXCLUDED(mutex_);

  // Drops the timers that wait, lets a running closure end, joins the thread. From
  // then on ScheduleAt fails. Never call it from a closure: crashes. Idempotent; not
  // to be called from two threads at once.
  void Stop() ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  void Run() ABSL_LOCKS_EXCLUDED(mutex_);
  void WaitForChangeOrDeadline() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  Clock* const clock_;
  absl::Mutex mutex_;
  TimerSet timers_ ABSL_GUARDED_BY(mutex_);
  bool stopped_ ABSL_GUARDED_BY(mutex_) = false;
  // Not absl::CondVar: that of Debian 12 turns a wait into a wall clock time, which a
  // jump of the wall clock then stretches.
  std::condition_variable_any changed_;
  std::thread thread_;
};

}  // namespace distill

#endif  // COMMON_CLOCK_THREAD_TIMER_QUEUE_H_
