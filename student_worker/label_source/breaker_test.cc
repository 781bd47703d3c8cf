#include "student_worker/label_source/breaker.h"

#include <gtest/gtest.h>

namespace distill {
namespace {

constexpr absl::Duration kNow = absl::Seconds(1);
constexpr absl::Duration kMs = absl::Milliseconds(1);

BreakerOptions Options() {
  BreakerOptions options;
  options.failures_to_open = 3;
  options.min_backoff = 20 * kMs;
  options.max_backoff = 100 * kMs;
  return options;
}

TEST(Breaker, OpensAfterFailuresInARowOnly) {
  Breaker breaker(Options());
  EXPECT_FALSE(breaker.Failed(kNow, 0.5));
  EXPECT_FALSE(breaker.Failed(kNow, 0.5));
  breaker.Succeeded(kNow);
  EXPECT_FALSE(breaker.Failed(kNow, 0.5));
  EXPECT_FALSE(breaker.Failed(kNow, 0.5));
  EXPECT_TRUE(breaker.MayAsk(kNow));
  EXPECT_FALSE(breaker.half_open());
  EXPECT_TRUE(breaker.Failed(kNow, 0.5));
  EXPECT_FALSE(breaker.MayAsk(kNow));
  EXPECT_EQ(breaker.rest_until(), kNow + 15 * kMs);
}

TEST(Breaker, AfterTheRestOneFailureOpensItForTwiceAsLongUpToTheMost) {
  Breaker breaker(Options());
  absl::Duration now = kNow;
  for (const absl::Duration rest : {15 * kMs, 30 * kMs, 60 * kMs, 75 * kMs, 75 * kMs}) {
    if (rest == 15 * kMs) {
      breaker.Trip(now, 0.5);
    } else {
      EXPECT_TRUE(breaker.Failed(now, 0.5));
    }
    EXPECT_EQ(breaker.rest_until(), now + rest);
    now += rest;
    EXPECT_TRUE(breaker.MayAsk(now));
    EXPECT_TRUE(breaker.half_open());
  }
}

TEST(Breaker, ASuccessAfterTheRestClosesItAndForgetsTheFailures) {
  Breaker breaker(Options());
  breaker.Trip(kNow, 0.5);
  breaker.Trip(breaker.rest_until(), 0.5);
  const absl::Duration now = breaker.rest_until();
  breaker.Succeeded(now);
  EXPECT_FALSE(breaker.half_open());
  EXPECT_FALSE(breaker.Failed(now, 0.5));
  breaker.Trip(now, 0.5);
  EXPECT_EQ(breaker.rest_until(), now + 15 * kMs);
}

TEST(Breaker, WhatWasAskedBeforeItOpenedNeitherClosesItNorProlongsTheRest) {
  Breaker breaker(Options());
  breaker.Trip(kNow, 0.5);
  EXPECT_FALSE(breaker.Failed(kNow + kMs, 0.5));
  breaker.Succeeded(kNow + 2 * kMs);
  EXPECT_TRUE(breaker.half_open());
  EXPECT_EQ(breaker.rest_until(), kNow + 15 * kMs);
}

TEST(Breaker, ARestThatATeacherAsksForIsNoFailure) {
  Breaker breaker(Options());
  breaker.RestUntil(kNow + absl::Seconds(2));
  EXPECT_FALSE(breaker.MayAsk(kNow));
  EXPECT_FALSE(breaker.half_open());
  breaker.RestUntil(kNow + kMs);  // a shorter one takes nothing back
  EXPECT_FALSE(breaker.MayAsk(kNow + absl::Seconds(1)));
  EXPECT_TRUE(breaker.MayAsk(kNow + absl::Seconds(2)));
}

TEST(Breaker, TheBackOffIsJitteredOverItsUpperHalf) {
  EXPECT_EQ(JitteredBackoff(Options(), 0, 0), 10 * kMs);
  EXPECT_LT(JitteredBackoff(Options(), 0, 0.999), 20 * kMs);
  EXPECT_EQ(JitteredBackoff(Options(), 1'000'000, 0), 50 * kMs);
}

}  // namespace
}  // namespace distill
