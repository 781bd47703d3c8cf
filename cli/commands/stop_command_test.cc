#include "cli/commands/stop_command.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <optional>
#include <string>

#include "cli/run_directory/run_directory.h"
#include "common/clock/clock.h"
#include "common/clock/fake_clock.h"
#include "common/clock/fake_timer_queue.h"
#include "common/files/fake_file_system.h"
#include "coordinator/client/loopback_coordinator.h"
#include "coordinator/service/decisions/coordinator.h"

namespace distill {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

// A plan "p" runs at a coordinator, and "d" is its directory.
class StopCommandTest : public ::testing::Test {
 protected:
  StopCommandTest() {
    tools_.files = &files_;
    tools_.clock = &clock_;
    tools_.shutdown = &shutdown_;
    coordinator_.Do([this](Coordinator& coordinator) {
      EXPECT_TRUE(
          coordinator.SubmitPlan(SmallPlan("k"), absl::UnixEpoch() + time_.MonotonicNow()).ok());
    });
    EXPECT_TRUE(RunDirectory(&files_, "d").Adopt(SmallPlan("k").plan(), {"head:1", ""}).ok());
  }

  ExitCode Stop(bool yes, const std::string& run_dir = "d") {
    StopCommand command;
    command.run_dir = run_dir;
    command.coordinator = coordinator_.address();
    command.yes = yes;
    testing::internal::CaptureStderr();
    const ExitCode code = StopPlan(tools_, command);
    said_ = testing::internal::GetCapturedStderr();
    return code;
  }

  v1::PlanStatus::PlanState State() {
    v1::PlanStatus::PlanState state = v1::PlanStatus::PLAN_STATE_UNSPECIFIED;
    coordinator_.Do([&](Coordinator& coordinator) {
      if (const auto plan = coordinator.GetPlan(); plan.ok()) state = plan->state();
    });
    return state;
  }

  FakeClock time_;
  FakeTimerQueue timers_{&time_};
  LoopbackCoordinator coordinator_{std::make_shared<MemoryDisk>(), &time_, &timers_};
  ShutdownSignal shutdown_;
  FakeFileSystem files_;
  SystemClock clock_;
  CommandTools tools_;
  std::string said_;
};

TEST_F(StopCommandTest, WithYesThePlanIsStoppedWithoutAsking) {
  tools_.ask = [](const std::string&) -> std::optional<std::string> {
    ADD_FAILURE() << "asked";
    return std::nullopt;
  };
  EXPECT_EQ(Stop(/*yes=*/true), ExitCode::kDone) << said_;
  EXPECT_EQ(State(), v1::PlanStatus::STOPPED);
  EXPECT_THAT(said_, HasSubstr("plan p is stopped; continue with: distillctl resume d "
                               "--coordinator " +
                               coordinator_.address()));
}

TEST_F(StopCommandTest, APlanThatHasEndedIsNotSaidToBeStoppedNowAndNobodyIsAsked) {
  ASSERT_EQ(Stop(/*yes=*/true), ExitCode::kDone) << said_;
  EXPECT_EQ(Stop(/*yes=*/false), ExitCode::kDone);
  EXPECT_THAT(said_, HasSubstr("plan p has ended already: the plan was stopped: distillctl stop"));
}

TEST_F(StopCommandTest, APlanThatIsDoneHasNothingToStop) {
  ASSERT_TRUE(files_.Write("d/report.md", "").ok());
  StopCommand command;
  command.run_dir = "d";
  testing::internal::CaptureStderr();
  EXPECT_EQ(StopPlan(tools_, command), ExitCode::kDone);
  EXPECT_EQ(testing::internal::GetCapturedStderr(), "plan p is done; see d/report.md\n");
}

TEST_F(StopCommandTest, WithoutATerminalAndWithoutYesItIsRefusedAndThePlanGoesOn) {
  EXPECT_EQ(Stop(/*yes=*/false), ExitCode::kUsage);
  EXPECT_THAT(said_, AllOf(HasSubstr("--yes"), HasSubstr("DST-1006")));
  EXPECT_EQ(State(), v1::PlanStatus::RUNNING);
}

TEST_F(StopCommandTest, OnATerminalOnlyThePlansNameStopsIt) {
  std::optional<std::string> typed;
  tools_.ask = [&](const std::string&) { return typed; };
  EXPECT_EQ(Stop(/*yes=*/false), ExitCode::kUsage);
  typed = "q";
  EXPECT_EQ(Stop(/*yes=*/false), ExitCode::kUsage);
  EXPECT_EQ(State(), v1::PlanStatus::RUNNING);
  typed = "p";
  EXPECT_EQ(Stop(/*yes=*/false), ExitCode::kDone) << said_;
  EXPECT_EQ(State(), v1::PlanStatus::STOPPED);
}

TEST_F(StopCommandTest, ASignalAtTheQuestionStopsNothingAlsoWhereTheNameWasTyped) {
  tools_.ask = [this](const std::string&) {
    shutdown_.Request("SIGINT");
    return std::optional<std::string>("p");
  };
  EXPECT_EQ(Stop(/*yes=*/false), ExitCode::kInterrupted);
  EXPECT_THAT(said_, HasSubstr("plan p goes on"));
  EXPECT_EQ(State(), v1::PlanStatus::RUNNING);
}

TEST_F(StopCommandTest, ACoordinatorWithAnotherPlanThanTheDirectorysIsLeftAlone) {
  v1::PlanConfig other = SmallPlan("k").plan();
  other.set_name("other");
  ASSERT_TRUE(RunDirectory(&files_, "e").Adopt(other, {"head:1", ""}).ok());
  EXPECT_EQ(Stop(/*yes=*/true, "e"), ExitCode::kRefused);
  EXPECT_THAT(said_, AllOf(HasSubstr("e holds plan other"), HasSubstr("DST-2303")));
  EXPECT_EQ(State(), v1::PlanStatus::RUNNING);
}

}  // namespace
}  // namespace distill
