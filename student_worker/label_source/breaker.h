// Whether a teacher that fails may be asked again, and when.
#ifndef STUDENT_WORKER_LABEL_SOURCE_BREAKER_H_
#define STUDENT_WORKER_LABEL_SOURCE_BREAKER_H_

#include "absl/time/time.h"

namespace distill {

struct BreakerOptions {
  // Failed asks in a row that open it. A lost stream opens it at once.
  int failures_to_open = 3;
  // The rest doubles with each opening from the first to the second; jittered over its
  // upper half, so that students do not come back together.
  absl::Duration min_backoff = absl::Milliseconds(20);
  absl::Duration max_backoff = absl::Seconds(5);
};

// Of `failures` before this one; `jitter` in [0, 1).
absl::Duration JitteredBackoff(const BreakerOptions& options, int failures, double jitter);

// Thread-compatible. Points in time are readings of one monotonic clock.
//
//   CLOSED --failures_to_open in a row, or Trip--> OPEN (rests) --rest is over--> HALF-OPEN:
//   one ask at a time, whose success closes it and whose failure opens it for twice as long.
class Breaker {
 public:
  explicit Breaker(const BreakerOptions& options) : options_(options) {}

  // An ask failed. True when this opened it. Failures of asks made before it opened do
  // not prolong the rest.
  bool Failed(absl::Duration now, double jitter);
  // The stream is gone: opens it, anew if it rests.
  void Trip(absl::Duration now, double jitter);
  // An ask was answered. While it rests that closes nothing: the ask is an old one.
  void Succeeded(absl::Duration now);
  // The teacher asks for a rest: no failure.
  void RestUntil(absl::Duration when);

  // Nothing may be asked before.
  absl::Duration rest_until() const { return rest_until_; }
  bool MayAsk(absl::Duration now) const { return now >= rest_until_; }
  // One ask at a time only.
  bool half_open() const { return openings_ > 0; }

 private:
  void Open(absl::Duration now, double jitter);

  BreakerOptions options_;
  int failures_ = 0;
  // Since the last success.
  int openings_ = 0;
  // Of the last opening; and with what the teacher asked for.
  absl::Duration open_until_ = -absl::InfiniteDuration();
  absl::Duration rest_until_ = -absl::InfiniteDuration();
};

}  // namespace distill

#endif  // STUDENT_WORKER_LABEL_SOURCE_BREAKER_H_
