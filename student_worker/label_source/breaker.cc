#include "student_worker/label_source/breaker.h"

#include <algorithm>

namespace distill {

absl::Duration JitteredBackoff(const BreakerOptions& options, int failures, double jitter) {
  absl::Duration wait = options.min_backoff;
  for (int i = 0; i < failures && wait < options.max_backoff; ++i) wait *= 2;
  return std::min(wait, options.max_backoff) * (0.5 + 0.5 * jitter);
}

bool Breaker::Failed(absl::Duration now, double jitter) {
  if (now < open_until_) return false;
  ++failures_;
  if (!half_open() && failures_ < options_.failures_to_open) return false;
  Open(now, jitter);
  return true;
}

void Breaker::Trip(absl::Duration now, double jitter) { Open(now, jitter); }

void Breaker::Open(absl::Duration now, double jitter) {
  failures_ = 0;
  open_until_ = now + JitteredBackoff(options_, openings_++, jitter);
  RestUntil(open_until_);
}

void Breaker::Succeeded(absl::Duration now) {
  if (now < open_until_) return;
  failures_ = 0;
  openings_ = 0;
}

void Breaker::RestUntil(absl::Duration when) { rest_until_ = std::max(rest_until_, when); }

}  // namespace distill
