#include "common/executor/stress_threads.h"

#include <gtest/gtest.h>

#include <atomic>

#include "absl/synchronization/notification.h"
#include "absl/time/time.h"

namespace distill {
namespace {

TEST(StressThreadsTest, JoinWaitsForAll) {
  std::atomic<int> ran{0};
  StressThreads threads;
  for (int i = 0; i < 4; ++i) threads.Start("one of four", [&] { ++ran; });
  threads.Join();
  EXPECT_EQ(ran, 4);
}

TEST(StressThreadsDeathTest, AThreadThatHangsIsNamed) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  EXPECT_DEATH(
      {
        absl::Notification never;
        StressThreads threads(absl::Milliseconds(1));
        threads.Start("asking 3", [&] { never.WaitForNotification(); });
        threads.Join();
      },
      "not through after 1ms: asking 3");
}

}  // namespace
}  // namespace distill
