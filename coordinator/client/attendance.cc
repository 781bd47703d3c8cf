#include "coordinator/client/attendance.h"

#include <algorithm>
#include <utility>

#include "absl/cleanup/cleanup.h"
#include "absl/strings/str_cat.h"
#include "common/rpc/client_stream.h"
#include "common/status/annotate.h"
#include "common/status/error_id.h"
#include "common/status/status_macros.h"
#include "proto/coordinator.grpc.pb.h"

namespace distill {
namespace {

constexpr absl::Duration kMinBackoff = absl::Milliseconds(50);
constexpr absl::Duration kMaxBackoff = absl::Seconds(2);
constexpr absl::Duration kLeaveTimeout = absl::Seconds(2);
// Reports are few: one a second and what a process has to say of itself.
constexpr size_t kMaxUnsent = 256;

absl::Duration ToDuration(const google::protobuf::Duration& duration) {
  return absl::Seconds(duration.seconds()) + absl::Nanoseconds(duration.nanos());
}

}  // namespace

class Attendance::Stream final : public ClientStream<v1::AttendReport, v1::Directive> {
 public:
  Stream(std::shared_ptr<Attendance> owner, std::shared_ptr<grpc::Channel> channel)
      : owner_(std::move(owner)), stub_(v1::CoordinatorService::NewStub(channel)) {}

  void Start(const v1::Hello& hello) {
    {
      absl::MutexLock lock(&outbox_mu_);
      *outbox_.emplace_back().mutable_hello() = hello;
    }
    stub_->async()->Attend(context(), this);
    Begin();
  }

  void Send(v1::AttendReport report) {
    bool full = false;
    {
      absl::MutexLock lock(&outbox_mu_);
      // A newer one says all that an unsent one of its kind does.
      const bool replaces = report.has_progress() || report.has_ack();
      const auto older =
          std::find_if(outbox_.begin(), outbox_.end(), [&](const v1::AttendReport& unsent) {
            return unsent.report_case() == report.report_case();
          });
      if (replaces && older != outbox_.end()) {
        *older = std::move(report);
      } else if (outbox_.size() < kMaxUnsent) {
        outbox_.push_back(std::move(report));
      } else {
        full = true;
      }
    }
    // A coordinator that reads nothing is as good as lost.
    if (full) {
      Cancel();
    } else {
      Wake();
    }
  }

 private:
  std::shared_ptr<Stream> self() { return std::static_pointer_cast<Stream>(shared_from_this()); }

  void OnMessage(v1::Directive directive) override { owner_->OnDirective(self(), directive); }
  std::optional<v1::AttendReport> NextToWrite() override {
    absl::MutexLock lock(&outbox_mu_);
    if (outbox_.empty()) return std::nullopt;
    v1::AttendReport report = std::move(outbox_.front());
    outbox_.pop_front();
    return report;
  }
  void OnClosed(const absl::Status& status) override { owner_->OnClosed(self(), status); }

  const std::shared_ptr<Attendance> owner_;
  const std::unique_ptr<v1::CoordinatorService::Stub> stub_;
  absl::Mutex outbox_mu_;
  std::deque<v1::AttendReport> outbox_ ABSL_GUARDED_BY(outbox_mu_);
};

Attendance::Attendance(const AttendanceOptions& options, AttendanceEvents events,
                       TimerQueue* timers, Clock* clock, std::function<double()> random)
    : options_(options),
      events_(std::move(events)),
      timers_(timers),
      clock_(clock),
      backoff_(kMinBackoff, kMaxBackoff, std::move(random)),
      alone_since_(clock->MonotonicNow()) {}

absl::StatusOr<std::shared_ptr<Attendance>> Attendance::Start(const AttendanceOptions& options,
                                                              AttendanceEvents events,
                                                              TimerQueue* timers, Clock* clock,
                                                              std::function<double()> random) {
  RETURN_IF_ERROR(ValidateTransport(options.transport, options.coordinator));
  std::shared_ptr<Attendance> attendance(
      new Attendance(options, std::move(events), timers, clock, std::move(random)));
  attendance->Connect();
  return attendance;
}

void Attendance::After(absl::Duration delay, std::function<void(Attendance&)> what) {
  // Not scheduled: the timers have stopped, and with them this process.
  timers_
      ->ScheduleAt(clock_->MonotonicNow() + delay,
                   [weak = weak_from_this(), what = std::move(what)] {
                     if (const std::shared_ptr<Attendance> self = weak.lock()) what(*self);
                   })
      .IgnoreError();
}

void Attendance::Done() {
  absl::MutexLock lock(&mu_);
  --busy_;
}

void Attendance::Connect() {
  {
    absl::MutexLock lock(&mu_);
    if (left_) return;
    ++busy_;
  }
  const absl::Cleanup done = [this] { Done(); };
  auto channel = CreateChannel(options_.transport, options_.coordinator);
  if (!channel.ok()) {  // validated at the start
    events_.on_given_up(channel.status());
    return;
  }
  auto stream = std::make_shared<Stream>(shared_from_this(), *std::move(channel));
  {
    absl::MutexLock lock(&mu_);
    stream_ = stream;
    welcomed_ = false;
  }
  stream->Start(options_.hello);
  After(options_.connect_timeout, [stream](Attendance& self) {
    {
      absl::MutexLock lock(&self.mu_);
      if (self.stream_ != stream || self.welcomed_) return;
    }
    stream->Cancel();
  });
}

void Attendance::OnDirective(const std::shared_ptr<Stream>& stream,
                             const v1::Directive& directive) {
  {
    absl::MutexLock lock(&mu_);
    if (left_ || stream_ != stream || directive.fence() < fence_) return;
    fence_ = directive.fence();
    if (directive.has_welcome()) {
      welcomed_ = true;
      told_alone_ = false;
      backoff_.Reset();
    }
  }
  if (!directive.has_welcome()) {
    events_.on_directive(directive);
    v1::AttendReport ack;
    ack.set_run_id(directive.run_id());
    ack.mutable_ack()->set_sequence(directive.sequence());
    stream->Send(std::move(ack));
    return;
  }
  const absl::Duration interval = std::clamp(ToDuration(directive.welcome().heartbeat_interval()),
                                             absl::Milliseconds(10), absl::Minutes(1));
  After(interval, [stream, interval](Attendance& self) { self.Beat(stream, interval); });
  events_.on_welcome();
}

void Attendance::Beat(const std::shared_ptr<Stream>& stream, absl::Duration interval) {
  {
    absl::MutexLock lock(&mu_);
    if (left_ || stream_ != stream) return;
    ++busy_;
  }
  const absl::Cleanup done = [this] { Done(); };
  v1::AttendReport report;
  v1::Heartbeat* heartbeat = report.mutable_heartbeat();
  if (events_.on_heartbeat) events_.on_heartbeat(*heartbeat);
  stream->Send(std::move(report));
  After(interval, [stream, interval](Attendance& self) { self.Beat(stream, interval); });
}

void Attendance::OnClosed(const std::shared_ptr<Stream>& stream, const absl::Status& status) {
  absl::Duration delay;
  bool give_up = false;
  bool is_news = false;
  {
    absl::MutexLock lock(&mu_);
    if (stream_ != stream) return;
    stream_ = nullptr;
    if (left_) return;
    ++busy_;
    const absl::Duration now = clock_->MonotonicNow();
    if (welcomed_) alone_since_ = now;
    is_news = !std::exchange(told_alone_, true);
    give_up = now - alone_since_ >= options_.give_up_after || absl::IsInvalidArgument(status);
    if (give_up) left_ = true;
    delay = backoff_.Next();
  }
  const absl::Cleanup done = [this] { Done(); };
  const absl::Status reason =
      status.ok() ? absl::UnavailableError("the coordinator ended the stream") : status;
  if (give_up) {
    events_.on_given_up(WithErrorId(
        Annotate(reason,
                 absl::StrCat("the coordinator at ", options_.coordinator, " cannot be attended")),
        ErrorId::kCoordinatorUnreachable));
    return;
  }
  if (is_news) {
    events_.on_alone(
        Annotate(reason, absl::StrCat("does not attend the coordinator at ", options_.coordinator,
                                      ", and tries again for up to ",
                                      absl::FormatDuration(options_.give_up_after))));
  }
  After(delay, [](Attendance& self) { self.Connect(); });
}

void Attendance::Report(v1::AttendReport report) {
  std::shared_ptr<Stream> stream;
  {
    absl::MutexLock lock(&mu_);
    if (welcomed_ && !left_) stream = stream_;
  }
  if (stream != nullptr) stream->Send(std::move(report));
}

void Attendance::Leave(const std::string& reason) {
  std::shared_ptr<Stream> stream;
  {
    absl::MutexLock lock(&mu_);
    left_ = true;
    const auto idle = [this]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) { return busy_ == 0; };
    mu_.Await(absl::Condition(&idle));
    stream = stream_;
  }
  if (stream == nullptr) return;
  v1::AttendReport report;
  report.mutable_leaving()->set_reason(reason);
  stream->Send(std::move(report));
  stream->FinishWriting();
  absl::MutexLock lock(&mu_);
  const auto closed = [this]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) { return stream_ == nullptr; };
  if (mu_.AwaitWithTimeout(absl::Condition(&closed), kLeaveTimeout)) return;
  stream->Cancel();
  mu_.Await(absl::Condition(&closed));
}

}  // namespace distill
