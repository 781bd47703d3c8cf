#include "cli/doctor/posix_machine.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>

#include <cstdlib>
#include <string>

#include "absl/status/status.h"
#include "common/clock/clock.h"

namespace distill {
namespace {

using ::testing::HasSubstr;

class PosixMachineTest : public ::testing::Test {
 protected:
  SystemClock clock_;
  PosixMachine machine_{&clock_};
};

TEST_F(PosixMachineTest, ReadsFilesThatSayTheyAreEmpty) {
  const auto text = machine_.ReadFile("/proc/self/status");
  ASSERT_TRUE(text.ok());
  EXPECT_THAT(*text, HasSubstr("\nPid:"));
  EXPECT_TRUE(absl::IsNotFound(machine_.ReadFile("/proc/self/none").status()));
}

TEST_F(PosixMachineTest, TakesNoMoreThanItMayOfWhatHasNoEnd) {
  const auto text = machine_.ReadFile("/dev/zero");
  ASSERT_TRUE(text.ok());
  EXPECT_EQ(text->size(), size_t{64} << 10);
}

TEST_F(PosixMachineTest, CountsWhatThisProcessHas) {
  EXPECT_GE(machine_.Cpus(), 1);
  EXPECT_GE(machine_.MaxOpenFiles(), 3u);
}

TEST_F(PosixMachineTest, LooksAtWhatExistsOfAPath) {
  const std::string folder = std::getenv("TEST_TMPDIR");
  EXPECT_TRUE(machine_.FreeBytes(folder + "/not/there/yet").ok());
  EXPECT_TRUE(machine_.CheckWritable(folder + "/not/there/yet").ok());
  EXPECT_FALSE(machine_.CheckWritable("/proc/self/none").ok());
}

TEST_F(PosixMachineTest, ConnectsToAPortOfItsOwn) {
  EXPECT_TRUE(machine_.ConnectToSelf("127.0.0.1").ok());
  EXPECT_TRUE(absl::IsInvalidArgument(machine_.ConnectToSelf("nowhere")));
  EXPECT_FALSE(machine_.ConnectToSelf("203.0.113.1").ok());  // of documentation, on no machine
}

TEST_F(PosixMachineTest, RunsAProgramForItsOutput) {
  const auto text = machine_.RunProgram({"/bin/echo", "a", "b"}, absl::Minutes(1));
  ASSERT_TRUE(text.ok()) << text.status();
  EXPECT_EQ(*text, "a b\n");
  EXPECT_TRUE(absl::IsNotFound(machine_.RunProgram({"/bin/none"}, absl::Minutes(1)).status()));
  const auto failed =
      machine_.RunProgram({"/bin/sh", "-c", "echo broken >&2; exit 3"}, absl::Minutes(1));
  EXPECT_TRUE(absl::IsInternal(failed.status()));
  EXPECT_THAT(std::string(failed.status().message()), HasSubstr("broken"));
}

TEST_F(PosixMachineTest, WaitsForNoProgramBeyondItsTime) {
  EXPECT_TRUE(absl::IsDeadlineExceeded(
      machine_.RunProgram({"/bin/sleep", "600"}, absl::Milliseconds(50)).status()));
  // Nor for one that closed its outputs, whose end is the next thing waited for.
  EXPECT_TRUE(absl::IsDeadlineExceeded(
      machine_
          .RunProgram({"/bin/sh", "-c", "exec >&- 2>&-; exec sleep 600"}, absl::Milliseconds(50))
          .status()));
}

TEST_F(PosixMachineTest, StopsAProgramThatWritesWithoutPause) {
  for (const char* output : {"exec yes", "exec yes >&2"}) {
    EXPECT_TRUE(absl::IsDeadlineExceeded(
        machine_.RunProgram({"/bin/sh", "-c", output}, absl::Milliseconds(200)).status()))
        << output;
  }
}

TEST_F(PosixMachineTest, TakesTheEndOfALongOutputToo) {
  // As much as a pipe holds, in one go: all there when the end of the program is seen.
  const auto text = machine_.RunProgram(
      {"/bin/sh", "-c", "head -c 65000 /dev/zero | tr '\\0' x; echo end"}, absl::Minutes(1));
  ASSERT_TRUE(text.ok()) << text.status();
  EXPECT_EQ(*text, std::string(65000, 'x') + "end\n");
}

TEST_F(PosixMachineTest, TakesTheAnswerOfAProgramThatLeftAnotherRunning) {
  const auto text =
      machine_.RunProgram({"/bin/sh", "-c", "sleep 60 >&- 2>&- & echo $!"}, absl::Seconds(2));
  ASSERT_TRUE(text.ok()) << text.status();
  EXPECT_EQ(kill(std::stoi(*text), SIGKILL), 0);
}

}  // namespace
}  // namespace distill
