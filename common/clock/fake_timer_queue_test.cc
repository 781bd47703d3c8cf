#include "common/clock/fake_timer_queue.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <string>
#include <utility>
#include <vector>

namespace distill {
namespace {

using ::testing::ElementsAre;
using ::testing::Pair;

class FakeTimerQueueTest : public ::testing::Test {
 protected:
  TimerQueue::TimerId After(int seconds, std::string name) {
    return *timers_.ScheduleAt(clock_.MonotonicNow() + absl::Seconds(seconds), [this, name] {
      fired_.emplace_back(name, absl::ToInt64Seconds(clock_.MonotonicNow() - start_));
    });
  }

  FakeClock clock_;
  FakeTimerQueue timers_{&clock_};
  const absl::Duration start_ = clock_.MonotonicNow();
  std::vector<std::pair<std::string, int64_t>> fired_;
};

TEST_F(FakeTimerQueueTest, EachClosureSeesItsOwnDeadlineAsTheTime) {
  After(3, "c");
  After(1, "a");
  After(1, "b");
  timers_.Advance(absl::Seconds(10));
  EXPECT_THAT(fired_, ElementsAre(Pair("a", 1), Pair("b", 1), Pair("c", 3)));
  EXPECT_EQ(clock_.MonotonicNow() - start_, absl::Seconds(10));
}

TEST_F(FakeTimerQueueTest, NothingFiresBeforeItsDeadline) {
  After(5, "a");
  timers_.Advance(absl::Seconds(4));
  EXPECT_THAT(fired_, ElementsAre());
  EXPECT_EQ(timers_.pending(), 1u);
  timers_.Advance(absl::Seconds(1));
  EXPECT_THAT(fired_, ElementsAre(Pair("a", 5)));
}

TEST_F(FakeTimerQueueTest, ATimerInThePastWaitsForTheNextAdvance) {
  After(-1, "late");
  EXPECT_THAT(fired_, ElementsAre());
  timers_.Advance(absl::ZeroDuration());
  EXPECT_THAT(fired_, ElementsAre(Pair("late", 0)));
}

TEST_F(FakeTimerQueueTest, WhatAClosureSchedulesInsideTheIntervalFiresInIt) {
  std::function<void()> tick = [&] {
    After(0, "tick");
    ASSERT_TRUE(timers_.ScheduleAt(clock_.MonotonicNow() + absl::Seconds(2), tick).ok());
  };
  tick();
  timers_.Advance(absl::Seconds(5));
  EXPECT_THAT(fired_, ElementsAre(Pair("tick", 0), Pair("tick", 2), Pair("tick", 4)));
}

TEST_F(FakeTimerQueueTest, AClosureMayCancelALaterTimer) {
  const TimerQueue::TimerId victim = After(2, "victim");
  ASSERT_TRUE(
      timers_.ScheduleAt(start_ + absl::Seconds(1), [&] { EXPECT_TRUE(timers_.Cancel(victim)); })
          .ok());
  timers_.Advance(absl::Seconds(3));
  EXPECT_THAT(fired_, ElementsAre());
}

}  // namespace
}  // namespace distill
