#include "coordinator/service/driver.h"

#include <algorithm>
#include <optional>
#include <utility>

namespace distill {

Driver::Driver(std::unique_ptr<Coordinator> coordinator, Executor* executor, TimerQueue* timers,
               Clock* clock, std::function<void(const absl::Status&)> on_lost)
    : executor_(executor),
      timers_(timers),
      clock_(clock),
      on_lost_(std::move(on_lost)),
      coordinator_(std::move(coordinator)) {}

// The decisions take any time that never goes back; the monotonic clock is one.
absl::Time Driver::Now() const { return absl::UnixEpoch() + clock_->MonotonicNow(); }

absl::Status Driver::Begin() {
  return Post([](Coordinator& coordinator, absl::Time now) { coordinator.OnTime(now); });
}

absl::Status Driver::Post(Event event) {
  return executor_->Schedule([this, event = std::move(event)]() mutable {
    event(*coordinator_, Now());
    Settle();
  });
}

absl::Status Driver::Hello(uint64_t session, PeerIdentity peer, v1::Hello hello,
                           std::shared_ptr<DirectiveSink> sink) {
  return Post([this, session, peer = std::move(peer), hello = std::move(hello),
               sink = std::move(sink)](Coordinator& coordinator, absl::Time now) {
    sinks_[session] = sink;
    const absl::Status status = coordinator.OnHello(session, peer, hello, now);
    if (status.ok()) return;
    sinks_.erase(session);
    sink->End(status);
  });
}

absl::Status Driver::Report(uint64_t session, v1::AttendReport report) {
  return Post(
      [this, session, report = std::move(report)](Coordinator& coordinator, absl::Time now) {
        const auto sink = sinks_.find(session);
        if (sink == sinks_.end()) return;  // ended meanwhile
        const absl::Status status = coordinator.OnReport(session, report, now);
        if (status.ok()) return;
        sink->second->End(status);
        sinks_.erase(sink);
        coordinator.OnStreamLost(session, now);
      });
}

void Driver::Lost(uint64_t session) {
  const absl::Status posted = Post([this, session](Coordinator& coordinator, absl::Time now) {
    sinks_.erase(session);
    coordinator.OnStreamLost(session, now);
  });
  // Dropped: the member's silence will tell.
  posted.IgnoreError();
}

void Driver::EndAll(const absl::Status& reason) {
  // Dropped: the server's shutdown cancels the streams.
  Post([this, reason](Coordinator&, absl::Time) {
    for (const auto& [session, sink] : sinks_) sink->End(reason);
    sinks_.clear();
    for (const auto& watcher : watchers_) watcher->End(reason);
    watchers_.clear();
  }).IgnoreError();
}

absl::Status Driver::Watch(std::shared_ptr<PlanWatcher> watcher) {
  return Post([this, watcher = std::move(watcher)](Coordinator& coordinator, absl::Time) {
    // Those who went while nothing changed: otherwise they would gather.
    std::erase_if(watchers_, [](const auto& other) { return other->Gone(); });
    const absl::StatusOr<v1::PlanStatus> status = coordinator.GetPlan();
    if (status.ok()) {
      if (!watcher->Offer(*status)) return;
      // While nobody watched nothing was kept; the others have heard this already.
      last_status_ = status->SerializeAsString();
    }
    watchers_.push_back(watcher);
  });
}

void Driver::Settle() {
  for (Coordinator::Output& output : coordinator_->TakeOutputs()) {
    const auto sink = sinks_.find(output.session);
    if (sink == sinks_.end()) continue;
    if (output.directive.has_value()) {
      sink->second->Send(*std::move(output.directive));
    } else {
      sink->second->End(output.end);
      sinks_.erase(sink);
    }
  }
  if (absl::IsAborted(coordinator_->health()) && !lost_) {
    lost_ = true;
    on_lost_(coordinator_->health());
  }
  TellWatchers();
  SetTimer();
}

void Driver::TellWatchers() {
  if (watchers_.empty()) return;
  const absl::StatusOr<v1::PlanStatus> status = coordinator_->GetPlan();
  if (!status.ok()) return;
  std::string bytes = status->SerializeAsString();
  if (bytes == last_status_) return;
  last_status_ = std::move(bytes);
  watchers_.erase(std::remove_if(watchers_.begin(), watchers_.end(),
                                 [&](const std::shared_ptr<PlanWatcher>& watcher) {
                                   return !watcher->Offer(*status);
                                 }),
                  watchers_.end());
}

void Driver::SetTimer() {
  const absl::Time next = coordinator_->NextDeadline().value_or(absl::InfiniteFuture());
  if (timer_dropped_.exchange(false)) timer_ = 0;
  if (next == timer_at_ && timer_ != 0) return;
  if (timer_ != 0) timers_->Cancel(timer_);
  timer_ = 0;
  timer_at_ = next;
  if (next == absl::InfiniteFuture()) return;
  auto id = timers_->ScheduleAt(next - absl::UnixEpoch(), [this, next] {
    const absl::Status posted = Post([this, next](Coordinator& coordinator, absl::Time now) {
      if (timer_at_ == next) timer_ = 0;
      coordinator.OnTime(now);
    });
    // A full executor is busy with events, of which the next sets the timer anew.
    if (!posted.ok()) timer_dropped_ = true;
  });
  if (id.ok()) timer_ = *id;
}

}  // namespace distill
