// The order in which timers fire; both timer queues keep theirs in it.
#ifndef COMMON_CLOCK_TIMER_SET_H_
#define COMMON_CLOCK_TIMER_SET_H_

#include <cstddef>
#include <map>
#include <optional>
#include <unordered_map>
#include <utility>
#include <vector>

#include "absl/functional/any_invocable.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "common/clock/timer.h"

namespace distill {

// Timers by (deadline, order of scheduling). No clock, no lock: thread-compatible.
class TimerSet {
 public:
  explicit TimerSet(size_t capacity);

  // RESOURCE_EXHAUSTED when `capacity` timers wait.
  absl::StatusOr<TimerQueue::TimerId> Add(absl::Duration deadline,
                                          absl::AnyInvocable<void()> closure);
  // Takes a timer out; nothing where it does not wait. The closure is handed over and
  // not destroyed here, since its destructor may call back into the queue.
  std::optional<absl::AnyInvocable<void()>> Remove(TimerQueue::TimerId id);

  // The earliest deadline, if a timer waits.
  std::optional<absl::Duration> NextDeadline() const;
  // Takes the earliest timer out if its deadline is `now` or before.
  std::optional<absl::AnyInvocable<void()>> PopDue(absl::Duration now);

  size_t size() const { return timers_.size(); }
  std::vector<absl::AnyInvocable<void()>> RemoveAll();

 private:
  using Key = std::pair<absl::Duration, TimerQueue::TimerId>;

  const size_t capacity_;
  TimerQueue::TimerId next_id_ = 1;
  std::map<Key, absl::AnyInvocable<void()>> timers_;
  std::unordered_map<TimerQueue::TimerId, absl::Duration> deadlines_;
};

}  // namespace distill

#endif  // COMMON_CLOCK_TIMER_SET_H_
