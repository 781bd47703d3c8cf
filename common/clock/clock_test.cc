#include "common/clock/clock.h"

#include <gtest/gtest.h>

namespace distill {
namespace {

TEST(SystemClock, TheMonotonicClockNeverGoesBack) {
  SystemClock clock;
  absl::Duration last = clock.MonotonicNow();
  for (int i = 0; i < 1000; ++i) {
    const absl::Duration now = clock.MonotonicNow();
    ASSERT_GE(now, last);
    last = now;
  }
}

TEST(SystemClock, TheWallClockIsACalendarTime) {
  SystemClock clock;
  EXPECT_GT(clock.WallNow(), absl::FromUnixSeconds(1704067200));
}

}  // namespace
}  // namespace distill
