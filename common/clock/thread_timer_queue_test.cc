#include "common/clock/thread_timer_queue.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <utility>
#include <vector>

#include "absl/synchronization/notification.h"

namespace distill {
namespace {

using ::testing::ElementsAre;

TEST(ThreadTimerQueue, FiresInOrderOfDeadlineAndNeverEarly) {
  SystemClock clock;
  ThreadTimerQueue timers(&clock);
  const absl::Duration start = clock.MonotonicNow();
  std::vector<int> fired;  // Written by the queue's thread, read after `done`.
  absl::Notification done;
  bool early = false;
  const auto at = [&](int milliseconds, bool last) {
    const absl::Duration deadline = start + absl::Milliseconds(milliseconds);
    ASSERT_TRUE(timers
                    .ScheduleAt(deadline,
                                [&, deadline, milliseconds, last] {
                                  early = early || clock.MonotonicNow() < deadline;
                                  fired.push_back(milliseconds);
                                  if (last) done.Notify();
                                })
                    .ok());
  };
  at(30, true);
  at(20, false);
  at(10, false);
  done.WaitForNotification();
  EXPECT_THAT(fired, ElementsAre(10, 20, 30));
  EXPECT_FALSE(early);
}

TEST(ThreadTimerQueue, AnEarlierTimerOvertakesTheOneTheThreadWaitsFor) {
  SystemClock clock;
  ThreadTimerQueue timers(&clock);
  ASSERT_TRUE(timers.ScheduleAt(absl::InfiniteDuration(), [] { FAIL(); }).ok());
  absl::Notification fired;
  ASSERT_TRUE(timers.ScheduleAt(clock.MonotonicNow(), [&] { fired.Notify(); }).ok());
  fired.WaitForNotification();
}

TEST(ThreadTimerQueue, AClosureMayScheduleAndCancel) {
  SystemClock clock;
  ThreadTimerQueue timers(&clock);
  absl::Notification fired;
  const auto never = timers.ScheduleAt(absl::InfiniteDuration(), [] { FAIL(); });
  ASSERT_TRUE(
      timers
          .ScheduleAt(clock.MonotonicNow(),
                      [&] {
                        EXPECT_TRUE(timers.Cancel(*never));
                        EXPECT_TRUE(
                            timers.ScheduleAt(clock.MonotonicNow(), [&] { fired.Notify(); }).ok());
                      })
          .ok());
  fired.WaitForNotification();
  EXPECT_FALSE(timers.Cancel(*never));
}

TEST(ThreadTimerQueue, StopDropsWhatWaitsAndRefusesMore) {
  SystemClock clock;
  ThreadTimerQueue timers(&clock);
  auto token = std::make_shared<int>(1);
  const std::weak_ptr<int> watch = token;
  ASSERT_TRUE(
      timers.ScheduleAt(absl::InfiniteDuration(), [token = std::move(token)] { FAIL(); }).ok());
  timers.Stop();
  timers.Stop();
  EXPECT_TRUE(watch.expired());
  EXPECT_EQ(timers.ScheduleAt(absl::ZeroDuration(), [] {}).status().code(),
            absl::StatusCode::kUnavailable);
}

TEST(ThreadTimerQueue, ADroppedClosureMayCallBackIntoTheQueueFromItsDestructor) {
  SystemClock clock;
  ThreadTimerQueue timers(&clock);
  const auto cancels_another = [&] {
    return std::shared_ptr<int>(new int, [&](int* p) {
      EXPECT_FALSE(timers.Cancel(12345));
      delete p;
    });
  };
  const auto id =
      timers.ScheduleAt(absl::InfiniteDuration(), [token = cancels_another()] { FAIL(); });
  ASSERT_TRUE(timers.ScheduleAt(absl::InfiniteDuration(), [t = cancels_another()] {}).ok());
  EXPECT_TRUE(timers.Cancel(*id));
  timers.Stop();
}

TEST(ThreadTimerQueue, RefusesMoreTimersThanItsBound) {
  SystemClock clock;
  ThreadTimerQueue timers(&clock, 1);
  ASSERT_TRUE(timers.ScheduleAt(absl::InfiniteDuration(), [] {}).ok());
  EXPECT_EQ(timers.ScheduleAt(absl::InfiniteDuration(), [] {}).status().code(),
            absl::StatusCode::kResourceExhausted);
}

}  // namespace
}  // namespace distill
