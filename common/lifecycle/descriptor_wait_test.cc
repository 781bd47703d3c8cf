#include "common/lifecycle/descriptor_wait.h"

#include <gtest/gtest.h>
#include <pthread.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <atomic>
#include <cstdint>
#include <thread>

#include "absl/time/time.h"
#include "common/lifecycle/shutdown_signal.h"

namespace distill {
namespace {

using Result = DescriptorWait::Result;

class DescriptorWaitTest : public ::testing::Test {
 protected:
  DescriptorWaitTest() { EXPECT_EQ(pipe(pipe_), 0); }
  ~DescriptorWaitTest() override {
    close(pipe_[0]);
    if (pipe_[1] >= 0) close(pipe_[1]);
  }

  void CloseWriter() {
    close(pipe_[1]);
    pipe_[1] = -1;
  }

  int pipe_[2];
  ShutdownSignal shutdown_;
};

TEST_F(DescriptorWaitTest, ReturnsWhenThereIsSomethingToReadAndAtTheEnd) {
  DescriptorWait wait(&shutdown_);
  ASSERT_EQ(write(pipe_[1], "x", 1), 1);
  EXPECT_EQ(wait.For(pipe_[0]), Result::kReady);
  char byte;
  ASSERT_EQ(read(pipe_[0], &byte, 1), 1);
  CloseWriter();
  EXPECT_EQ(wait.For(pipe_[0]), Result::kReady);
}

TEST_F(DescriptorWaitTest, WaitsNoLongerThanItMay) {
  DescriptorWait wait(&shutdown_);
  EXPECT_EQ(wait.For(pipe_[0], absl::ZeroDuration()), Result::kTooLong);
  EXPECT_EQ(wait.For(-1), Result::kTooLong);
  const int closed = dup(pipe_[0]);
  close(closed);
  EXPECT_EQ(wait.For(closed), Result::kTooLong);
}

TEST_F(DescriptorWaitTest, ASignalThatTheThreadHandlesDoesNotEndTheWait) {
  static std::atomic<int> handled = 0;
  struct sigaction former, counted = {};
  counted.sa_handler = [](int) { ++handled; };
  ASSERT_EQ(sigaction(SIGUSR1, &counted, &former), 0);
  DescriptorWait wait(&shutdown_);
  std::thread others([this, waiter = pthread_self()] {
    while (handled < 1000) {
      pthread_kill(waiter, SIGUSR1);
      std::this_thread::yield();
    }
    EXPECT_EQ(write(pipe_[1], "x", 1), 1);
  });
  EXPECT_EQ(wait.For(pipe_[0]), Result::kReady);
  others.join();
  sigaction(SIGUSR1, &former, nullptr);
}

TEST_F(DescriptorWaitTest, AShutdownEndsTheWaitAndGoesBeforeWhatIsReady) {
  DescriptorWait wait(&shutdown_);
  std::thread later([this] { shutdown_.Request("test"); });
  EXPECT_EQ(wait.For(pipe_[0]), Result::kStopped);
  later.join();
  CloseWriter();
  EXPECT_EQ(wait.For(pipe_[0]), Result::kStopped);
}

TEST_F(DescriptorWaitTest, OnceItIsGoneAShutdownWritesToNoDescriptor) {
  const int next = dup(pipe_[0]);
  close(next);
  {
    DescriptorWait wait(&shutdown_);
  }
  const int reused = eventfd(0, EFD_NONBLOCK);
  ASSERT_EQ(reused, next) << "not the number that the wait had";
  shutdown_.Request("test");
  uint64_t written = 0;
  EXPECT_LT(read(reused, &written, sizeof(written)), 0);
  close(reused);
}

TEST_F(DescriptorWaitTest, AShutdownBeforeItIsThereIsSeen) {
  shutdown_.Request("test");
  EXPECT_EQ(DescriptorWait(&shutdown_).For(pipe_[0]), Result::kStopped);
}

}  // namespace
}  // namespace distill
