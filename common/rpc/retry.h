// Calling again: the one helper. Only for calls that may be made twice.
#ifndef COMMON_RPC_RETRY_H_
#define COMMON_RPC_RETRY_H_

#include <functional>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "common/clock/clock.h"

namespace distill {

// Waits between attempts: doubled from `min` to `max`, jittered over the upper half.
class Backoff {
 public:
  // `random` gives numbers in [0, 1).
  Backoff(absl::Duration min, absl::Duration max, std::function<double()> random)
      : min_(min), max_(max), random_(std::move(random)) {}
  absl::Duration Next();
  void Reset() { failures_ = 0; }

 private:
  const absl::Duration min_;
  const absl::Duration max_;
  const std::function<double()> random_;
  int failures_ = 0;
};

struct RetryPolicy {
  // All attempts and waits together.
  absl::Duration budget = absl::Seconds(30);
  // One attempt.
  absl::Duration attempt = absl::Seconds(5);
  absl::Duration min_backoff = absl::Milliseconds(50);
  absl::Duration max_backoff = absl::Seconds(2);
};

struct RetryTools {
  Clock* clock = nullptr;
  std::function<double()> random;
  // Waits so long; false: give up now (the process stops, the world was left).
  std::function<bool(absl::Duration)> pause;
};

// Calls `attempt` with the time it has until it succeeds, fails with another code than
// UNAVAILABLE or DEADLINE_EXCEEDED, or the budget is used up; then the last failure.
absl::Status Retry(const RetryPolicy& policy, const RetryTools& tools,
                   const std::function<absl::Status(absl::Duration)>& attempt);

}  // namespace distill

#endif  // COMMON_RPC_RETRY_H_
