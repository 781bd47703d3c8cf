#include "cli/launcher/supervisor.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>

#include <cstdlib>
#include <thread>

#include "common/clock/clock.h"

namespace distill {
namespace {

using ::testing::_;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Pair;

constexpr absl::Duration kLong = absl::Seconds(30);

ProcessSpec Shell(const std::string& name, const std::string& script, bool reports_ready = false) {
  const std::string log = std::string(std::getenv("TEST_TMPDIR")) + "/" + name + ".log";
  return {name, {"/bin/sh", "-c", script, "sh"}, log, reports_ready};
}

// A shell that runs `setup`, says `text` on its ready pipe, then runs `rest`.
ProcessSpec ReadyShell(const std::string& name, const std::string& setup, const std::string& text,
                       const std::string& rest) {
  return Shell(name, setup + "; fd=${1#--ready-fd=}; eval \"echo '" + text + "' >&$fd\"; " + rest,
               true);
}

TEST(Supervisor, ReturnsTheLineOfAReadyProcess) {
  SystemClock clock;
  Supervisor supervisor(&clock);
  const auto line = supervisor.Start(ReadyShell("a", ":", "port 7", "sleep 60"), kLong);
  ASSERT_TRUE(line.ok()) << line.status();
  EXPECT_EQ(*line, "port 7");
  EXPECT_EQ(supervisor.Running().size(), 1u);
}

TEST(Supervisor, AProcessThatEndsBeforeItIsReadyIsNamedWithItsLog) {
  SystemClock clock;
  Supervisor supervisor(&clock);
  const auto line = supervisor.Start(Shell("b", "echo no such model; exit 1", true), kLong);
  EXPECT_EQ(line.status().code(), absl::StatusCode::kUnavailable);
  EXPECT_THAT(std::string(line.status().message()), HasSubstr("no such model"));
}

TEST(Supervisor, TheExitCodeOfAProcessThatRefusesToStartSaysWhy) {
  SystemClock clock;
  Supervisor supervisor(&clock);
  const auto start = [&](const std::string& script) {
    return supervisor.Start(Shell("r", script, true), kLong).status().code();
  };
  EXPECT_EQ(start("exit 3"), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(start("exit 0"), absl::StatusCode::kUnavailable);
}

TEST(Supervisor, ARefusalOfAProcessThatLingersIsStillARefusal) {
  SystemClock clock;
  Supervisor supervisor(&clock);
  const auto line = supervisor.Start(
      Shell("s", "fd=${1#--ready-fd=}; eval \"exec $fd>&-\"; sleep 0.2; exit 5", true), kLong);
  EXPECT_EQ(line.status().code(), absl::StatusCode::kFailedPrecondition);
}

TEST(Supervisor, AProcessThatIsNeverReadyIsKilledAtItsDeadline) {
  SystemClock clock;
  Supervisor supervisor(&clock);
  const auto line = supervisor.Start(Shell("c", "sleep 60", true), absl::Milliseconds(50));
  EXPECT_EQ(line.status().code(), absl::StatusCode::kDeadlineExceeded);
  const auto exit = supervisor.WaitForExit(kLong);
  ASSERT_TRUE(exit.has_value());
  EXPECT_EQ(exit->Describe(), "c was killed by SIGKILL (often: out of memory)");
}

TEST(Supervisor, ReportsExitCodes) {
  SystemClock clock;
  Supervisor supervisor(&clock);
  ASSERT_TRUE(supervisor.Start(Shell("d", "exit 7"), kLong).ok());
  const auto exit = supervisor.WaitForExit(kLong);
  ASSERT_TRUE(exit.has_value());
  EXPECT_FALSE(exit->clean());
  EXPECT_EQ(exit->Describe(), "d ended with exit code 7");
}

TEST(Supervisor, StopAllLetsProcessesDrainAndKillsThoseThatDoNot) {
  SystemClock clock;
  Supervisor supervisor(&clock);
  const std::string wait = "while :; do sleep 0.05; done";
  ASSERT_TRUE(supervisor.Start(ReadyShell("kind", "trap 'exit 0' TERM", "up", wait), kLong).ok());
  ASSERT_TRUE(supervisor.Start(ReadyShell("deaf", "trap '' TERM", "up", wait), kLong).ok());
  EXPECT_THAT(supervisor.StopAll(absl::Seconds(1)), ElementsAre("deaf"));
  EXPECT_THAT(supervisor.Running(), IsEmpty());
}

TEST(Supervisor, StopAllLeavesTheOneThatItIsTo) {
  SystemClock clock;
  Supervisor supervisor(&clock);
  for (const char* const name : {"goes", "stays"}) {
    ASSERT_TRUE(supervisor.Start(ReadyShell(name, "true", "up", "sleep 60"), kLong).ok());
  }
  EXPECT_THAT(supervisor.StopAll(kLong, "stays"), IsEmpty());
  EXPECT_THAT(supervisor.Running(), ElementsAre(Pair("stays", _)));
  EXPECT_THAT(supervisor.StopAll(kLong), IsEmpty());
  EXPECT_THAT(supervisor.Running(), IsEmpty());
}

TEST(Supervisor, WakeEndsAWait) {
  SystemClock clock;
  Supervisor supervisor(&clock);
  supervisor.Wake();
  EXPECT_FALSE(supervisor.WaitForExit(kLong).has_value());
}

TEST(Supervisor, AnInterruptEndsTheWaitForAProcessAndLetsNoneBegin) {
  SystemClock clock;
  Supervisor supervisor(&clock);
  std::jthread user([&] { supervisor.Interrupt(); });
  const auto first = supervisor.Start(Shell("i", "sleep 60", true), kLong);
  EXPECT_EQ(first.status().code(), absl::StatusCode::kCancelled);
  const auto second = supervisor.Start(Shell("j", "sleep 60", true), kLong);
  EXPECT_EQ(second.status().code(), absl::StatusCode::kCancelled);
  EXPECT_FALSE(supervisor.Running().contains("j"));
}

TEST(Supervisor, AMissingProgramIsNotFound) {
  SystemClock clock;
  Supervisor supervisor(&clock);
  ProcessSpec spec = Shell("e", "");
  spec.argv = {"/nowhere/coordinator"};
  const auto line = supervisor.Start(spec, kLong);
  EXPECT_EQ(line.status().code(), absl::StatusCode::kNotFound);
  EXPECT_THAT(std::string(line.status().message()), HasSubstr("build it first"));
}

}  // namespace
}  // namespace distill
