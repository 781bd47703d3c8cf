#include "cli/commands/plan_follower.h"

#include <optional>

#include "absl/base/thread_annotations.h"
#include "absl/cleanup/cleanup.h"
#include "absl/synchronization/mutex.h"
#include "common/rpc/transport.h"
#include "common/status/status_macros.h"
#include "coordinator/client/plan_watch.h"

namespace distill {
namespace {

// What a watch hears. Thread-safe.
class Heard {
 public:
  void OnStatus(const v1::PlanStatus& status) {
    absl::MutexLock lock(&mu_);
    last_ = status;
  }
  // The first one counts.
  void OnEnd(const absl::Status& status) {
    absl::MutexLock lock(&mu_);
    if (!ended_.has_value()) ended_ = status;
  }
  absl::StatusOr<v1::PlanStatus> Await() {
    absl::MutexLock lock(&mu_);
    const auto done = [this]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) { return ended_.has_value(); };
    mu_.Await(absl::Condition(&done));
    // A coordinator may go with the plan, before it has ended the stream.
    const bool over = last_.has_value() && last_->state() != v1::PlanStatus::RUNNING;
    if (!ended_->ok() && !over) return *ended_;
    if (!last_.has_value()) return absl::UnavailableError("the coordinator said nothing");
    return *last_;
  }

 private:
  absl::Mutex mu_;
  std::optional<v1::PlanStatus> last_ ABSL_GUARDED_BY(mu_);
  std::optional<absl::Status> ended_ ABSL_GUARDED_BY(mu_);
};

}  // namespace

absl::StatusOr<v1::PlanStatus> FollowPlan(const std::string& coordinator, PlanView& view,
                                          ShutdownSignal& shutdown) {
  Heard heard;
  shutdown.OnRequest([&] {
    view.OnInterrupt();
    heard.OnEnd(absl::CancelledError("interrupted"));
  });
  const absl::Cleanup forget = [&] { shutdown.OnRequest(nullptr); };
  TransportOptions transport;
  transport.allow_plaintext_off_loopback = true;  // what the user typed
  ASSIGN_OR_RETURN(const auto watch, PlanWatch::Start(
                                         coordinator, transport,
                                         [&](const v1::PlanStatus& status) {
                                           heard.OnStatus(status);
                                           view.OnStatus(status);
                                         },
                                         [&](const absl::Status& status) { heard.OnEnd(status); }));
  return heard.Await();
}

}  // namespace distill
