// Under --config=tsan: what an absl::Mutex orders is clean (a report fails the
// test at its end), what it does not is reported. Elsewhere the first half runs
// as a plain test.
#include <cstdlib>
#include <functional>
#include <thread>

#include "absl/synchronization/barrier.h"
#include "absl/synchronization/mutex.h"
#include "absl/synchronization/notification.h"
#include "absl/time/time.h"
#include "gtest/gtest.h"

namespace {

struct Shared {
  absl::Mutex mutex;
  absl::CondVar changed;
  int value = 0;
};

void Together(const std::function<void()>& first, const std::function<void()>& second) {
  std::thread one(first);
  std::thread two(second);
  one.join();
  two.join();
}

void Increment(Shared& shared) {
  absl::MutexLock lock(&shared.mutex);
  ++shared.value;
  shared.changed.SignalAll();
}

bool IsSet(int* value) { return *value > 0; }

// Many rounds, so that conditions hold at once in some, and in others come to
// hold in the Unlock of another thread, which evaluates them.
void ExpectOrdered(const std::function<void(Shared&)>& reader) {
  for (int round = 0; round < 100; ++round) {
    Shared shared;
    Together([&] { reader(shared); }, [&] { Increment(shared); });
    Together([&] { reader(shared); },
             [&] {
               for (int i = 0; i < 10; ++i) Increment(shared);
             });
    Together([&] { Increment(shared); }, [&] { reader(shared); });
    EXPECT_EQ(shared.value, 12);
  }
}

TEST(TsanAbslMutexTest, LockOrders) {
  ExpectOrdered([](Shared& shared) {
    absl::MutexLock lock(&shared.mutex);
    EXPECT_GE(shared.value, 0);
  });
}

TEST(TsanAbslMutexTest, TryLockOrders) {
  ExpectOrdered([](Shared& shared) {
    while (!shared.mutex.TryLock()) std::this_thread::yield();
    EXPECT_GE(shared.value, 0);
    shared.mutex.Unlock();
  });
}

TEST(TsanAbslMutexTest, ReaderLockOrders) {
  ExpectOrdered([](Shared& shared) {
    absl::ReaderMutexLock lock(&shared.mutex);
    EXPECT_GE(shared.value, 0);
  });
  ExpectOrdered([](Shared& shared) {
    while (!shared.mutex.ReaderTryLock()) std::this_thread::yield();
    EXPECT_GE(shared.value, 0);
    shared.mutex.ReaderUnlock();
  });
}

TEST(TsanAbslMutexTest, AwaitOrders) {
  ExpectOrdered([](Shared& shared) {
    absl::MutexLock lock(&shared.mutex);
    shared.mutex.Await(absl::Condition(&IsSet, &shared.value));
    EXPECT_GE(shared.value, 1);
  });
  ExpectOrdered([](Shared& shared) {
    absl::MutexLock lock(&shared.mutex);
    EXPECT_TRUE(shared.mutex.AwaitWithTimeout(absl::Condition(&IsSet, &shared.value),
                                              absl::InfiniteDuration()));
    EXPECT_GE(shared.value, 1);
  });
}

TEST(TsanAbslMutexTest, LockWhenOrders) {
  ExpectOrdered([](Shared& shared) {
    absl::MutexLock lock(&shared.mutex, absl::Condition(&IsSet, &shared.value));
    EXPECT_GE(shared.value, 1);
  });
  ExpectOrdered([](Shared& shared) {
    absl::ReaderMutexLock lock(&shared.mutex, absl::Condition(&IsSet, &shared.value));
    EXPECT_GE(shared.value, 1);
  });
}

TEST(TsanAbslMutexTest, CondVarWaitOrders) {
  ExpectOrdered([](Shared& shared) {
    absl::MutexLock lock(&shared.mutex);
    while (shared.value == 0) shared.changed.Wait(&shared.mutex);
    EXPECT_GE(shared.value, 1);
  });
}

TEST(TsanAbslMutexTest, NotificationOrders) {
  const std::function<void(absl::Notification&)> waits[] = {
      [](absl::Notification& notified) { notified.WaitForNotification(); },
      [](absl::Notification& notified) {
        EXPECT_TRUE(notified.WaitForNotificationWithTimeout(absl::InfiniteDuration()));
      },
      [](absl::Notification& notified) {
        EXPECT_TRUE(notified.WaitForNotificationWithDeadline(absl::InfiniteFuture()));
      },
      [](absl::Notification& notified) {
        while (!notified.HasBeenNotified()) std::this_thread::yield();
      },
  };
  for (int round = 0; round < 400; ++round) {
    int value = 0;
    absl::Notification notified;
    Together(
        [&] {
          waits[round % 4](notified);
          EXPECT_EQ(value, 1);
        },
        [&] {
          value = 1;
          notified.Notify();
        });
  }
}

TEST(TsanAbslMutexTest, BarrierOrders) {
  for (int round = 0; round < 100; ++round) {
    int values[2] = {};
    auto* const barrier = new absl::Barrier(2);
    const auto meet = [&](int mine) {
      values[mine] = 1;
      if (barrier->Block()) delete barrier;
      EXPECT_EQ(values[1 - mine], 1);
    };
    Together([&] { meet(0); }, [&] { meet(1); });
  }
}

#ifdef __SANITIZE_THREAD__

class TsanAbslMutexDeathTest : public testing::Test {
 protected:
  TsanAbslMutexDeathTest() { GTEST_FLAG_SET(death_test_style, "threadsafe"); }
};

// TSan's own exit status after a report.
constexpr int kReported = 66;

TEST_F(TsanAbslMutexDeathTest, NoLockIsReported) {
  EXPECT_EXIT(
      {
        Shared shared;
        Together([&] { ++shared.value; }, [&] { ++shared.value; });
        std::exit(0);
      },
      testing::ExitedWithCode(kReported), "data race");
}

TEST_F(TsanAbslMutexDeathTest, LockInOneThreadOnlyIsReported) {
  EXPECT_EXIT(
      {
        Shared shared;
        Together([&] { Increment(shared); }, [&] { ++shared.value; });
        std::exit(0);
      },
      testing::ExitedWithCode(kReported), "data race");
}

TEST_F(TsanAbslMutexDeathTest, ConditionOverUnlockedFieldIsReported) {
  EXPECT_EXIT(
      {
        Shared shared;
        int unlocked = 0;
        Together(
            [&] {
              absl::MutexLock lock(&shared.mutex);
              shared.mutex.AwaitWithTimeout(absl::Condition(&IsSet, &unlocked),
                                            absl::Milliseconds(1));
            },
            [&] { unlocked = 1; });
        std::exit(0);
      },
      testing::ExitedWithCode(kReported), "data race");
}

#endif  // __SANITIZE_THREAD__

}  // namespace
