#include "cli/process/process_runtime.h"

#include <cstdio>
#include <nlohmann/json.hpp>
#include <random>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "common/build_info/build_info.h"
#include "common/lifecycle/ready_notice.h"
#include "common/metrics/catalogue.h"
#include "common/random/random.h"
#include "common/status/status_macros.h"

namespace distill {
namespace {

using State = ProcessRuntime::State;

uint64_t DrawIncarnation() {
  std::random_device device;
  const uint64_t drawn = (uint64_t{device()} << 32) | device();
  return drawn == 0 ? 1 : drawn;  // 0 means none
}

}  // namespace

ProcessRuntime::ProcessRuntime(ProcessKind kind, const ProcessFlags& flags)
    : flags_(flags),
      incarnation_(DrawIncarnation()),
      metrics_(MetricRegistryOptions{.version = kVersion, .role = ProcessName(kind)}),
      ready_(absl::UnavailableError("starting")),
      timers_(std::make_unique<ThreadTimerQueue>(&clock_)) {
  const std::map<State, std::string> names = {{State::kStarting, "starting"},
                                              {State::kReady, "ready"},
                                              {State::kDraining, "draining"},
                                              {State::kFailed, "failed"}};
  for (const auto& [state, name] : names) {
    state_gauges_[state] = metrics_.AddGauge(Metric::kState, {{"state", name}});
  }
  SetState(State::kStarting, "starting");
}

absl::StatusOr<std::unique_ptr<ProcessRuntime>> ProcessRuntime::Start(ProcessKind kind,
                                                                      const ProcessFlags& flags) {
  std::unique_ptr<ProcessRuntime> runtime(new ProcessRuntime(kind, flags));
  OpsServerOptions options;
  options.listen = flags.ops_listen;
  options.registry = &runtime->metrics_;
  options.ready = [raw = runtime.get()] { return raw->Ready(); };
  ASSIGN_OR_RETURN(runtime->ops_, OpsServer::Start(options));
  runtime->ops_address_ = runtime->ops_->address();
  return runtime;
}

std::function<double()> ProcessRuntime::random() {
  return [this] {
    absl::MutexLock lock(&mu_);
    return UniformReal(incarnation_, 0, draws_++);
  };
}

TransportOptions ProcessRuntime::transport() const {
  TransportOptions options;
  options.allow_plaintext_off_loopback = flags_.allow_plaintext;
  return options;
}

absl::Status ProcessRuntime::Ready() {
  absl::MutexLock lock(&mu_);
  return ready_;
}

void ProcessRuntime::SetState(State state, const std::string& why) {
  for (const auto& [other, gauge] : state_gauges_) gauge->Set(other == state ? 1 : 0);
  absl::MutexLock lock(&mu_);
  ready_ = state == State::kReady ? absl::OkStatus() : absl::UnavailableError(why);
}

absl::Status ProcessRuntime::NotifyStarted(const std::string& address) const {
  if (flags_.ready_fd < 0) return absl::OkStatus();
  const nlohmann::ordered_json line = {{"address", address}, {"ops_address", ops_address_}};
  return NotifyReady(flags_.ready_fd, line.dump());
}

void LogLine(Clock& clock, const std::string& process, const std::string& text) {
  const std::string time =
      absl::FormatTime("%Y-%m-%dT%H:%M:%E3SZ", clock.WallNow(), absl::UTCTimeZone());
  const std::string line = absl::StrCat(time, " ", process, ": ", text, "\n");
  std::fwrite(line.data(), 1, line.size(), stderr);
}

}  // namespace distill
