#include "common/clock/fake_clock.h"

#include "absl/base/internal/raw_logging.h"

namespace distill {

FakeClock::FakeClock()
    : wall_(absl::FromUnixSeconds(1704067200)), monotonic_(absl::Seconds(1000)) {}

absl::Time FakeClock::WallNow() {
  absl::MutexLock lock(&mutex_);
  return wall_;
}

absl::Duration FakeClock::MonotonicNow() {
  absl::MutexLock lock(&mutex_);
  return monotonic_;
}

void FakeClock::Advance(absl::Duration by) {
  ABSL_RAW_CHECK(by >= absl::ZeroDuration(), "a monotonic clock does not go back");
  absl::MutexLock lock(&mutex_);
  wall_ += by;
  monotonic_ += by;
}

void FakeClock::JumpWall(absl::Duration by) {
  absl::MutexLock lock(&mutex_);
  wall_ += by;
}

}  // namespace distill
