// Decides which requests of all students run together, and when.
#ifndef TEACHER_SERVER_BATCHING_BATCHER_H_
#define TEACHER_SERVER_BATCHING_BATCHER_H_

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <unordered_map>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "teacher_server/batching/cost_model.h"
#include "teacher_server/batching/fair_queue.h"

namespace distill {

struct BatcherOptions {
  int64_t max_batch_examples = 256;
  // Bound on waiting examples; more is refused with a retry hint.
  int64_t max_queue_examples = 4096;
  // While the device is busy, a batch that is not full waits at most so long; and
  // longer while the device has more than this to do, since it would only queue there.
  absl::Duration max_queue_delay = absl::Milliseconds(2);
  // Batches started and not complete. The device is taken to compute them one after
  // the other.
  int max_in_flight = 2;

  absl::Status Validate() const;
};

// Of a run with a share of 1; a share is known to a hundredth.
constexpr int64_t kUsualWeight = 100;
constexpr int64_t kMaxWeight = 100 * kUsualWeight;

// Points in time are readings of one monotonic clock.
struct BatchRequest {
  // Unique among the waiting.
  uint64_t id = 0;
  // Runs share the server by weight, the streams of a run (its students) share equally.
  uint64_t run = 0;
  uint64_t stream = 0;
  // Of the run; 1 to kMaxWeight.
  int64_t weight = kUsualWeight;
  int64_t examples = 0;
  // Of its longest example along the variable axis, at most kMaxLength; 0: fixed shape.
  int64_t length = 0;
  // When its answer is worthless.
  absl::Duration deadline = absl::InfiniteDuration();
  // A batch of its own, so that its result does not depend on others.
  bool exact = false;
  // Of work that was promised before: Drain does not refuse it.
  bool promised = false;
};

// Why a batch was sent: kFull no room for the next request; kExact it is an exact
// request; kDeadline a later start, or one more request, would miss one; kIdle the
// device had nothing to do; kDelay the oldest waited max_queue_delay and the device is
// nearly done; kDrain nothing more will come.
enum class BatchReason { kFull, kExact, kDeadline, kIdle, kDelay, kDrain };
inline constexpr size_t kBatchReasons = static_cast<size_t>(BatchReason::kDrain) + 1;
const char* BatchReasonName(BatchReason reason);

struct Batch {
  uint64_t id = 0;
  // In the order of their rows; all of one shape bucket.
  std::vector<BatchRequest> requests;
  int64_t examples = 0;
  // Of the longest request: pad to this.
  int64_t length = 0;
  BatchReason reason = BatchReason::kIdle;
  // Of the request that waited longest.
  absl::Duration queue_time;
  // Examples over the most a batch holds, and the share of elements that are padding.
  double fill = 0;
  double padding = 0;
};

// Why work was not done: kQueueFull, kStreamQuota and kTooLate on arrival; kExpired its
// time ended while it waited, or would before its labels came.
enum class ShedReason { kQueueFull, kStreamQuota, kTooLate, kExpired };
const char* ShedReasonName(ShedReason reason);

// A pure state machine: arrivals, clock readings and completions in, batches out.
// Thread-compatible. `now` never falls from call to call.
//
//   RETURN_IF_ERROR(batcher.Add(request, now));
//   while (auto batch = batcher.Next(now)) runner.Start(...);  // later: Complete
//   for (uint64_t id : batcher.TakeExpired(now)) Fail(id, DEADLINE_EXCEEDED);
//   timer.ScheduleAt(batcher.NextWakeup(), ...);
//
// A request is never split. Fairness says who is served (fair_queue.h; the unit is an
// example, or an element of one of variable length), deadlines say when, and admission
// whether: an early deadline buys no larger share.
//
// Guarantee: the device never idles while something waits. So a request that was taken
// is answered in time if, each taken as a batch of its own, what is in flight, it itself,
// and all that waits or comes before it is sent, take no longer than its time; as far as
// the predictions hold.
//
// Under load (a full batch's worth of work is here, in flight or waiting) throughput goes
// first: only what is in time behind full batches is taken, and a batch is not cut short
// for a request that it would make late; that one is dropped. Both leave a margin of
// twice what predictions are off by on average. docs/decisions/0009 says why.
class Batcher {
 public:
  // Crashes unless options.Validate() is OK.
  explicit Batcher(const BatcherOptions& options);

  // INVALID_ARGUMENT      a size, length or weight out of range: split the request
  // ALREADY_EXISTS        the id waits already
  // DEADLINE_EXCEEDED     its time has passed
  // RESOURCE_EXHAUSTED    retry after RetryAfter(), or ask another: the queue is full; or
  //                       this stream holds as much of it as is free; or its labels
  //                       would come too late: even with the best batches, or, under
  //                       load, behind full ones (`shed` says which)
  // UNAVAILABLE           draining, and it was not promised: ask another server
  // An idle server refuses nothing for its prediction, so that a wrong one is corrected.
  absl::Status Add(const BatchRequest& request, absl::Duration now, ShedReason* shed = nullptr);

  // False when it does not wait (any more).
  bool Cancel(uint64_t id);

  // The next batch to start now, if one should be.
  std::optional<Batch> Next(absl::Duration now);

  // Takes the next free place for a batch of the caller's own, of examples of fixed shape
  // that nobody asked for: Complete it as any other. None: no place is free. What waits is
  // kept waiting for that one batch.
  std::optional<uint64_t> TakePlace(int64_t examples, absl::Duration now);
  bool has_place() const { return in_flight() < options_.max_in_flight; }

  // Those that are gone without a batch: their deadline has passed, or they would miss
  // it even if they were sent next and alone, or under load in the batch that was sent.
  // Call it after Next.
  std::vector<uint64_t> TakeExpired(absl::Duration now);

  // A batch's result came; frees its place. `compute`: how long it took; none, when
  // that says nothing about others. Crashes for an unknown id.
  void Complete(uint64_t batch_id, std::optional<absl::Duration> compute, absl::Duration now);

  // Refuses new requests, but those that were promised, and sends what waits without delay.
  void Drain() { draining_ = true; }

  // When TakeExpired or Next will have something to say, if nothing else happens.
  absl::Duration NextWakeup() const;

  // How long the waiting examples will take, as far as is known; 1 ms to 5 s.
  absl::Duration RetryAfter() const;

  int64_t waiting_examples() const { return waiting_examples_; }
  size_t waiting_requests() const { return requests_.size(); }
  int in_flight() const { return static_cast<int>(in_flight_.size()); }

  // Expected compute time of a batch of so many examples; zero before the first.
  absl::Duration Predict(int64_t examples, int64_t length = 0) const;

 private:
  struct Waiting {
    BatchRequest request;
    absl::Duration arrival;
    int kind = 0;
  };
  // What may share a batch: a shape bucket, apart for exact requests.
  struct Kind {
    int64_t examples = 0;
    std::set<std::pair<absl::Duration, uint64_t>> arrivals;
    std::set<std::pair<absl::Duration, uint64_t>> deadlines;
  };
  struct Flight {
    uint64_t id = 0;
    int bucket = 0;
    int64_t examples = 0;
    absl::Duration predicted;
  };
  using StreamKey = std::pair<uint64_t, uint64_t>;

  absl::Status Check(const BatchRequest& request, absl::Duration now) const;
  absl::Status Admit(const BatchRequest& request, absl::Duration now, ShedReason& shed) const;
  bool Loaded(int64_t more) const;
  absl::Duration DoneAt(const BatchRequest& request, absl::Duration now) const;
  // A point in time, later by what predictions have been off.
  absl::Duration WithMargin(absl::Duration done, absl::Duration now) const;
  void Forget(uint64_t id);
  // These move to expired_ what TakeExpired returns.
  void Sweep(absl::Duration now);
  bool DropLate(int kind, absl::Duration now);
  void Expire(const std::vector<uint64_t>& ids);
  // When the device is done with what is in flight; and what of that is not begun.
  absl::Duration BusyUntil(absl::Duration now) const;
  absl::Duration NotBegun() const;
  std::optional<BatchReason> ReasonToSend(int kind, const Kind& waiting, absl::Duration now) const;
  Batch Form(int kind, BatchReason reason, absl::Duration now);
  void Start(uint64_t batch, int bucket, int64_t examples, absl::Duration now);

  const BatcherOptions options_;
  CostModel costs_;
  FairQueue fair_;
  bool draining_ = false;
  uint64_t next_batch_ = 1;
  int64_t waiting_examples_ = 0;
  std::unordered_map<uint64_t, Waiting> requests_;
  // None is empty.
  std::map<int, Kind> kinds_;
  std::map<StreamKey, int64_t> stream_examples_;
  std::vector<uint64_t> expired_;
  // In the order of their start.
  std::vector<Flight> in_flight_;
  // When the first of in_flight_ began.
  absl::Duration begun_;
};

}  // namespace distill

#endif  // TEACHER_SERVER_BATCHING_BATCHER_H_
