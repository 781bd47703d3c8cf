#include "common/rpc/retry.h"

#include <gtest/gtest.h>

#include <vector>

#include "common/clock/fake_clock.h"

namespace distill {
namespace {

class RetryTest : public ::testing::Test {
 protected:
  RetryTools Tools() {
    return {&clock_, [] { return 0.5; },
            [this](absl::Duration wait) {
              waits_.push_back(wait);
              clock_.Advance(wait);
              return go_on_;
            }};
  }
  FakeClock clock_;
  std::vector<absl::Duration> waits_;
  bool go_on_ = true;
};

TEST_F(RetryTest, GoesOnUntilItSucceedsAndWaitsLongerEachTime) {
  int calls = 0;
  const absl::Status status = Retry({}, Tools(), [&](absl::Duration) {
    return ++calls < 4 ? absl::UnavailableError("down") : absl::OkStatus();
  });
  EXPECT_TRUE(status.ok());
  EXPECT_EQ(waits_, (std::vector<absl::Duration>{absl::Milliseconds(37.5), absl::Milliseconds(75),
                                                 absl::Milliseconds(150)}));
}

TEST_F(RetryTest, AnAnswerThatWillNotChangeIsNotAskedForAgain) {
  int calls = 0;
  EXPECT_EQ(Retry({}, Tools(),
                  [&](absl::Duration) {
                    ++calls;
                    return absl::AbortedError("fenced");
                  })
                .code(),
            absl::StatusCode::kAborted);
  EXPECT_EQ(calls, 1);
}

TEST_F(RetryTest, TheBudgetBoundsAttemptsAndWaitsTogether) {
  const absl::Duration begin = clock_.MonotonicNow();
  RetryPolicy policy;
  policy.budget = absl::Seconds(10);
  const absl::Status status = Retry(policy, Tools(), [&](absl::Duration time) {
    EXPECT_LE(time, absl::Seconds(5));
    clock_.Advance(time);
    return absl::DeadlineExceededError("slow");
  });
  EXPECT_EQ(status.code(), absl::StatusCode::kDeadlineExceeded);
  EXPECT_LE(clock_.MonotonicNow() - begin, absl::Seconds(10));
}

TEST_F(RetryTest, ItGivesUpWhenItIsToldTo) {
  go_on_ = false;
  int calls = 0;
  EXPECT_TRUE(absl::IsUnavailable(Retry({}, Tools(), [&](absl::Duration) {
    ++calls;
    return absl::UnavailableError("down");
  })));
  EXPECT_EQ(calls, 1);
}

TEST_F(RetryTest, BackoffStaysBetweenHalfAndAllOfItsCeiling) {
  double draw = 0;
  Backoff backoff(absl::Seconds(1), absl::Seconds(4), [&] { return draw; });
  EXPECT_EQ(backoff.Next(), absl::Seconds(0.5));
  draw = 0.999;
  EXPECT_LT(backoff.Next(), absl::Seconds(2));
  backoff.Next();
  EXPECT_LT(backoff.Next(), absl::Seconds(4));
  backoff.Reset();
  draw = 0;
  EXPECT_EQ(backoff.Next(), absl::Seconds(0.5));
}

}  // namespace
}  // namespace distill
