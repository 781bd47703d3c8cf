#include "common/rpc/retry.h"

#include <algorithm>

namespace distill {

absl::Duration Backoff::Next() {
  absl::Duration ceiling = min_;
  for (int i = 0; i < failures_ && ceiling < max_; ++i) ceiling *= 2;
  ++failures_;
  ceiling = std::min(ceiling, max_);
  return ceiling / 2 + ceiling / 2 * random_();
}

absl::Status Retry(const RetryPolicy& policy, const RetryTools& tools,
                   const std::function<absl::Status(absl::Duration)>& attempt) {
  const absl::Duration end = tools.clock->MonotonicNow() + policy.budget;
  Backoff backoff(policy.min_backoff, policy.max_backoff, tools.random);
  while (true) {
    const absl::Duration left = end - tools.clock->MonotonicNow();
    const absl::Status status = attempt(std::min(policy.attempt, left));
    if (!absl::IsUnavailable(status) && !absl::IsDeadlineExceeded(status)) return status;
    const absl::Duration wait = backoff.Next();
    if (tools.clock->MonotonicNow() + wait >= end) return status;
    if (!tools.pause(wait)) return status;
  }
}

}  // namespace distill
