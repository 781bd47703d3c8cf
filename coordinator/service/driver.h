// Runs the coordinator's decisions: one event after the other on one executor thread,
// then sends what they decided, sets the timer, and tells those who watch the plan.
#ifndef COORDINATOR_SERVICE_DRIVER_H_
#define COORDINATOR_SERVICE_DRIVER_H_

#include <atomic>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "absl/time/time.h"
#include "common/clock/clock.h"
#include "common/clock/timer.h"
#include "common/executor/executor.h"
#include "common/rpc/peer_identity.h"
#include "coordinator/service/decisions/coordinator.h"
#include "proto/coordinator.pb.h"

namespace distill {

// The sending end of one Attend stream. Thread-safe.
class DirectiveSink {
 public:
  virtual ~DirectiveSink() = default;
  virtual void Send(v1::Directive directive) = 0;
  // After what was sent before.
  virtual void End(const absl::Status& status) = 0;
};

// Somebody who follows the plan. Called on the executor; a slow one keeps the newest
// status only.
class PlanWatcher {
 public:
  virtual ~PlanWatcher() = default;
  // False: gone, forget it.
  virtual bool Offer(const v1::PlanStatus& status) = 0;
  // Nobody listens any more.
  virtual bool Gone() = 0;
  // Nothing more will be offered: this coordinator stops.
  virtual void End(const absl::Status&) {}
};

// Thread-safe: everything runs on `executor`, which must be serial. All pointers
// outlive the driver, whose executor and timers are stopped before it is destroyed.
class Driver {
 public:
  // `on_lost` is called when the coordinator may not go on (another one has taken over
  // its store): the process has to exit.
  Driver(std::unique_ptr<Coordinator> coordinator, Executor* executor, TimerQueue* timers,
         Clock* clock, std::function<void(const absl::Status&)> on_lost);

  // Sets the first timer; once.
  absl::Status Begin();

  using Event = absl::AnyInvocable<void(Coordinator&, absl::Time now)>;
  // Not OK (RESOURCE_EXHAUSTED, UNAVAILABLE): the event was dropped.
  absl::Status Post(Event event);

  // A stream's hello, later reports, and end.
  absl::Status Hello(uint64_t session, PeerIdentity peer, v1::Hello hello,
                     std::shared_ptr<DirectiveSink> sink);
  absl::Status Report(uint64_t session, v1::AttendReport report);
  void Lost(uint64_t session);

  // Ends every Attend stream and every watch with `reason`: this coordinator stops.
  void EndAll(const absl::Status& reason);

  absl::Status Watch(std::shared_ptr<PlanWatcher> watcher);

 private:
  void Settle();
  void SetTimer();
  void TellWatchers();
  absl::Time Now() const;

  Executor* const executor_;
  TimerQueue* const timers_;
  Clock* const clock_;
  const std::function<void(const absl::Status&)> on_lost_;

  // Confined to the executor.
  const std::unique_ptr<Coordinator> coordinator_;
  std::map<uint64_t, std::shared_ptr<DirectiveSink>> sinks_;
  std::vector<std::shared_ptr<PlanWatcher>> watchers_;
  // What they heard last.
  std::string last_status_;
  TimerQueue::TimerId timer_ = 0;
  absl::Time timer_at_ = absl::InfiniteFuture();
  bool lost_ = false;

  // Of any thread: the timer fired and the executor was full.
  std::atomic<bool> timer_dropped_{false};
};

}  // namespace distill

#endif  // COORDINATOR_SERVICE_DRIVER_H_
