#include "cli/commands/plan_follower.h"

#include <optional>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/cleanup/cleanup.h"
#include "absl/strings/str_cat.h"
#include "absl/synchronization/mutex.h"
#include "common/rpc/transport.h"
#include "common/status/status_macros.h"
#include "coordinator/client/plan_watch.h"

namespace distill {
namespace {

// How a watch ended.
struct WatchEnd {
  absl::Status why;
  // Of this watch or one before.
  std::optional<v1::PlanStatus> last;
  // Whether it heard something itself.
  bool heard = false;
};

// What watches hear, one after the other. Thread-safe.
class Heard {
 public:
  void OnStatus(const v1::PlanStatus& status) {
    absl::MutexLock lock(&mu_);
    last_ = status;
    heard_ = true;
  }
  // The first one counts.
  void OnEnd(const absl::Status& status) {
    absl::MutexLock lock(&mu_);
    if (!ended_.has_value()) ended_ = status;
  }
  // Counts before any end, also one that comes between two watches.
  void Interrupt() {
    absl::MutexLock lock(&mu_);
    ended_ = absl::CancelledError("interrupted");
  }
  WatchEnd Await() {
    absl::MutexLock lock(&mu_);
    const auto done = [this]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) { return ended_.has_value(); };
    mu_.Await(absl::Condition(&done));
    return {*ended_, last_, heard_};
  }
  // For the next watch, once the one before has gone. An interruption stays.
  void Renew() {
    absl::MutexLock lock(&mu_);
    heard_ = false;
    if (!absl::IsCancelled(*ended_)) ended_.reset();
  }

 private:
  absl::Mutex mu_;
  std::optional<v1::PlanStatus> last_ ABSL_GUARDED_BY(mu_);
  bool heard_ ABSL_GUARDED_BY(mu_) = false;
  std::optional<absl::Status> ended_ ABSL_GUARDED_BY(mu_);
};

// What following came to with this watch; nothing: the coordinator may be heard again.
std::optional<absl::StatusOr<v1::PlanStatus>> Settled(const WatchEnd& end) {
  // A coordinator may go with the plan, before it has ended the stream.
  const bool over = end.last.has_value() && end.last->state() != v1::PlanStatus::RUNNING;
  if (over) return *end.last;
  if (end.why.ok()) {
    if (!end.last.has_value()) return absl::UnavailableError("the coordinator said nothing");
    return *end.last;
  }
  // One that never answered is a mistyped address sooner than one that is being started.
  if (!absl::IsUnavailable(end.why) || !end.last.has_value()) return end.why;
  return std::nullopt;
}

}  // namespace

WatchStarter WatchAt(const std::string& coordinator) {
  return [coordinator](std::function<void(const v1::PlanStatus&)> on_status,
                       std::function<void(const absl::Status&)> on_end)
             -> absl::StatusOr<std::shared_ptr<void>> {
    TransportOptions transport;
    transport.allow_plaintext_off_loopback = true;  // what the user typed
    ASSIGN_OR_RETURN(
        std::unique_ptr<PlanWatch> watch,
        PlanWatch::Start(coordinator, transport, std::move(on_status), std::move(on_end)));
    return std::shared_ptr<void>(std::move(watch));
  };
}

absl::StatusOr<v1::PlanStatus> FollowPlan(const WatchStarter& start, const Patience& patience,
                                          PlanView& view, ShutdownSignal& shutdown) {
  Heard heard;
  shutdown.OnRequest([&] {
    view.OnInterrupt();
    heard.Interrupt();
  });
  const absl::Cleanup forget = [&] { shutdown.OnRequest(nullptr); };
  const RetryPolicy& policy = patience.policy;
  Backoff backoff(policy.min_backoff, policy.max_backoff, patience.tools.random);
  absl::Duration last_heard;
  while (true) {
    WatchEnd end;
    {
      ASSIGN_OR_RETURN(const std::shared_ptr<void> watch,
                       start(
                           [&](const v1::PlanStatus& status) {
                             heard.OnStatus(status);
                             view.OnStatus(status);
                           },
                           [&](const absl::Status& status) { heard.OnEnd(status); }));
      end = heard.Await();
    }
    if (const auto settled = Settled(end); settled.has_value()) return *settled;
    if (policy.budget <= absl::ZeroDuration()) return end.why;
    const absl::Duration now = patience.tools.clock->MonotonicNow();
    if (end.heard) {
      last_heard = now;
      backoff.Reset();
      view.Say(absl::StrCat("the coordinator is heard no more (", end.why.message(),
                            "); looking for it for ", absl::FormatDuration(policy.budget)));
    }
    if (now - last_heard >= policy.budget) return end.why;
    if (!patience.tools.pause(backoff.Next())) return absl::CancelledError("interrupted");
    heard.Renew();
  }
}

}  // namespace distill
