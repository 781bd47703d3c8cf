#include "common/clock/timer_set.h"

#include "absl/strings/str_cat.h"

namespace distill {

TimerSet::TimerSet(size_t capacity) : capacity_(capacity) {}

absl::StatusOr<TimerQueue::TimerId> TimerSet::Add(absl::Duration deadline,
                                                  absl::AnyInvocable<void()> closure) {
  if (timers_.size() >= capacity_) {
    return absl::ResourceExhaustedError(
        absl::StrCat("timer queue: all ", capacity_,
                     " timers are in use: cancel some, or build the queue with a larger bound"));
  }
  // Ids grow, so they also order the timers of one deadline.
  const TimerQueue::TimerId id = next_id_++;
  timers_.emplace(Key{deadline, id}, std::move(closure));
  deadlines_.emplace(id, deadline);
  return id;
}

std::optional<absl::AnyInvocable<void()>> TimerSet::Remove(TimerQueue::TimerId id) {
  const auto found = deadlines_.find(id);
  if (found == deadlines_.end()) return std::nullopt;
  auto node = timers_.extract(Key{found->second, id});
  deadlines_.erase(found);
  return std::move(node.mapped());
}

std::optional<absl::Duration> TimerSet::NextDeadline() const {
  if (timers_.empty()) return std::nullopt;
  return timers_.begin()->first.first;
}

std::optional<absl::AnyInvocable<void()>> TimerSet::PopDue(absl::Duration now) {
  if (timers_.empty() || timers_.begin()->first.first > now) return std::nullopt;
  auto node = timers_.extract(timers_.begin());
  deadlines_.erase(node.key().second);
  return std::move(node.mapped());
}

std::vector<absl::AnyInvocable<void()>> TimerSet::RemoveAll() {
  std::vector<absl::AnyInvocable<void()>> closures;
  closures.reserve(timers_.size());
  for (auto& [key, closure] : timers_) closures.push_back(std::move(closure));
  timers_.clear();
  deadlines_.clear();
  return closures;
}

}  // namespace distill
