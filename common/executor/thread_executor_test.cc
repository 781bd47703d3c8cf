#include "common/executor/thread_executor.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <memory>
#include <numeric>
#include <string>
#include <vector>

#include "absl/synchronization/barrier.h"
#include "absl/synchronization/notification.h"
#include "absl/time/time.h"

namespace distill {
namespace {

using ::testing::HasSubstr;

TEST(ThreadExecutor, OneThreadKeepsTheOrder) {
  ThreadExecutor executor({.name = "test", .threads = 1, .max_queued = 100});
  std::vector<int> order;  // Written by the one thread, read after Stop.
  for (int i = 0; i < 100; ++i) {
    ASSERT_TRUE(executor.Schedule([&order, i] { order.push_back(i); }).ok());
  }
  executor.Stop();
  std::vector<int> expected(100);
  std::iota(expected.begin(), expected.end(), 0);
  EXPECT_EQ(order, expected);
}

TEST(ThreadExecutor, StopRunsAllThatIsQueued) {
  std::atomic<int> runs = 0;
  ThreadExecutor executor({.name = "test", .threads = 2, .max_queued = 100});
  absl::Notification release;
  for (int i = 0; i < 2; ++i) {
    ASSERT_TRUE(executor.Schedule([&] { release.WaitForNotification(); }).ok());
  }
  for (int i = 0; i < 50; ++i) ASSERT_TRUE(executor.Schedule([&] { ++runs; }).ok());
  EXPECT_EQ(runs, 0);
  release.Notify();
  executor.Stop();
  EXPECT_EQ(runs, 50);
}

TEST(ThreadExecutor, AsManyClosuresRunAtOnceAsThereAreThreads) {
  ThreadExecutor executor({.name = "test", .threads = 3, .max_queued = 3});
  absl::Barrier* barrier = new absl::Barrier(3);  // Passed only by three at once.
  for (int i = 0; i < 3; ++i) {
    ASSERT_TRUE(executor
                    .Schedule([barrier] {
                      if (barrier->Block()) delete barrier;
                    })
                    .ok());
  }
}

TEST(ThreadExecutor, RefusesMoreThanItsBoundAndNamesItself) {
  ThreadExecutor executor({.name = "teacher", .threads = 1, .max_queued = 1});
  absl::Notification started;
  absl::Notification release;
  ASSERT_TRUE(executor
                  .Schedule([&] {
                    started.Notify();
                    release.WaitForNotification();
                  })
                  .ok());
  started.WaitForNotification();
  ASSERT_TRUE(executor.Schedule([] {}).ok());
  const absl::Status full = executor.Schedule([] { FAIL(); });
  EXPECT_EQ(full.code(), absl::StatusCode::kResourceExhausted);
  EXPECT_THAT(std::string(full.message()), HasSubstr("'teacher'"));
  release.Notify();
}

TEST(ThreadExecutor, AClosureThatHangsIsLeftBehindWithWhatIsQueuedUnrun) {
  absl::Notification started, release, over;
  auto executor = std::make_unique<ThreadExecutor>(
      ThreadExecutor::Options{.name = "test", .threads = 1, .max_queued = 10});
  ASSERT_TRUE(executor
                  ->Schedule([&] {
                    started.Notify();
                    release.WaitForNotification();
                    over.Notify();
                  })
                  .ok());
  const auto held = std::make_shared<int>(1);
  ASSERT_TRUE(executor->Schedule([held] { FAIL(); }).ok());
  started.WaitForNotification();
  EXPECT_FALSE(executor->StopWithin(absl::ZeroDuration()));
  EXPECT_EQ(held.use_count(), 1);
  EXPECT_TRUE(executor->StopWithin(absl::ZeroDuration()));
  EXPECT_FALSE(executor->Schedule([] { FAIL(); }).ok());
  executor.reset();
  release.Notify();
  over.WaitForNotification();
}

TEST(ThreadExecutor, WhatIsThroughInTimeIsStoppedInTime) {
  std::atomic<int> runs = 0;
  ThreadExecutor executor({.name = "test", .threads = 2, .max_queued = 100});
  for (int i = 0; i < 50; ++i) ASSERT_TRUE(executor.Schedule([&] { ++runs; }).ok());
  EXPECT_TRUE(executor.StopWithin(absl::InfiniteDuration()));
  EXPECT_EQ(runs, 50);
}

TEST(ThreadExecutor, RefusesWorkAfterStop) {
  ThreadExecutor executor({.name = "test"});
  executor.Stop();
  executor.Stop();
  EXPECT_EQ(executor.Schedule([] { FAIL(); }).code(), absl::StatusCode::kUnavailable);
}

TEST(ThreadExecutor, AClosureMaySchedule) {
  ThreadExecutor executor({.name = "test"});
  absl::Notification done;
  ASSERT_TRUE(
      executor.Schedule([&] { ASSERT_TRUE(executor.Schedule([&] { done.Notify(); }).ok()); }).ok());
  done.WaitForNotification();
}

TEST(ThreadExecutorDeathTest, CrashesWithoutAThread) {
  EXPECT_DEATH(ThreadExecutor({.name = "test", .threads = 0}), "needs a thread");
}

}  // namespace
}  // namespace distill
