// What every process has: clocks, timers, metrics, an ops port, and a state that
// people and probes can read.
#ifndef CLI_PROCESS_PROCESS_RUNTIME_H_
#define CLI_PROCESS_PROCESS_RUNTIME_H_

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "cli/process/process_flags.h"
#include "common/clock/clock.h"
#include "common/clock/thread_timer_queue.h"
#include "common/metrics/metric_registry.h"
#include "common/metrics/ops_server.h"
#include "common/rpc/retry.h"
#include "common/rpc/transport.h"

namespace distill {

// Thread-safe. Made at the start of a process and destroyed last.
class ProcessRuntime {
 public:
  // "distill_state" has one series for each.
  enum class State { kStarting, kReady, kDraining, kFailed };

  // Errors of OpsServer::Start.
  static absl::StatusOr<std::unique_ptr<ProcessRuntime>> Start(ProcessKind kind,
                                                               const ProcessFlags& flags);

  Clock& clock() { return clock_; }
  // After StopTimers no timer fires: call it before what timers use is destroyed.
  TimerQueue& timers() { return *timers_; }
  void StopTimers() { timers_->Stop(); }
  MetricRegistry& metrics() { return metrics_; }
  const std::string& ops_address() const { return ops_address_; }
  // Of this start of the process.
  uint64_t incarnation() const { return incarnation_; }
  // Numbers in [0, 1) for jitter. Thread-safe.
  std::function<double()> random();
  TransportOptions transport() const;

  // /readyz answers 200 in kReady, otherwise 503 with `why`.
  void SetState(State state, const std::string& why) ABSL_LOCKS_EXCLUDED(mu_);
  // Tells whoever started this process, if anybody, where it serves.
  absl::Status NotifyStarted(const std::string& address) const;

 private:
  ProcessRuntime(ProcessKind kind, const ProcessFlags& flags);
  absl::Status Ready() ABSL_LOCKS_EXCLUDED(mu_);

  const ProcessFlags flags_;
  SystemClock clock_;
  const uint64_t incarnation_;
  std::string ops_address_;  // set by Start
  MetricRegistry metrics_;
  std::map<State, Gauge*> state_gauges_;

  absl::Mutex mu_;
  absl::Status ready_ ABSL_GUARDED_BY(mu_);
  uint64_t draws_ ABSL_GUARDED_BY(mu_) = 0;

  std::unique_ptr<ThreadTimerQueue> timers_;
  std::unique_ptr<OpsServer> ops_;
};

// A line on stderr: "<time> <process>: <text>". The log of a process.
void LogLine(Clock& clock, const std::string& process, const std::string& text);

}  // namespace distill

#endif  // CLI_PROCESS_PROCESS_RUNTIME_H_
