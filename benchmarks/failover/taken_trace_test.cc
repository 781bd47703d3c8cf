#include "benchmarks/failover/taken_trace.h"

#include <gtest/gtest.h>

namespace distill {
namespace {

// 10 rows and 2 answers every 10 ms, one of them the watched teacher's from 500 ms on;
// nothing is taken between 300 and 450 ms.
TakenTrace Trace() {
  TakenTrace trace;
  AskingStudent::Taken taken;
  for (int ms = 0; ms <= 1000; ms += 10) {
    if (ms > 300 && ms <= 450) continue;
    taken.when = absl::Milliseconds(ms);
    taken.rows += 10;
    taken.answers += 2;
    taken.watched += ms > 500;
    trace.push_back(taken);
  }
  return trace;
}

TEST(TakenTrace, AStretchHasItsRateAndItsShare) {
  const Stretch stretch = StretchOf(Trace(), absl::Milliseconds(600), absl::Milliseconds(800));
  EXPECT_DOUBLE_EQ(stretch.rows_per_second, 1000);
  EXPECT_DOUBLE_EQ(stretch.watched_share, 0.5);
  EXPECT_EQ(StretchOf(Trace(), absl::Milliseconds(310), absl::Milliseconds(440)).rows_per_second,
            0);
}

TEST(TakenTrace, TheTimeUntilItIsGoodIncludesTheWindowAndAllThatFollows) {
  const auto fast = [](const Stretch& stretch) { return stretch.rows_per_second >= 999; };
  const auto until =
      TimeUntil(Trace(), absl::Milliseconds(100), absl::Seconds(1), absl::Milliseconds(100), fast);
  ASSERT_TRUE(until.has_value());
  // Good windows before the gap do not count: what follows them has the gap in it.
  EXPECT_EQ(*until, absl::Milliseconds(450));
}

TEST(TakenTrace, TheLongestGapMayBeAtEitherEnd) {
  const auto ms = [](int n) { return absl::Milliseconds(n); };
  EXPECT_EQ(LongestGap(Trace(), ms(100), ms(900)), ms(160));
  EXPECT_EQ(LongestGap(Trace(), ms(350), ms(900)), ms(110));
  EXPECT_EQ(LongestGap(Trace(), ms(100), ms(440)), ms(140));
}

TEST(TakenTrace, WhatDoesNotBecomeGoodHasNoTime) {
  const auto never = [](const Stretch& stretch) { return stretch.watched_share > 0.9; };
  EXPECT_FALSE(
      TimeUntil(Trace(), absl::ZeroDuration(), absl::Seconds(1), absl::Milliseconds(100), never)
          .has_value());
}

}  // namespace
}  // namespace distill
