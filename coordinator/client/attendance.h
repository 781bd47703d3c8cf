// A process's place in the fleet: its Attend stream to the coordinator, kept alive.
#ifndef COORDINATOR_CLIENT_ATTENDANCE_H_
#define COORDINATOR_CLIENT_ATTENDANCE_H_

#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "common/clock/clock.h"
#include "common/clock/timer.h"
#include "common/rpc/retry.h"
#include "common/rpc/transport.h"
#include "proto/coordinator.pb.h"

namespace distill {

struct AttendanceOptions {
  std::string coordinator;
  TransportOptions transport;
  v1::Hello hello;
  // Without a stream for so long, on_given_up is called.
  absl::Duration give_up_after = absl::Minutes(5);
  // Without any directive for so long while connecting, the attempt is dropped.
  absl::Duration connect_timeout = absl::Seconds(10);
};

// What happens; called on gRPC's and the timers' threads, never two at once of
// on_directive, never under a lock. Must return soon.
struct AttendanceEvents {
  // In order; acknowledged when it has returned. Directives of an older fence than the
  // newest seen are not passed on.
  std::function<void(const v1::Directive&)> on_directive;
  // A stream was welcomed: report again what the coordinator has to know.
  std::function<void()> on_welcome;
  // Before each heartbeat, which it may fill. May be null.
  std::function<void(v1::Heartbeat&)> on_heartbeat;
  // The stream was lost, or the first attempt after the start failed: once until the next welcome.
  // Attempts follow, of whose failures nothing is said until the last.
  std::function<void(const absl::Status&)> on_alone;
  // No coordinator for give_up_after: the last event.
  std::function<void(const absl::Status&)> on_given_up;
};

// Thread-safe. Says hello, sends heartbeats, and connects anew after a loss, with
// back-off. Standing directives come again on each stream.
class Attendance : public std::enable_shared_from_this<Attendance> {
 public:
  // Errors as ValidateTransport. `timers` and `clock` outlive it; `random` gives numbers
  // in [0, 1).
  static absl::StatusOr<std::shared_ptr<Attendance>> Start(const AttendanceOptions& options,
                                                           AttendanceEvents events,
                                                           TimerQueue* timers, Clock* clock,
                                                           std::function<double()> random);

  // Dropped while no stream is open: on_welcome is the place to say it again. A report
  // of progress replaces an unsent one.
  void Report(v1::AttendReport report) ABSL_LOCKS_EXCLUDED(mu_);

  // Says that this process leaves and ends the stream, within two seconds; no event runs
  // once it has returned. Not to be called from an event.
  void Leave(const std::string& reason) ABSL_LOCKS_EXCLUDED(mu_);

 private:
  class Stream;

  Attendance(const AttendanceOptions& options, AttendanceEvents events, TimerQueue* timers,
             Clock* clock, std::function<double()> random);
  void Connect() ABSL_LOCKS_EXCLUDED(mu_);
  void OnDirective(const std::shared_ptr<Stream>& stream, const v1::Directive& directive)
      ABSL_LOCKS_EXCLUDED(mu_);
  void OnClosed(const std::shared_ptr<Stream>& stream, const absl::Status& status)
      ABSL_LOCKS_EXCLUDED(mu_);
  void Beat(const std::shared_ptr<Stream>& stream, absl::Duration interval)
      ABSL_LOCKS_EXCLUDED(mu_);
  void Done() ABSL_LOCKS_EXCLUDED(mu_);
  void After(absl::Duration delay, std::function<void(Attendance&)> what);

  const AttendanceOptions options_;
  const AttendanceEvents events_;
  TimerQueue* const timers_;
  Clock* const clock_;

  absl::Mutex mu_;
  Backoff backoff_ ABSL_GUARDED_BY(mu_);
  std::shared_ptr<Stream> stream_ ABSL_GUARDED_BY(mu_);
  bool welcomed_ ABSL_GUARDED_BY(mu_) = false;
  bool left_ ABSL_GUARDED_BY(mu_) = false;
  // Calls of Connect, Beat and OnClosed under way, which open streams and run events.
  int busy_ ABSL_GUARDED_BY(mu_) = 0;
  uint64_t fence_ ABSL_GUARDED_BY(mu_) = 0;
  // When the last stream was lost.
  absl::Duration alone_since_ ABSL_GUARDED_BY(mu_);
  // on_alone was called, and no stream welcomed since.
  bool told_alone_ ABSL_GUARDED_BY(mu_) = false;
};

}  // namespace distill

#endif  // COORDINATOR_CLIENT_ATTENDANCE_H_
