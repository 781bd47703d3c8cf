#include "benchmarks/frozen/deadline_load.h"

#include <algorithm>
#include <utility>

#include "absl/synchronization/notification.h"
#include "benchmarks/support/teacher.h"
#include "common/status/status_macros.h"

namespace distill {
namespace {

// What a server takes of one stream at a time.
constexpr uint32_t kCredit = 512;

}  // namespace

absl::StatusOr<std::unique_ptr<DeadlineLoad>> DeadlineLoad::Open(const DeadlineLoadOptions& options,
                                                                 Clock* clock) {
  std::unique_ptr<DeadlineLoad> load(new DeadlineLoad(options, clock));
  {
    absl::MutexLock lock(&load->mu_);
    load->students_.resize(options.students);
  }
  for (int i = 0; i < options.students; ++i) RETURN_IF_ERROR(load->Connect(i));
  RETURN_IF_ERROR(load->Await([](const Student& student) { return student.opened; }));
  return load;
}

DeadlineLoad::~DeadlineLoad() {
  std::vector<std::shared_ptr<LabelChannel>> channels;
  {
    absl::MutexLock lock(&mu_);
    for (Student& student : students_) {
      if (student.channel == nullptr) student.closed = true;
      channels.push_back(student.channel);
    }
  }
  for (const auto& channel : channels) {
    if (channel != nullptr) channel->Close();
  }
  absl::MutexLock lock(&mu_);
  const auto closed = [this]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) {
    return std::all_of(students_.begin(), students_.end(),
                       [](const Student& student) { return student.closed; });
  };
  mu_.Await(absl::Condition(&closed));
}

absl::Status DeadlineLoad::Connect(size_t student) {
  LabelChannelOptions channel;
  channel.address = options_.address;
  channel.open = options_.open;
  channel.request_credit = kCredit;
  LabelChannelEvents events;
  events.opened = [this, student](const v1::Opened&) {
    absl::MutexLock lock(&mu_);
    students_[student].opened = true;
  };
  events.answered = [this, student](uint64_t request, std::shared_ptr<const ReceivedLabels>) {
    OnTerminal(student, request, /*labels=*/true);
  };
  events.failed = [this, student](uint64_t request, const absl::Status&, absl::Duration) {
    OnTerminal(student, request, /*labels=*/false);
  };
  events.closed = [this, student](const absl::Status& status) {
    absl::MutexLock lock(&mu_);
    failure_.Update(status.ok() ? absl::UnavailableError("the stream ended") : status);
    students_[student].closed = true;
  };
  ASSIGN_OR_RETURN(auto opened, LabelChannel::Open(channel, std::move(events)));
  absl::MutexLock lock(&mu_);
  students_[student].channel = std::move(opened);
  return absl::OkStatus();
}

absl::StatusOr<DeadlineCounts> DeadlineLoad::Run(const std::vector<absl::Duration>& arrivals,
                                                 absl::Duration counted) {
  {
    absl::MutexLock lock(&mu_);
    counts_ = {};
  }
  const absl::Duration start = clock_->MonotonicNow();
  for (size_t i = 0; i < arrivals.size(); ++i) {
    absl::Notification().WaitForNotificationWithTimeout(start + arrivals[i] -
                                                        clock_->MonotonicNow());
    Ask(i % static_cast<size_t>(options_.students), arrivals[i] >= counted);
  }
  RETURN_IF_ERROR(Await([](const Student& student) { return student.unanswered.empty(); }));
  absl::MutexLock lock(&mu_);
  return counts_;
}

void DeadlineLoad::Ask(size_t student, bool counts) {
  std::shared_ptr<LabelChannel> channel;
  uint64_t request = 0;
  {
    absl::MutexLock lock(&mu_);
    Student& asking = students_[student];
    if (asking.unanswered.size() >= kCredit) {
      if (counts) ++counts_.refused;
      return;
    }
    request = ++asking.last_request;
    asking.unanswered[request] = {clock_->MonotonicNow(), counts};
    channel = asking.channel;
  }
  v1::Ask ask = BenchTeacher::Ask(request, options_.rows);
  ask.mutable_remaining()->set_seconds(absl::ToInt64Seconds(options_.remaining));
  ask.mutable_remaining()->set_nanos(
      static_cast<int32_t>(absl::ToInt64Nanoseconds(options_.remaining % absl::Seconds(1))));
  channel->Ask(std::move(ask));
}

void DeadlineLoad::OnTerminal(size_t student, uint64_t request_id, bool labels) {
  const absl::Duration now = clock_->MonotonicNow();
  absl::MutexLock lock(&mu_);
  const auto asked = students_[student].unanswered.extract(request_id);
  if (asked.empty() || !asked.mapped().counts) return;
  if (!labels) {
    ++counts_.refused;
  } else if (now - asked.mapped().at <= options_.remaining) {
    ++counts_.in_time;
  } else {
    ++counts_.late;
    counts_.late_by += now - asked.mapped().at - options_.remaining;
  }
}

absl::Status DeadlineLoad::Await(bool (*done)(const Student&)) {
  absl::MutexLock lock(&mu_);
  const auto all_done = [this, done]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) {
    return !failure_.ok() || std::all_of(students_.begin(), students_.end(), done);
  };
  if (!mu_.AwaitWithTimeout(absl::Condition(&all_done), absl::Seconds(10))) {
    return absl::DeadlineExceededError("a Label stream did not open or answer");
  }
  return failure_;
}

}  // namespace distill
