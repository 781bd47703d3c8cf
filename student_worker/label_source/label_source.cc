#include "student_worker/label_source/label_source.h"

#include <algorithm>
#include <set>
#include <utility>

#include "absl/base/internal/raw_logging.h"
#include "absl/strings/str_cat.h"

namespace distill {
namespace {

// Codes that say the run itself asks for something impossible: another teacher of
// the same model would say the same.
bool IsFatal(const absl::Status& status) {
  return status.code() == absl::StatusCode::kInvalidArgument ||
         status.code() == absl::StatusCode::kUnimplemented;
}

// Codes of a stream that tell of a teacher that does not fit this run.
bool IsRefusal(const absl::Status& status) {
  return IsFatal(status) || status.code() == absl::StatusCode::kFailedPrecondition ||
         status.code() == absl::StatusCode::kNotFound;
}

}  // namespace

LabelSource::LabelSource(const LabelSourceOptions& options, std::function<double()> random,
                         absl::Duration now)
    : options_(options),
      random_(std::move(random)),
      next_step_(options.first_step),
      none_open_since_(now) {
  ABSL_RAW_CHECK(options.window_steps >= 1 && options.max_attempts >= 1,
                 "a label source needs a window and an attempt");
}

void LabelSource::SetEndpoints(const std::vector<TeacherEndpoint>& endpoints, absl::Duration now) {
  std::set<std::string> listed;
  for (const TeacherEndpoint& endpoint : endpoints) {
    listed.insert(endpoint.name);
    auto [it, added] = endpoints_.try_emplace(endpoint.name);
    if (!added && it->second.endpoint.incarnation == endpoint.incarnation) continue;
    if (!added) Drop(it->second, "it has started anew", now);
    it->second = Endpoint();
    it->second.endpoint = endpoint;
    it->second.open_at = now;
  }
  for (auto it = endpoints_.begin(); it != endpoints_.end();) {
    if (listed.contains(it->first)) {
      ++it;
      continue;
    }
    Drop(it->second, "it is no longer a teacher of this run", now);
    it = endpoints_.erase(it);
  }
  Pump(now);
}

void LabelSource::StreamOpened(const std::string& name, const std::string& numerics_class,
                               absl::Duration now) {
  const auto it = endpoints_.find(name);
  if (it == endpoints_.end() || it->second.state != EndpointState::kOpening) return;
  Endpoint& endpoint = it->second;
  // Pinned for the whole run: labels of two classes differ in their last bits.
  if (options_.exact && numerics_class_.value_or(numerics_class) != numerics_class) {
    Refuse(endpoint, absl::FailedPreconditionError(absl::StrCat(
                         "its numerics class is '", numerics_class, "' and the run's is '",
                         *numerics_class_, "'; an exact run needs teachers of one class")));
    actions_.push_back(CloseStream{name, std::string(endpoint.last_error.message())});
    Pump(now);
    return;
  }
  numerics_class_ = numerics_class;
  endpoint.state = EndpointState::kOpen;
  endpoint.failures = 0;
  Pump(now);
}

void LabelSource::StreamLost(const std::string& name, const absl::Status& status,
                             absl::Duration now) {
  const auto it = endpoints_.find(name);
  if (it == endpoints_.end()) return;
  Endpoint& endpoint = it->second;
  if (endpoint.state != EndpointState::kOpen && endpoint.state != EndpointState::kOpening) return;
  WithdrawAllOf(name, now);
  if (IsRefusal(status)) {
    Refuse(endpoint, status);
  } else {
    endpoint.state = EndpointState::kClosed;
    endpoint.last_error = status;
    endpoint.open_at = now + Backoff(endpoint.failures++);
  }
  Pump(now);
}

void LabelSource::Answered(uint64_t request_id, LabelPayload payload, absl::Duration now) {
  const auto ask = asks_.find(request_id);
  if (ask == asks_.end()) return;  // late: the step was asked elsewhere
  Step& step = steps_.at(ask->second);
  ++counters_.served[step.endpoint];
  Withdraw(step);
  step.answered = true;
  step.payload = std::move(payload);
  Pump(now);
}

void LabelSource::AskFailed(uint64_t request_id, const absl::Status& status,
                            absl::Duration retry_after, absl::Duration now) {
  const auto ask = asks_.find(request_id);
  if (ask == asks_.end()) return;
  const int64_t number = ask->second;
  Step& step = steps_.at(number);
  step.avoid = step.endpoint;
  if (const auto it = endpoints_.find(step.endpoint); it != endpoints_.end()) {
    it->second.last_error = status;
  }
  step.not_before = now + std::max(retry_after, Backoff(step.attempts - 1));
  Withdraw(step);
  if (IsFatal(status) || step.attempts >= options_.max_attempts) {
    Stop(absl::Status(status.code(),
                      absl::StrCat("no labels for step ", number, " after ", step.attempts,
                                   " attempts; last, from ", step.avoid, ": ", status.message())));
  }
  Pump(now);
}

void LabelSource::Advance(absl::Duration now) { Pump(now); }

std::vector<LabelAction> LabelSource::TakeActions() { return std::exchange(actions_, {}); }

bool LabelSource::Ready() const {
  const auto it = steps_.find(next_step_);
  return it != steps_.end() && it->second.answered;
}

LabelPayload LabelSource::Take(absl::Duration now) {
  ABSL_RAW_CHECK(Ready(), "taking labels that are not there");
  LabelPayload payload = std::move(steps_.at(next_step_).payload);
  steps_.erase(next_step_++);
  Pump(now);
  return payload;
}

void LabelSource::Pump(absl::Duration now) {
  if (stopped_) return;
  ExpireAsks(now);
  OpenStreams(now);
  AskForWindow(now);
  CheckGivingUp(now);
}

void LabelSource::ExpireAsks(absl::Duration now) {
  for (auto& [number, step] : steps_) {
    if (step.request_id == 0 || step.deadline > now) continue;
    actions_.push_back(CancelAsk{step.request_id, step.endpoint});
    if (const auto it = endpoints_.find(step.endpoint); it != endpoints_.end()) {
      it->second.last_error = absl::DeadlineExceededError(absl::StrCat(
          "no answer for step ", number, " in ", absl::FormatDuration(options_.request_timeout)));
    }
    step.avoid = step.endpoint;
    Withdraw(step);
    if (step.attempts >= options_.max_attempts) {
      Stop(absl::DeadlineExceededError(absl::StrCat("no labels for step ", number, " after ",
                                                    step.attempts, " attempts, the last of ",
                                                    step.avoid)));
      return;
    }
  }
}

void LabelSource::OpenStreams(absl::Duration now) {
  for (auto& [name, endpoint] : endpoints_) {
    if (endpoint.state != EndpointState::kClosed || endpoint.open_at > now) continue;
    endpoint.state = EndpointState::kOpening;
    actions_.push_back(OpenStream{endpoint.endpoint});
  }
}

void LabelSource::AskForWindow(absl::Duration now) {
  if (stopped_) return;
  const int64_t end = std::min(options_.end_step, next_step_ + options_.window_steps);
  for (int64_t number = next_step_; number < end; ++number) {
    Step& step = steps_[number];
    if (step.answered || step.request_id != 0 || step.not_before > now) continue;
    Endpoint* endpoint = Choose(step.avoid);
    if (endpoint == nullptr) return;
    step.request_id = next_request_++;
    step.endpoint = endpoint->endpoint.name;
    step.deadline = now + options_.request_timeout;
    ++endpoint->outstanding;
    ++endpoint->asked;
    ++counters_.asks;
    if (step.attempts++ > 0) ++counters_.asked_again;
    asks_[step.request_id] = number;
    actions_.push_back(AskLabels{step.request_id, step.endpoint, number, options_.request_timeout});
  }
}

// The open endpoint with the fewest asks outstanding, of several the one asked least so
// far; the one to avoid only when there is no other.
LabelSource::Endpoint* LabelSource::Choose(const std::string& avoid) {
  Endpoint* best = nullptr;
  for (auto& [name, endpoint] : endpoints_) {
    if (endpoint.state != EndpointState::kOpen || name == avoid) continue;
    if (best == nullptr || std::pair(endpoint.outstanding, endpoint.asked) <
                               std::pair(best->outstanding, best->asked)) {
      best = &endpoint;
    }
  }
  if (best != nullptr) return best;
  const auto it = endpoints_.find(avoid);
  return it != endpoints_.end() && it->second.state == EndpointState::kOpen ? &it->second : nullptr;
}

void LabelSource::Withdraw(Step& step) {
  if (const auto it = endpoints_.find(step.endpoint); it != endpoints_.end()) {
    --it->second.outstanding;
  }
  asks_.erase(step.request_id);
  step.request_id = 0;
  step.endpoint.clear();
}

void LabelSource::WithdrawAllOf(const std::string& name, absl::Duration now) {
  const bool was_open = endpoints_.at(name).state == EndpointState::kOpen;
  for (auto& [number, step] : steps_) {
    if (step.request_id == 0 || step.endpoint != name) continue;
    Withdraw(step);
    // The teacher failed, not the ask: only asks that fail use up attempts, so that
    // a fleet that is replaced one by one ends no run.
    step.attempts = std::max(1, step.attempts - 1);
  }
  endpoints_.at(name).state = EndpointState::kClosed;
  if (was_open && !AnyOpen()) none_open_since_ = now;
}

void LabelSource::Drop(Endpoint& endpoint, const std::string& reason, absl::Duration now) {
  const std::string name = endpoint.endpoint.name;
  const bool connected =
      endpoint.state == EndpointState::kOpen || endpoint.state == EndpointState::kOpening;
  WithdrawAllOf(name, now);
  if (connected) actions_.push_back(CloseStream{name, reason});
}

void LabelSource::Refuse(Endpoint& endpoint, const absl::Status& why) {
  endpoint.state = EndpointState::kRefused;
  endpoint.last_error = why;
}

bool LabelSource::AnyOpen() const {
  return std::ranges::any_of(
      endpoints_, [](const auto& entry) { return entry.second.state == EndpointState::kOpen; });
}

void LabelSource::CheckGivingUp(absl::Duration now) {
  if (stopped_ || AnyOpen() || next_step_ >= options_.end_step ||
      now < none_open_since_ + options_.no_teacher_timeout) {
    return;
  }
  std::string tried;
  for (const auto& [name, endpoint] : endpoints_) {
    absl::StrAppend(&tried, "; ", name, " at ", endpoint.endpoint.address, ": ",
                    endpoint.last_error.ok() ? "no answer yet" : endpoint.last_error.message());
  }
  Stop(absl::UnavailableError(absl::StrCat(
      "no teacher has served this run for ", absl::FormatDuration(options_.no_teacher_timeout),
      tried.empty() ? "; the coordinator knows of none: start a teacher server" : tried)));
}

absl::Duration LabelSource::Backoff(int failures) {
  absl::Duration wait = options_.min_backoff;
  for (int i = 0; i < failures && wait < options_.max_backoff; ++i) wait *= 2;
  return std::min(wait, options_.max_backoff) * (0.5 + 0.5 * random_());
}

void LabelSource::Stop(absl::Status status) {
  if (std::exchange(stopped_, true)) return;
  actions_.push_back(GiveUp{std::move(status)});
}

absl::Duration LabelSource::NextDeadline() const {
  if (stopped_ || next_step_ >= options_.end_step) return absl::InfiniteDuration();
  const bool any_open = AnyOpen();
  absl::Duration next =
      any_open ? absl::InfiniteDuration() : none_open_since_ + options_.no_teacher_timeout;
  for (const auto& [number, step] : steps_) {
    if (step.answered) continue;
    if (step.request_id != 0) next = std::min(next, step.deadline);
    if (step.request_id == 0 && any_open) next = std::min(next, step.not_before);
  }
  for (const auto& [name, endpoint] : endpoints_) {
    if (endpoint.state == EndpointState::kClosed) next = std::min(next, endpoint.open_at);
  }
  return next;
}

}  // namespace distill
