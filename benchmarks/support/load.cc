#include "benchmarks/support/load.h"

#include <algorithm>
#include <utility>

#include "common/status/status_macros.h"

namespace distill {

absl::StatusOr<std::unique_ptr<Load>> Load::Open(const LoadOptions& options) {
  std::unique_ptr<Load> load(new Load(options));
  Load* const self = load.get();
  LabelChannelOptions channel;
  channel.address = options.address;
  channel.open = options.open;
  channel.request_credit = static_cast<uint32_t>(options.window);
  LabelChannelEvents events;
  events.opened = [self](const v1::Opened&) {
    absl::MutexLock lock(&self->mu_);
    self->opened_ = true;
  };
  events.answered = [self](uint64_t request, std::shared_ptr<const ReceivedLabels>) {
    self->OnAnswered(request);
  };
  events.failed = [self](uint64_t, const absl::Status& status, absl::Duration) {
    self->OnFailed(status);
  };
  events.closed = [self](const absl::Status& status) {
    self->OnFailed(status.ok() ? absl::UnavailableError("the stream ended") : status);
    absl::MutexLock lock(&self->mu_);
    self->closed_ = true;
  };
  ASSIGN_OR_RETURN(load->channel_, LabelChannel::Open(channel, std::move(events)));
  absl::MutexLock lock(&load->mu_);
  const auto ready = [self]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(self->mu_) {
    return self->opened_ || self->closed_;
  };
  if (!load->mu_.AwaitWithTimeout(absl::Condition(&ready), absl::Seconds(10))) {
    return absl::DeadlineExceededError("the Label stream did not open");
  }
  RETURN_IF_ERROR(load->failure_);
  return load;
}

Load::~Load() {
  if (channel_ == nullptr) return;
  channel_->Close();
  absl::MutexLock lock(&mu_);
  mu_.Await(absl::Condition(&closed_));
}

void Load::Start(int64_t requests) {
  {
    absl::MutexLock lock(&mu_);
    unasked_ = unanswered_ = requests;
  }
  for (int64_t i = std::min<int64_t>(options_.window, requests); i > 0; --i) AskNext();
}

void Load::Add() {
  {
    absl::MutexLock lock(&mu_);
    ++unasked_;
    ++unanswered_;
  }
  AskNext();
}

void Load::AskNext() {
  uint64_t request = 0;
  {
    absl::MutexLock lock(&mu_);
    // Answers that come while Start still asks have asked on already.
    if (unasked_ == 0 || unanswered_ - unasked_ >= options_.window) return;
    --unasked_;
    request = ++last_request_;
  }
  channel_->Ask(options_.ask(request), options_.tensors);
}

void Load::OnAnswered(uint64_t request_id) {
  if (options_.answered) options_.answered(request_id);
  {
    absl::MutexLock lock(&mu_);
    --unanswered_;
  }
  AskNext();
}

void Load::OnFailed(const absl::Status& status) {
  absl::MutexLock lock(&mu_);
  failure_.Update(status);
}

absl::Status Load::Wait(absl::Duration timeout) {
  absl::MutexLock lock(&mu_);
  const auto done = [this]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) {
    return unanswered_ == 0 || !failure_.ok();
  };
  if (!mu_.AwaitWithTimeout(absl::Condition(&done), timeout)) {
    return absl::DeadlineExceededError("requests without an answer");
  }
  return failure_;
}

absl::Status RunLoads(const std::vector<std::unique_ptr<Load>>& loads, int64_t requests) {
  for (const std::unique_ptr<Load>& load : loads) load->Start(requests);
  for (const std::unique_ptr<Load>& load : loads) {
    RETURN_IF_ERROR(load->Wait(absl::Minutes(5)));
  }
  return absl::OkStatus();
}

}  // namespace distill
