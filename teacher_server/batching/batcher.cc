#include "teacher_server/batching/batcher.h"

#include <algorithm>
#include <bit>

#include "absl/base/internal/raw_logging.h"
#include "absl/strings/str_cat.h"

namespace distill {
namespace {

// Weight of the newest batch in the moving average of compute time.
constexpr double kNewest = 0.2;

int64_t Bucket(int64_t examples) {
  return static_cast<int64_t>(std::bit_ceil(static_cast<uint64_t>(std::max<int64_t>(examples, 1))));
}

}  // namespace

const char* BatchReasonName(BatchReason reason) {
  switch (reason) {
    case BatchReason::kFull:
      return "full";
    case BatchReason::kExact:
      return "exact";
    case BatchReason::kDeadline:
      return "deadline";
    case BatchReason::kIdle:
      return "idle";
    case BatchReason::kDelay:
      return "delay";
    case BatchReason::kDrain:
      return "drain";
  }
  return "unknown";
}

absl::Status BatcherOptions::Validate() const {
  if (max_batch_examples < 1 || max_queue_examples < max_batch_examples) {
    return absl::InvalidArgumentError(
        absl::StrCat("a queue of ", max_queue_examples, " examples does not hold a batch of ",
                     max_batch_examples, "; the batch needs at least 1"));
  }
  if (max_queue_delay < absl::ZeroDuration()) {
    return absl::InvalidArgumentError("max_queue_delay is negative");
  }
  if (max_in_flight < 1) return absl::InvalidArgumentError("max_in_flight is less than 1");
  return absl::OkStatus();
}

Batcher::Batcher(const BatcherOptions& options) : options_(options) {
  ABSL_RAW_CHECK(options.Validate().ok(), "invalid BatcherOptions");
}

absl::Status Batcher::Add(const BatchRequest& request, absl::Duration now) {
  if (draining_) return absl::UnavailableError("this server is draining; ask another one");
  if (request.examples < 1 || request.examples > options_.max_batch_examples) {
    return absl::InvalidArgumentError(absl::StrCat(
        "a request of ", request.examples, " examples does not fit: this server takes 1 to ",
        options_.max_batch_examples, "; split it"));
  }
  if (requests_.contains(request.id)) {
    return absl::AlreadyExistsError(absl::StrCat("request ", request.id, " waits already"));
  }
  if (request.deadline <= now) {
    return absl::DeadlineExceededError("its remaining time had passed on arrival");
  }
  if (waiting_examples_ + request.examples > options_.max_queue_examples) {
    return absl::ResourceExhaustedError(absl::StrCat(waiting_examples_,
                                                     " examples wait already; retry after ",
                                                     absl::FormatDuration(RetryAfter())));
  }
  requests_[request.id] = {request, now};
  queues_[request.stream].push_back(request.id);
  arrivals_.insert({now, request.id});
  deadlines_.insert({request.deadline, request.id});
  waiting_examples_ += request.examples;
  return absl::OkStatus();
}

bool Batcher::Cancel(uint64_t id) {
  if (!requests_.contains(id)) return false;
  Forget(id);
  return true;
}

void Batcher::Forget(uint64_t id) {
  const auto it = requests_.find(id);
  const BatchRequest& request = it->second.request;
  const auto queue = queues_.find(request.stream);
  queue->second.erase(std::find(queue->second.begin(), queue->second.end(), id));
  if (queue->second.empty()) queues_.erase(queue);
  arrivals_.erase({it->second.arrival, id});
  deadlines_.erase({request.deadline, id});
  waiting_examples_ -= request.examples;
  requests_.erase(it);
}

std::vector<uint64_t> Batcher::TakeExpired(absl::Duration now) {
  std::vector<uint64_t> expired;
  while (!deadlines_.empty() && deadlines_.begin()->first <= now) {
    expired.push_back(deadlines_.begin()->second);
    Forget(expired.back());
  }
  return expired;
}

Batcher::Queues::iterator Batcher::NextStream() {
  const auto next = queues_.upper_bound(last_stream_);
  return next == queues_.end() ? queues_.begin() : next;
}

bool Batcher::NextIsExact() { return requests_.at(NextStream()->second.front()).request.exact; }

// Walks the streams as TakeBatch will, so that both agree on what is full.
int64_t Batcher::FillOfNext(bool& full) {
  int64_t fill = 0;
  full = false;
  std::map<uint64_t, size_t> taken;
  auto stream = NextStream();
  for (size_t exhausted = 0; exhausted < queues_.size();) {
    const size_t at = taken[stream->first];
    if (at == stream->second.size()) {
      ++exhausted;
    } else {
      exhausted = 0;
      const BatchRequest& request = requests_.at(stream->second[at]).request;
      if (request.exact || fill + request.examples > options_.max_batch_examples) {
        full = true;
        return fill;
      }
      fill += request.examples;
      taken[stream->first] = at + 1;
    }
    if (++stream == queues_.end()) stream = queues_.begin();
  }
  full = fill == options_.max_batch_examples;
  return fill;
}

// When a batch has to start for the tightest deadline to be met.
absl::Duration Batcher::LatestStart() const {
  const int64_t examples = std::min(waiting_examples_, options_.max_batch_examples);
  return deadlines_.begin()->first - Predict(examples);
}

std::optional<BatchReason> Batcher::ReasonToSend(absl::Duration now) {
  if (requests_.empty() || in_flight() >= options_.max_in_flight) return std::nullopt;
  if (NextIsExact()) return BatchReason::kExact;
  bool full = false;
  FillOfNext(full);
  if (full) return BatchReason::kFull;
  if (draining_) return BatchReason::kDrain;
  if (in_flight_.empty()) return BatchReason::kIdle;
  if (LatestStart() <= now) return BatchReason::kDeadline;
  if (arrivals_.begin()->first + options_.max_queue_delay <= now) return BatchReason::kDelay;
  return std::nullopt;
}

std::optional<Batch> Batcher::Next(absl::Duration now) {
  const std::optional<BatchReason> reason = ReasonToSend(now);
  if (!reason.has_value()) return std::nullopt;
  return TakeBatch(*reason, now);
}

Batch Batcher::TakeBatch(BatchReason reason, absl::Duration now) {
  Batch batch;
  batch.id = next_batch_++;
  batch.reason = reason;
  while (!queues_.empty()) {
    const auto stream = NextStream();
    const Waiting waiting = requests_.at(stream->second.front());
    const BatchRequest& request = waiting.request;
    const bool alone = request.exact && !batch.requests.empty();
    if (alone || batch.examples + request.examples > options_.max_batch_examples) break;
    last_stream_ = stream->first;
    batch.requests.push_back(request);
    batch.examples += request.examples;
    batch.queue_time = std::max(batch.queue_time, now - waiting.arrival);
    Forget(request.id);
    if (request.exact) break;
  }
  in_flight_[batch.id] = batch.examples;
  return batch;
}

void Batcher::Complete(uint64_t batch_id, absl::Duration compute) {
  const auto it = in_flight_.find(batch_id);
  ABSL_RAW_CHECK(it != in_flight_.end(), "completed a batch that is not in flight");
  const auto [average, first] = compute_.try_emplace(Bucket(it->second), compute);
  if (!first) average->second += kNewest * (compute - average->second);
  in_flight_.erase(it);
}

absl::Duration Batcher::NextWakeup() const {
  if (requests_.empty()) return absl::InfiniteDuration();
  const absl::Duration expiry = deadlines_.begin()->first;
  // Without a place only an expiry can happen by itself; with one, and an idle
  // device, Next has something at once.
  if (in_flight() >= options_.max_in_flight) return expiry;
  if (in_flight_.empty() || draining_) return arrivals_.begin()->first;
  return std::min({expiry, LatestStart(), arrivals_.begin()->first + options_.max_queue_delay});
}

absl::Duration Batcher::RetryAfter() const {
  const int64_t batches = 1 + waiting_examples_ / options_.max_batch_examples;
  return std::max(absl::Milliseconds(1), batches * Predict(options_.max_batch_examples));
}

absl::Duration Batcher::Predict(int64_t examples) const {
  if (compute_.empty()) return absl::ZeroDuration();
  const auto above = compute_.lower_bound(Bucket(examples));
  return above != compute_.end() ? above->second : compute_.rbegin()->second;
}

}  // namespace distill
