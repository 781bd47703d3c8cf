#include "teacher_server/batching/batcher.h"

#include <algorithm>
#include <string>

#include "absl/base/internal/raw_logging.h"
#include "absl/strings/str_cat.h"
#include "teacher_server/batching/shape_bucket.h"

namespace distill {
namespace {

// A prediction that is far off must not keep a student away.
constexpr absl::Duration kLongestHint = absl::Seconds(5);

// What may share a batch. An exact request shares with nobody, yet costs what others of
// its bucket do.
int KindOf(const BatchRequest& request) {
  return 2 * ShapeBucket(request.length) + (request.exact ? 1 : 0);
}
int BucketOf(int kind) { return kind / 2; }
bool IsExact(int kind) { return kind % 2 == 1; }

// Examples, or elements of those of variable length.
int64_t UnitsOf(const BatchRequest& request) {
  return request.examples * BucketLength(ShapeBucket(request.length));
}

// A run of the usual weight gets one unit a round, so that weights make rounds no longer.
FairItem ItemOf(const BatchRequest& request) {
  const int kind = KindOf(request);
  return {.id = request.id,
          .run = request.run,
          .stream = request.stream,
          .weight = request.weight,
          .cost = UnitsOf(request) * kUsualWeight,
          .kind = kind};
}

double PaddingOf(const Batch& batch) {
  if (batch.length == 0) return 0;
  int64_t real = 0;
  for (const BatchRequest& request : batch.requests) real += request.examples * request.length;
  return 1 - static_cast<double>(real) / static_cast<double>(batch.examples * batch.length);
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

const char* ShedReasonName(ShedReason reason) {
  switch (reason) {
    case ShedReason::kQueueFull:
      return "queue_full";
    case ShedReason::kStreamQuota:
      return "stream_quota";
    case ShedReason::kTooLate:
      return "too_late";
    case ShedReason::kExpired:
      return "expired";
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

absl::Status Batcher::Add(const BatchRequest& request, absl::Duration now, ShedReason* shed) {
  absl::Status status = Check(request, now);
  ShedReason reason = ShedReason::kExpired;
  if (status.ok()) status = Admit(request, now, reason);
  if (!status.ok()) {
    if (shed != nullptr) *shed = reason;
    return status;
  }
  const FairItem item = ItemOf(request);
  requests_[request.id] = {request, now, item.kind};
  fair_.Push(item);
  Kind& kind = kinds_[item.kind];
  kind.examples += request.examples;
  kind.arrivals.insert({now, request.id});
  kind.deadlines.insert({request.deadline, request.id});
  stream_examples_[{request.run, request.stream}] += request.examples;
  waiting_examples_ += request.examples;
  return absl::OkStatus();
}

absl::Status Batcher::Check(const BatchRequest& request, absl::Duration now) const {
  if (draining_ && !request.promised) {
    return absl::UnavailableError("this server is draining; ask another one");
  }
  if (request.examples < 1 || request.examples > options_.max_batch_examples) {
    return absl::InvalidArgumentError(absl::StrCat(
        "a request of ", request.examples, " examples does not fit: this server takes 1 to ",
        options_.max_batch_examples, "; split it"));
  }
  if (request.length < 0 || request.length > kMaxLength) {
    return absl::InvalidArgumentError(
        absl::StrCat("an example of length ", request.length, "; 0 to ", kMaxLength, " are taken"));
  }
  if (request.weight < 1 || request.weight > kMaxWeight) {
    return absl::InvalidArgumentError(
        absl::StrCat("a weight of ", request.weight, "; it is 1 to ", kMaxWeight));
  }
  if (requests_.contains(request.id)) {
    return absl::AlreadyExistsError(absl::StrCat("request ", request.id, " waits already"));
  }
  if (request.deadline <= now) {
    return absl::DeadlineExceededError("its remaining time had passed on arrival");
  }
  return absl::OkStatus();
}

absl::Status Batcher::Admit(const BatchRequest& request, absl::Duration now,
                            ShedReason& shed) const {
  const int64_t free = options_.max_queue_examples - waiting_examples_ - request.examples;
  const auto refuse = [&](ShedReason reason, const std::string& why) {
    shed = reason;
    return absl::ResourceExhaustedError(absl::StrCat(
        why, "; retry after ", absl::FormatDuration(RetryAfter()), ", or ask another server"));
  };
  if (free < 0) {
    return refuse(ShedReason::kQueueFull,
                  absl::StrCat(waiting_examples_, " examples wait already"));
  }
  // A stream may hold as much as it leaves free, so a new one always finds room
  // (Choudhury and Hahne, "Dynamic queue length thresholds for shared-memory packet
  // switches", IEEE/ACM Transactions on Networking 6(2), 1998, with alpha = 1).
  const auto held = stream_examples_.find({request.run, request.stream});
  if (held != stream_examples_.end() && held->second + request.examples > free) {
    return refuse(ShedReason::kStreamQuota,
                  absl::StrCat(held->second, " examples of this student wait already"));
  }
  if (requests_.empty() && in_flight_.empty()) return absl::OkStatus();
  const absl::Duration done = DoneAt(request, now);
  if (done <= request.deadline) return absl::OkStatus();
  return refuse(ShedReason::kTooLate,
                absl::StrCat("its labels would take ", absl::FormatDuration(done - now), " and ",
                             absl::FormatDuration(request.deadline - now), " remain"));
}

// Work for a full batch is here, so that throughput depends on what is sent together.
bool Batcher::Loaded(int64_t more) const {
  int64_t examples = waiting_examples_ + more;
  for (const Flight& flight : in_flight_) examples += flight.examples;
  return examples >= options_.max_batch_examples;
}

absl::Duration Batcher::WithMargin(absl::Duration done, absl::Duration now) const {
  return done + 2 * costs_.scatter() * (done - now);
}

// When a request that comes now will be done: the earliest, or, under load, behind full
// batches, its own too. Under load those that would make it only in a small batch are
// the ruin of throughput: each batch cut for one of them makes the next ones late.
absl::Duration Batcher::DoneAt(const BatchRequest& request, absl::Duration now) const {
  const FairItem item = ItemOf(request);
  const int bucket = BucketOf(item.kind);
  const int64_t most = options_.max_batch_examples;
  const int64_t cost = (fair_.CostUntil(item) + kUsualWeight - 1) / kUsualWeight;
  const absl::Duration start = BusyUntil(now);
  const absl::Duration earliest =
      start + std::max(costs_.AtLeast(bucket, request.examples),
                       static_cast<double>(cost) * costs_.BestPerUnit(most));
  if (!Loaded(request.examples)) return earliest;
  const int64_t batch = most * BucketLength(bucket);
  const int64_t batches = (cost + batch - 1) / batch;
  return std::max(earliest, WithMargin(start + batches * costs_.AtLeast(bucket, most), now));
}

bool Batcher::Cancel(uint64_t id) {
  if (!requests_.contains(id)) return false;
  fair_.Remove(id);
  Forget(id);
  return true;
}

// What fair_ has let go of already.
void Batcher::Forget(uint64_t id) {
  const auto at = requests_.find(id);
  const BatchRequest& request = at->second.request;
  const auto kind = kinds_.find(at->second.kind);
  kind->second.examples -= request.examples;
  kind->second.arrivals.erase({at->second.arrival, id});
  kind->second.deadlines.erase({request.deadline, id});
  if (kind->second.arrivals.empty()) kinds_.erase(kind);
  const auto stream = stream_examples_.find({request.run, request.stream});
  stream->second -= request.examples;
  if (stream->second == 0) stream_examples_.erase(stream);
  waiting_examples_ -= request.examples;
  requests_.erase(at);
}

void Batcher::Sweep(absl::Duration now) {
  const absl::Duration start = BusyUntil(now);
  std::vector<uint64_t> late;
  std::optional<std::pair<absl::Duration, uint64_t>> probe;
  for (const auto& [kind, waiting] : kinds_) {
    const int bucket = BucketOf(kind);
    const absl::Duration longest = costs_.AtLeast(bucket, options_.max_batch_examples);
    for (const auto& entry : waiting.deadlines) {
      const auto& [deadline, id] = entry;
      if (deadline > now && deadline >= start + longest) break;
      const int64_t examples = requests_.at(id).request.examples;
      if (deadline > now && deadline >= start + costs_.AtLeast(bucket, examples)) continue;
      late.push_back(id);
      if (deadline > now && (!probe.has_value() || *probe < entry)) probe = entry;
    }
  }
  // If all are late by prediction alone and the device idles, one is tried: the
  // prediction may be wrong, and only a batch can correct it.
  if (in_flight_.empty() && late.size() == requests_.size() && probe.has_value()) {
    std::erase(late, probe->second);
  }
  Expire(late);
}

std::vector<uint64_t> Batcher::TakeExpired(absl::Duration now) {
  Sweep(now);
  return std::exchange(expired_, {});
}

absl::Duration Batcher::NotBegun() const {
  absl::Duration sum;
  for (size_t i = 1; i < in_flight_.size(); ++i) sum += in_flight_[i].predicted;
  return sum;
}

absl::Duration Batcher::BusyUntil(absl::Duration now) const {
  if (in_flight_.empty()) return now;
  return std::max(now, begun_ + in_flight_.front().predicted) + NotBegun();
}

std::optional<BatchReason> Batcher::ReasonToSend(int kind, const Kind& waiting,
                                                 absl::Duration now) const {
  if (IsExact(kind)) return BatchReason::kExact;
  if (waiting.examples >= options_.max_batch_examples) return BatchReason::kFull;
  if (draining_) return BatchReason::kDrain;
  if (in_flight_.empty()) return BatchReason::kIdle;
  const absl::Duration start = BusyUntil(now);
  const absl::Duration compute = costs_.Predict(BucketOf(kind), waiting.examples);
  if (waiting.deadlines.begin()->first - compute <= start) return BatchReason::kDeadline;
  if (waiting.arrivals.begin()->first + options_.max_queue_delay <= now &&
      start - now <= options_.max_queue_delay) {
    return BatchReason::kDelay;
  }
  return std::nullopt;
}

std::optional<Batch> Batcher::Next(absl::Duration now) {
  if (!has_place()) return std::nullopt;
  Sweep(now);
  std::map<int, BatchReason> ready;
  for (const auto& [kind, waiting] : kinds_) {
    const auto reason = ReasonToSend(kind, waiting, now);
    if (reason.has_value()) ready[kind] = *reason;
  }
  if (ready.empty()) return std::nullopt;
  // Whose turn it is says which kind is sent.
  const auto leader = fair_.Next([&](int kind) { return ready.contains(kind); });
  const int kind = requests_.at(*leader).kind;
  // Without those it is another question what to send, and whether.
  if (!IsExact(kind) && Loaded(0) && DropLate(kind, now)) return Next(now);
  return Form(kind, ready.at(kind), now);
}

// Under load a batch is not cut for those it would make late: they go.
bool Batcher::DropLate(int kind, absl::Duration now) {
  const Kind& waiting = kinds_.at(kind);
  const absl::Duration start = BusyUntil(now);
  int64_t remaining = waiting.examples;
  std::vector<uint64_t> late;
  for (const auto& [deadline, id] : waiting.deadlines) {
    const int64_t most = std::min(options_.max_batch_examples, remaining);
    const absl::Duration done = start + costs_.Predict(BucketOf(kind), most);
    const int64_t examples = requests_.at(id).request.examples;
    if (deadline >= WithMargin(done, now) || examples == remaining) break;
    late.push_back(id);
    remaining -= examples;
  }
  Expire(late);
  return !late.empty();
}

void Batcher::Expire(const std::vector<uint64_t>& ids) {
  for (const uint64_t id : ids) {
    Cancel(id);
    expired_.push_back(id);
  }
}

Batch Batcher::Form(int kind, BatchReason reason, absl::Duration now) {
  const absl::Duration start = BusyUntil(now);
  const int bucket = BucketOf(kind);
  Batch batch;
  batch.id = next_batch_++;
  batch.reason = reason;
  absl::Duration tightest = absl::InfiniteDuration();
  while (const auto id = fair_.Next([kind](int other) { return other == kind; })) {
    const Waiting waiting = requests_.at(*id);
    const BatchRequest& request = waiting.request;
    const int64_t examples = batch.examples + request.examples;
    if (examples > options_.max_batch_examples) break;
    const absl::Duration done = start + costs_.Predict(bucket, examples);
    if (!batch.requests.empty() && done > std::min(tightest, request.deadline)) {
      batch.reason = BatchReason::kDeadline;
      break;
    }
    // A late one was tried for its own sake: it does not keep others out.
    if (done <= request.deadline) tightest = std::min(tightest, request.deadline);
    fair_.Take(*id);
    Forget(*id);
    batch.requests.push_back(request);
    batch.examples = examples;
    batch.length = std::max(batch.length, request.length);
    batch.queue_time = std::max(batch.queue_time, now - waiting.arrival);
    if (request.exact) break;
  }
  batch.fill =
      static_cast<double>(batch.examples) / static_cast<double>(options_.max_batch_examples);
  batch.padding = PaddingOf(batch);
  Start(batch.id, bucket, batch.examples, now);
  return batch;
}

void Batcher::Start(uint64_t batch, int bucket, int64_t examples, absl::Duration now) {
  if (in_flight_.empty()) begun_ = now;
  in_flight_.push_back({batch, bucket, examples, costs_.Predict(bucket, examples)});
}

std::optional<uint64_t> Batcher::TakePlace(int64_t examples, absl::Duration now) {
  if (!has_place()) return std::nullopt;
  const uint64_t batch = next_batch_++;
  Start(batch, ShapeBucket(0), examples, now);
  return batch;
}

void Batcher::Complete(uint64_t batch_id, std::optional<absl::Duration> compute,
                       absl::Duration now) {
  const auto flight = std::find_if(in_flight_.begin(), in_flight_.end(),
                                   [&](const Flight& other) { return other.id == batch_id; });
  ABSL_RAW_CHECK(flight != in_flight_.end(), "completed a batch that is not in flight");
  if (compute.has_value()) costs_.Observe(flight->bucket, flight->examples, *compute);
  if (flight == in_flight_.begin()) begun_ = now;
  in_flight_.erase(flight);
}

absl::Duration Batcher::NextWakeup() const {
  if (!expired_.empty()) return absl::ZeroDuration();
  absl::Duration wakeup = absl::InfiniteDuration();
  for (const auto& [kind, waiting] : kinds_) {
    const absl::Duration oldest = waiting.arrivals.begin()->first;
    const absl::Duration tightest = waiting.deadlines.begin()->first;
    wakeup = std::min(wakeup, tightest);
    // Without a place only an expiry can happen by itself.
    if (!has_place()) continue;
    const bool at_once = IsExact(kind) || draining_ || in_flight_.empty() ||
                         waiting.examples >= options_.max_batch_examples;
    if (at_once) return oldest;
    const absl::Duration rest = NotBegun();
    const absl::Duration compute = costs_.Predict(BucketOf(kind), waiting.examples);
    wakeup = std::min(wakeup, tightest - compute - rest);
    // Behind more than that, only a completion makes it the turn of a delayed batch.
    const absl::Duration lead = options_.max_queue_delay - rest;
    if (lead < absl::ZeroDuration()) continue;
    wakeup = std::min(wakeup, std::max(oldest + options_.max_queue_delay,
                                       begun_ + in_flight_.front().predicted - lead));
  }
  return wakeup;
}

absl::Duration Batcher::RetryAfter() const {
  const int64_t batches = 1 + waiting_examples_ / options_.max_batch_examples;
  return std::clamp(batches * Predict(options_.max_batch_examples), absl::Milliseconds(1),
                    kLongestHint);
}

absl::Duration Batcher::Predict(int64_t examples, int64_t length) const {
  return costs_.Predict(ShapeBucket(length), examples);
}

}  // namespace distill
