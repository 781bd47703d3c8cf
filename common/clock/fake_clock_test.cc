#include "common/clock/fake_clock.h"

#include <gtest/gtest.h>

namespace distill {
namespace {

TEST(FakeClock, StandsStillUntilItIsMoved) {
  FakeClock clock;
  const absl::Time wall = clock.WallNow();
  EXPECT_EQ(clock.WallNow(), wall);
  EXPECT_EQ(clock.MonotonicNow(), absl::Seconds(1000));
}

TEST(FakeClock, AdvanceMovesBothClocks) {
  FakeClock clock;
  const absl::Time wall = clock.WallNow();
  clock.Advance(absl::Milliseconds(1500));
  EXPECT_EQ(clock.WallNow() - wall, absl::Milliseconds(1500));
  EXPECT_EQ(clock.MonotonicNow(), absl::Seconds(1001.5));
}

TEST(FakeClock, AJumpOfTheWallClockLeavesIntervalsAlone) {
  FakeClock clock;
  const absl::Time wall = clock.WallNow();
  clock.JumpWall(-absl::Hours(1));
  EXPECT_EQ(clock.WallNow() - wall, -absl::Hours(1));
  EXPECT_EQ(clock.MonotonicNow(), absl::Seconds(1000));
}

TEST(FakeClockDeathTest, RefusesToGoBack) {
  FakeClock clock;
  EXPECT_DEATH(clock.Advance(-absl::Nanoseconds(1)), "does not go back");
}

}  // namespace
}  // namespace distill
