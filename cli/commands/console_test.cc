#include "cli/commands/console.h"

#include <gtest/gtest.h>
#include <signal.h>
#include <unistd.h>

#include <cstdio>
#include <string>
#include <thread>

namespace distill {
namespace {

class AskTest : public ::testing::Test {
 protected:
  AskTest() { EXPECT_EQ(pipe(pipe_), 0); }
  ~AskTest() override {
    close(pipe_[0]);
    if (pipe_[1] >= 0) close(pipe_[1]);
  }
  void Type(const std::string& text) {
    EXPECT_EQ(write(pipe_[1], text.data(), text.size()), static_cast<ssize_t>(text.size()));
  }
  std::optional<std::string> Answer() { return Ask(pipe_[0], "name? ", shutdown_); }

  int pipe_[2] = {-1, -1};
  ShutdownSignal shutdown_;
};

TEST_F(AskTest, ReturnsTheLineThatWasTyped) {
  Type("tiny\nmore");
  EXPECT_EQ(Answer(), "tiny");
}

TEST_F(AskTest, TheEndOfInputIsNoAnswer) {
  Type("tin");
  close(pipe_[1]);
  pipe_[1] = -1;
  EXPECT_EQ(Answer(), std::nullopt);
}

TEST_F(AskTest, ASignalEndsTheQuestionWhileNobodyTypes) {
  std::thread user([this] { shutdown_.Request("SIGINT"); });
  EXPECT_EQ(Answer(), std::nullopt);
  user.join();
}

TEST_F(AskTest, AfterASignalWhatWasTypedDoesNotCount) {
  Type("tiny\n");
  shutdown_.Request("SIGINT");
  EXPECT_EQ(Answer(), std::nullopt);
}

// Each in a process of its own, since stdout does not come back.
TEST(ConsoleDeathTest, DataThatDoesNotFitOnStdoutIsAFailureThatIsSaid) {
  EXPECT_EXIT(
      {
        if (std::freopen("/dev/full", "w", stdout) == nullptr) std::_Exit(99);
        Print(std::string(100000, 'x'));
        Print("more");
        std::_Exit(static_cast<int>(EndOfOutput(ExitCode::kDone)));
      },
      testing::ExitedWithCode(static_cast<int>(ExitCode::kData)),
      "stdout is not all there: No space left on device.*DST-2101");
}

TEST(ConsoleDeathTest, AFailureOfTheCommandItselfIsNotHiddenByOneOfStdout) {
  EXPECT_EXIT(
      {
        if (std::freopen("/dev/full", "w", stdout) == nullptr) std::_Exit(99);
        Print("data");
        std::_Exit(static_cast<int>(EndOfOutput(ExitCode::kUnreachable)));
      },
      testing::ExitedWithCode(static_cast<int>(ExitCode::kUnreachable)), "");
}

TEST(ConsoleDeathTest, WhoClosedThePipeHasSeenWhatItWanted) {
  EXPECT_EXIT(
      {
        signal(SIGPIPE, SIG_IGN);  // as ShutdownSignal does
        int ends[2];
        if (pipe(ends) != 0 || dup2(ends[1], STDOUT_FILENO) < 0) std::_Exit(99);
        close(ends[0]);
        Print("data");
        std::_Exit(static_cast<int>(EndOfOutput(ExitCode::kDone)));
      },
      testing::ExitedWithCode(0), "");
}

TEST(ConsoleDeathTest, WhatFitsIsASuccess) {
  EXPECT_EXIT(
      {
        Print("data\n");
        std::_Exit(static_cast<int>(EndOfOutput(ExitCode::kDone)));
      },
      testing::ExitedWithCode(0), "");
}

}  // namespace
}  // namespace distill
