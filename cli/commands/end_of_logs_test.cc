#include "cli/commands/end_of_logs.h"

#include <gtest/gtest.h>

#include "common/clock/fake_clock.h"
#include "common/files/fake_file_system.h"

namespace distill {
namespace {

class EndOfLogsTest : public ::testing::Test {
 protected:
  EndOfLogsTest() {
    EXPECT_TRUE(files_.MakeDirectories("d").ok());
    EXPECT_TRUE(directory_.WriteProcesses({{"coordinator", "coordinator", 0, 7, "h:1", ""}}).ok());
  }

  FakeFileSystem files_;
  FakeClock clock_;
  ShutdownSignal shutdown_;
  RunDirectory directory_{&files_, "d"};
  EndOfLogs end_{&clock_, &shutdown_, &directory_};
};

TEST_F(EndOfLogsTest, ItIsNotReachedWhileThePlanRuns) {
  clock_.Advance(absl::Hours(100));
  EXPECT_FALSE(end_.Reached());
}

TEST_F(EndOfLogsTest, AfterThePlanItsProcessesHaveAMinuteToDrain) {
  end_.OnPlanEnd(absl::OkStatus());
  clock_.Advance(absl::Seconds(59));
  EXPECT_FALSE(end_.Reached());
  clock_.Advance(absl::Seconds(1));
  EXPECT_TRUE(end_.Reached());
}

TEST_F(EndOfLogsTest, WithoutItsCoordinatorNothingIsWaitedFor) {
  end_.OnPlanEnd(absl::UnavailableError("gone"));
  EXPECT_TRUE(end_.Reached());
}

TEST_F(EndOfLogsTest, WithoutAProcessThatCouldSaySomethingItIsReachedAtOnce) {
  ASSERT_TRUE(directory_.WriteProcesses({}).ok());
  EXPECT_TRUE(end_.Reached());
}

TEST_F(EndOfLogsTest, ASignalIsTheEnd) {
  shutdown_.Request("SIGTERM");
  EXPECT_TRUE(end_.Reached());
}

}  // namespace
}  // namespace distill
