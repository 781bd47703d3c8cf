// Decides which requests of all students run together, and when.
#ifndef TEACHER_SERVER_BATCHING_BATCHER_H_
#define TEACHER_SERVER_BATCHING_BATCHER_H_

#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <set>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/time/time.h"

namespace distill {

struct BatcherOptions {
  int64_t max_batch_examples = 256;
  // Bound on waiting examples; more is refused with a retry hint.
  int64_t max_queue_examples = 4096;
  // While the device is busy, a batch that is not full waits at most so long.
  absl::Duration max_queue_delay = absl::Milliseconds(2);
  // Batches started and not complete.
  int max_in_flight = 2;

  absl::Status Validate() const;
};

// Points in time are readings of one monotonic clock.
struct BatchRequest {
  // Unique among the waiting.
  uint64_t id = 0;
  // Streams take turns.
  uint64_t stream = 0;
  int64_t examples = 0;
  // When its answer is worthless.
  absl::Duration deadline = absl::InfiniteDuration();
  // A batch of its own, so that its result does not depend on others.
  bool exact = false;
};

// Why a batch was sent: kFull no room for the next request; kExact it is an exact
// request; kDeadline waiting longer would miss one; kIdle the device had nothing to
// do; kDelay the oldest waited max_queue_delay; kDrain nothing more will come.
enum class BatchReason { kFull, kExact, kDeadline, kIdle, kDelay, kDrain };
const char* BatchReasonName(BatchReason reason);

struct Batch {
  uint64_t id = 0;
  // In the order of their rows.
  std::vector<BatchRequest> requests;
  int64_t examples = 0;
  BatchReason reason = BatchReason::kIdle;
  // Of the request that waited longest.
  absl::Duration queue_time;
};

// A pure state machine: arrivals, clock readings and completions in, batches out.
// Thread-compatible. `now` never falls from call to call.
//
//   RETURN_IF_ERROR(batcher.Add(request, now));
//   for (uint64_t id : batcher.TakeExpired(now)) Fail(id, DEADLINE_EXCEEDED);
//   while (auto batch = batcher.Next(now)) runner.Start(...);  // later: Complete
//   timer.ScheduleAt(batcher.NextWakeup(), ...);
//
// A request is never split. Fairness: between two requests of one stream, every
// stream that waits all the while gets one sent.
class Batcher {
 public:
  // Crashes unless options.Validate() is OK.
  explicit Batcher(const BatcherOptions& options);

  // INVALID_ARGUMENT      no examples, or more than a batch holds: split the request
  // ALREADY_EXISTS        the id waits already
  // DEADLINE_EXCEEDED     its time has passed
  // RESOURCE_EXHAUSTED    the queue is full: retry after RetryAfter()
  // UNAVAILABLE           draining: ask another server
  absl::Status Add(const BatchRequest& request, absl::Duration now);

  // False when it does not wait (any more).
  bool Cancel(uint64_t id);

  // Those whose deadline has passed while they waited; they are gone from here.
  std::vector<uint64_t> TakeExpired(absl::Duration now);

  // The next batch to start now, if one should be.
  std::optional<Batch> Next(absl::Duration now);

  // A batch's result came after `compute`; frees its place. Crashes for an unknown id.
  void Complete(uint64_t batch_id, absl::Duration compute);

  // Refuses new requests and sends those that wait without delay.
  void Drain() { draining_ = true; }

  // When TakeExpired or Next will have something to say, if nothing else happens.
  absl::Duration NextWakeup() const;

  // How long the waiting examples will take, as far as is known.
  absl::Duration RetryAfter() const;

  int64_t waiting_examples() const { return waiting_examples_; }
  size_t waiting_requests() const { return requests_.size(); }
  int in_flight() const { return static_cast<int>(in_flight_.size()); }

  // Expected compute time of a batch of so many examples; zero before the first.
  absl::Duration Predict(int64_t examples) const;

 private:
  struct Waiting {
    BatchRequest request;
    absl::Duration arrival;
  };
  using Queues = std::map<uint64_t, std::deque<uint64_t>>;

  Queues::iterator NextStream();
  bool NextIsExact();
  // What the next batch would hold, without taking it.
  int64_t FillOfNext(bool& full);
  std::optional<BatchReason> ReasonToSend(absl::Duration now);
  Batch TakeBatch(BatchReason reason, absl::Duration now);
  void Forget(uint64_t id);
  absl::Duration LatestStart() const;

  const BatcherOptions options_;
  bool draining_ = false;
  uint64_t next_batch_ = 1;
  uint64_t last_stream_ = 0;
  int64_t waiting_examples_ = 0;
  std::map<uint64_t, Waiting> requests_;
  // Request ids in order of arrival, by stream; no queue is empty.
  Queues queues_;
  std::set<std::pair<absl::Duration, uint64_t>> arrivals_;
  std::set<std::pair<absl::Duration, uint64_t>> deadlines_;
  // Batch id to examples.
  std::map<uint64_t, int64_t> in_flight_;
  // Moving average of compute time, by size rounded up to a power of two.
  std::map<int64_t, absl::Duration> compute_;
};

}  // namespace distill

#endif  // TEACHER_SERVER_BATCHING_BATCHER_H_
