#include "common/clock/timer_set.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace distill {
namespace {

using ::testing::ElementsAre;

class TimerSetTest : public ::testing::Test {
 protected:
  absl::StatusOr<TimerQueue::TimerId> Add(int second, std::string name) {
    return timers_.Add(absl::Seconds(second), [this, name] { fired_.push_back(name); });
  }

  void FireDue(int second) {
    while (auto closure = timers_.PopDue(absl::Seconds(second))) (*closure)();
  }

  TimerSet timers_{3};
  std::vector<std::string> fired_;
};

TEST_F(TimerSetTest, FiresByDeadlineAndThenByOrderOfScheduling) {
  ASSERT_TRUE(Add(2, "b1").ok());
  ASSERT_TRUE(Add(1, "a").ok());
  ASSERT_TRUE(Add(2, "b2").ok());
  FireDue(2);
  EXPECT_THAT(fired_, ElementsAre("a", "b1", "b2"));
}

TEST_F(TimerSetTest, ATimerIsDueAtItsDeadlineAndNotBefore) {
  ASSERT_TRUE(Add(5, "a").ok());
  EXPECT_EQ(timers_.NextDeadline(), absl::Seconds(5));
  FireDue(4);
  EXPECT_THAT(fired_, ElementsAre());
  FireDue(5);
  EXPECT_THAT(fired_, ElementsAre("a"));
  EXPECT_EQ(timers_.NextDeadline(), std::nullopt);
}

TEST_F(TimerSetTest, ACancelledTimerNeverFiresAndCancelsOnce) {
  const auto id = Add(1, "a");
  ASSERT_TRUE(id.ok());
  EXPECT_TRUE(timers_.Remove(*id).has_value());
  EXPECT_FALSE(timers_.Remove(*id).has_value());
  FireDue(9);
  EXPECT_THAT(fired_, ElementsAre());
}

TEST_F(TimerSetTest, AFiredTimerCannotBeCancelled) {
  const auto id = Add(1, "a");
  FireDue(1);
  EXPECT_FALSE(timers_.Remove(*id).has_value());
}

TEST_F(TimerSetTest, RefusesMoreTimersThanItsBoundUntilOneLeaves) {
  const auto id = Add(1, "a");
  ASSERT_TRUE(Add(1, "b").ok());
  ASSERT_TRUE(Add(1, "c").ok());
  EXPECT_EQ(Add(1, "d").status().code(), absl::StatusCode::kResourceExhausted);
  timers_.Remove(*id);
  EXPECT_TRUE(Add(1, "e").ok());
  EXPECT_EQ(timers_.size(), 3u);
}

}  // namespace
}  // namespace distill
