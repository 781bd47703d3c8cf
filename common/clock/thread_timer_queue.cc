#include "common/clock/thread_timer_queue.h"

#include <algorithm>
#include <chrono>
#include <optional>
#include <utility>
#include <vector>

#include "absl/base/internal/raw_logging.h"
#include "absl/status/status.h"

namespace distill {
namespace {

// What std::condition_variable_any asks of a lock.
struct BasicLock {
  absl::Mutex* mutex;
  void lock() ABSL_NO_THREAD_SAFETY_ANALYSIS { mutex->Lock(); }
  void unlock() ABSL_NO_THREAD_SAFETY_ANALYSIS { mutex->Unlock(); }
};

}  // namespace

ThreadTimerQueue::ThreadTimerQueue(Clock* clock, size_t capacity)
    : clock_(clock), timers_(capacity), thread_([this] { Run(); }) {}

ThreadTimerQueue::~ThreadTimerQueue() { Stop(); }

absl::StatusOr<TimerQueue::TimerId> ThreadTimerQueue::ScheduleAt(
    absl::Duration deadline, absl::AnyInvocable<void()> closure) {
  absl::MutexLock lock(&mutex_);
  if (stopped_) return absl::UnavailableError("timer queue: stopped, the timer will not fire");
  auto id = timers_.Add(deadline, std::move(closure));
  changed_.notify_one();
  return id;
}

bool ThreadTimerQueue::Cancel(TimerId id) {
  std::optional<absl::AnyInvocable<void()>> closure;  // Destroyed after the lock.
  absl::MutexLock lock(&mutex_);
  closure = timers_.Remove(id);
  return closure.has_value();
}

void ThreadTimerQueue::Stop() {
  ABSL_RAW_CHECK(std::this_thread::get_id() != thread_.get_id(),
                 "a timer's closure stops its own queue, which waits for the closure");
  std::vector<absl::AnyInvocable<void()>> dropped;  // Destroyed after the lock.
  {
    absl::MutexLock lock(&mutex_);
    stopped_ = true;
    dropped = timers_.RemoveAll();
    changed_.notify_one();
  }
  if (thread_.joinable()) thread_.join();
}

void ThreadTimerQueue::WaitForChangeOrDeadline() {
  BasicLock lock{&mutex_};
  const std::optional<absl::Duration> deadline = timers_.NextDeadline();
  if (!deadline.has_value()) {
    changed_.wait(lock);
    return;
  }
  // An hour at most, so that a deadline of "never" does not overflow the sum below.
  const absl::Duration wait = std::min(*deadline - clock_->MonotonicNow(), absl::Hours(1));
  changed_.wait_until(lock, std::chrono::steady_clock::now() + absl::ToChronoNanoseconds(wait));
}

void ThreadTimerQueue::Run() {
  mutex_.Lock();
  while (!stopped_) {
    std::optional<absl::AnyInvocable<void()>> closure = timers_.PopDue(clock_->MonotonicNow());
    if (!closure.has_value()) {
      WaitForChangeOrDeadline();
      continue;
    }
    mutex_.Unlock();
    (*closure)();
    closure.reset();  // Destroyed without the lock: it may own what cancels a timer.
    mutex_.Lock();
  }
  mutex_.Unlock();
}

}  // namespace distill
