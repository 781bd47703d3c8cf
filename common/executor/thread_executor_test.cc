#include "common/executor/thread_executor.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <functional>
#include <memory>
#include <numeric>
#include <string>
#include <thread>
#include <vector>

#include "absl/synchronization/barrier.h"
#include "absl/synchronization/mutex.h"
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

TEST(ThreadExecutorDispatch, AnIdleSerialExecutorRunsItOnTheCallersThread) {
  ThreadExecutor executor({.name = "test"});
  std::thread::id ran_on;
  ASSERT_TRUE(executor.Dispatch([&] { ran_on = std::this_thread::get_id(); }).ok());
  EXPECT_EQ(ran_on, std::this_thread::get_id());
}

TEST(ThreadExecutorDispatch, WhatIsScheduledMeanwhileRunsAfterwardsInOrderAndNeverBeside) {
  ThreadExecutor executor({.name = "test", .threads = 1, .max_queued = 1000});
  std::vector<int> order;  // Of the executor: never touched by two at once.
  for (int turn = 0; turn < 10; ++turn) {
    ASSERT_TRUE(
        executor
            .Dispatch([&] {
              order.push_back(3 * turn);
              for (int i = 1; i <= 2; ++i) {
                const auto next = [&order, number = 3 * turn + i] { order.push_back(number); };
                ASSERT_TRUE((i == 1 ? executor.Dispatch(next) : executor.Schedule(next)).ok());
                EXPECT_EQ(order.back(), 3 * turn);
              }
            })
            .ok());
  }
  executor.Stop();
  std::vector<int> expected(30);
  std::iota(expected.begin(), expected.end(), 0);
  EXPECT_EQ(order, expected);
}

TEST(ThreadExecutorDispatch, WaitsItsTurnBehindTheExecutorsOwnThread) {
  ThreadExecutor executor({.name = "test", .threads = 1, .max_queued = 10});
  absl::Notification started, release;
  std::vector<int> order;
  ASSERT_TRUE(executor
                  .Schedule([&] {
                    started.Notify();
                    release.WaitForNotification();
                    order.push_back(1);
                  })
                  .ok());
  started.WaitForNotification();
  ASSERT_TRUE(executor.Dispatch([&] { order.push_back(2); }).ok());
  EXPECT_TRUE(order.empty());
  release.Notify();
  executor.Stop();
  EXPECT_EQ(order, std::vector<int>({1, 2}));
}

TEST(ThreadExecutorDispatch, ACallerIsKeptForABoundedNumberOfClosures) {
  ThreadExecutor executor({.name = "test", .threads = 1, .max_queued = 10});
  absl::Mutex mutex;
  const std::thread::id caller = std::this_thread::get_id();
  bool over = false;
  int runs = 0;
  // One schedules the next without end, until another thread than the caller's runs it.
  std::function<void()> next = [&] {
    absl::MutexLock lock(&mutex);
    ++runs;
    over = std::this_thread::get_id() != caller;
    if (!over) {
      ASSERT_TRUE(executor.Schedule(next).ok());
    }
  };
  ASSERT_TRUE(executor.Dispatch(next).ok());
  absl::MutexLock lock(&mutex);
  mutex.Await(absl::Condition(&over));
  EXPECT_EQ(runs, ThreadExecutor::kMostDispatched + 1);
}

TEST(ThreadExecutorDispatch, ManyCallersRunEachClosureOnceAndNoTwoAtOnce) {
  ThreadExecutor executor({.name = "test", .threads = 1, .max_queued = 100000});
  std::atomic<int> inside = 0;
  int runs = 0;  // Of the executor.
  std::vector<std::thread> callers;
  for (int caller = 0; caller < 4; ++caller) {
    callers.emplace_back([&] {
      for (int i = 0; i < 5000; ++i) {
        const auto closure = [&] {
          EXPECT_EQ(inside.fetch_add(1), 0);
          std::this_thread::yield();
          ++runs;
          inside.fetch_sub(1);
        };
        ASSERT_TRUE((i % 3 == 0 ? executor.Schedule(closure) : executor.Dispatch(closure)).ok());
      }
    });
  }
  for (std::thread& caller : callers) caller.join();
  executor.Stop();
  EXPECT_EQ(runs, 20000);
}

TEST(ThreadExecutorDispatch, StopWaitsForTheClosureOnACallersThread) {
  ThreadExecutor executor({.name = "test"});
  absl::Notification started, release;
  std::atomic<bool> ended = false;
  std::thread caller([&] {
    ASSERT_TRUE(executor
                    .Dispatch([&] {
                      started.Notify();
                      release.WaitForNotification();
                      ended = true;
                    })
                    .ok());
  });
  started.WaitForNotification();
  EXPECT_FALSE(executor.StopWithin(absl::ZeroDuration()));
  release.Notify();
  caller.join();
  EXPECT_TRUE(ended);
  EXPECT_EQ(executor.Dispatch([] { FAIL(); }).code(), absl::StatusCode::kUnavailable);
}

TEST(ThreadExecutorDispatch, WithSeveralThreadsItIsSchedule) {
  ThreadExecutor executor({.name = "test", .threads = 2, .max_queued = 10});
  std::atomic<bool> elsewhere = false;
  ASSERT_TRUE(executor
                  .Dispatch([&, caller = std::this_thread::get_id()] {
                    elsewhere = std::this_thread::get_id() != caller;
                  })
                  .ok());
  executor.Stop();
  EXPECT_TRUE(elsewhere);
}

TEST(ThreadExecutorDeathTest, CrashesWhenADispatchedClosureStopsIt) {
  ThreadExecutor executor({.name = "test"});
  EXPECT_DEATH(executor.Dispatch([&] { executor.Stop(); }).IgnoreError(), "waits for the closure");
}

TEST(ThreadExecutorDeathTest, CrashesWithoutAThread) {
  EXPECT_DEATH(ThreadExecutor({.name = "test", .threads = 0}), "needs a thread");
}

}  // namespace
}  // namespace distill
