#include "common/lifecycle/shutdown_signal.h"

#include <errno.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <unistd.h>

namespace distill {
namespace {

TEST(ShutdownSignal, TheFirstSignalIsAnEventWithAName) {
  ShutdownSignal shutdown;
  absl::Notification called;
  shutdown.OnRequest([&] { called.Notify(); });
  EXPECT_FALSE(shutdown.requested());
  kill(getpid(), SIGTERM);
  shutdown.Wait();
  called.WaitForNotification();
  EXPECT_EQ(shutdown.reason(), "SIGTERM");
}

TEST(ShutdownSignal, ATerminalThatGoesAwayIsASignalToo) {
  ShutdownSignal shutdown;
  kill(getpid(), SIGHUP);
  shutdown.Wait();
  EXPECT_EQ(shutdown.reason(), "SIGHUP");
}

TEST(ShutdownSignalDeathTest, AShellThatRepeatsTheHangupOfTheKernelLeavesTimeToStop) {
  EXPECT_EXIT(
      {
        ShutdownSignal shutdown;
        kill(getpid(), SIGHUP);
        shutdown.Wait();
        kill(getpid(), SIGHUP);
        // Only once the listener has taken it.
        sigset_t pending;
        do {
          sigpending(&pending);
        } while (sigismember(&pending, SIGHUP) == 1);
        kill(getpid(), SIGTERM);
        pause();
      },
      testing::ExitedWithCode(128 + SIGTERM), "");
}

TEST(ShutdownSignalDeathTest, WhatIsToOutliveAHangupDoes) {
  EXPECT_EXIT(
      {
        signal(SIGHUP, SIG_IGN);
        ShutdownSignal shutdown;
        kill(getpid(), SIGHUP);
        kill(getpid(), SIGTERM);
        shutdown.Wait();
        _exit(shutdown.reason() == "SIGTERM" ? 0 : 1);
      },
      testing::ExitedWithCode(0), "");
}

TEST(ShutdownSignal, APipeThatNobodyReadsIsAnErrorOfTheWrite) {
  ShutdownSignal shutdown;
  int ends[2];
  ASSERT_EQ(pipe(ends), 0);
  close(ends[0]);
  EXPECT_EQ(write(ends[1], "x", 1), -1);
  EXPECT_EQ(errno, EPIPE);
  close(ends[1]);
}

TEST(ShutdownSignal, ARequestFromInsideDoesTheSameAndTheFirstReasonStays) {
  ShutdownSignal shutdown;
  shutdown.Request("the plan is finished");
  shutdown.Request("another reason");
  shutdown.Wait();
  EXPECT_EQ(shutdown.reason(), "the plan is finished");
}

TEST(ShutdownSignal, TheFirstRequestSaysWhatTheProcessEndsWith) {
  ShutdownSignal shutdown;
  EXPECT_TRUE(shutdown.failure().ok());
  shutdown.Request("lost", absl::AbortedError("another one took over"));
  shutdown.Request("later", absl::InternalError("not the cause"));
  EXPECT_EQ(shutdown.failure().code(), absl::StatusCode::kAborted);
  EXPECT_EQ(shutdown.reason(), "lost");
}

TEST(ShutdownSignal, ACallbackThatComesLateRunsAtOnce) {
  ShutdownSignal shutdown;
  shutdown.Request("done");
  bool called = false;
  shutdown.OnRequest([&] { called = true; });
  EXPECT_TRUE(called);
}

TEST(ShutdownSignalDeathTest, TheSecondSignalExitsAtOnce) {
  testing::FLAGS_gtest_death_test_style = "threadsafe";
  EXPECT_EXIT(
      {
        ShutdownSignal shutdown;
        kill(getpid(), SIGTERM);
        shutdown.Wait();
        kill(getpid(), SIGINT);
        absl::Notification never;  // a drain that would never end
        never.WaitForNotification();
      },
      testing::ExitedWithCode(128 + SIGINT), "");
}

}  // namespace
}  // namespace distill
