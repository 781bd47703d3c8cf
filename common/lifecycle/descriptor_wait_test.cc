#include "common/lifecycle/descriptor_wait.h"

#include <gtest/gtest.h>
#include <unistd.h>

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
}

TEST_F(DescriptorWaitTest, AShutdownEndsTheWaitAndGoesBeforeWhatIsReady) {
  DescriptorWait wait(&shutdown_);
  std::thread later([this] { shutdown_.Request("test"); });
  EXPECT_EQ(wait.For(pipe_[0]), Result::kStopped);
  later.join();
  CloseWriter();
  EXPECT_EQ(wait.For(pipe_[0]), Result::kStopped);
}

TEST_F(DescriptorWaitTest, AShutdownAfterItIsGoneIsNobodysBusiness) {
  {
    DescriptorWait wait(&shutdown_);
  }
  shutdown_.Request("test");
  DescriptorWait wait(&shutdown_);
  EXPECT_EQ(wait.For(pipe_[0]), Result::kStopped);
}

}  // namespace
}  // namespace distill
