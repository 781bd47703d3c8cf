#include "coordinator/service/attend_stream.h"

#include <utility>

namespace distill {

using Stream = ServerStream<v1::AttendReport, v1::Directive>;

void AttendStream::Send(v1::Directive directive) {
  bool full = false;
  {
    absl::MutexLock lock(&outbox_mu_);
    full = outbox_.size() >= kMaxUnsent;
    if (!full) outbox_.push_back(std::move(directive));
  }
  if (full) {
    Stream::End(absl::ResourceExhaustedError("this member does not read its directives"));
  } else {
    Wake();
  }
}

void AttendStream::End(const absl::Status& status) { Stream::End(status); }

void AttendStream::OnMessage(v1::AttendReport report) {
  absl::Status status;
  if (said_hello_) {
    status = driver_->Report(session_, std::move(report));
  } else if (report.has_hello()) {
    said_hello_ = true;
    auto self = std::static_pointer_cast<AttendStream>(shared_from_this());
    status = driver_->Hello(session_, peer_, std::move(*report.mutable_hello()), std::move(self));
  } else {
    status = absl::InvalidArgumentError("the first report of an Attend stream must be hello");
  }
  if (!status.ok()) Stream::End(status);
}

std::optional<v1::Directive> AttendStream::NextToWrite() {
  absl::MutexLock lock(&outbox_mu_);
  if (outbox_.empty()) return std::nullopt;
  v1::Directive directive = std::move(outbox_.front());
  outbox_.pop_front();
  return directive;
}

void AttendStream::OnPeerDone() { Stream::End(absl::OkStatus()); }

void AttendStream::OnEnded() { driver_->Lost(session_); }

}  // namespace distill
