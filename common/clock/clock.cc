#include "common/clock/clock.h"

#include <chrono>

#include "absl/time/clock.h"

namespace distill {

absl::Time SystemClock::WallNow() { return absl::Now(); }

absl::Duration SystemClock::MonotonicNow() {
  return absl::FromChrono(std::chrono::steady_clock::now().time_since_epoch());
}

}  // namespace distill
