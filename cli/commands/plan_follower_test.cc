#include "cli/commands/plan_follower.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "common/clock/fake_clock.h"

namespace distill {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

using State = v1::PlanStatus::PlanState;

// What a coordinator says to one watch before it ends, if it does.
struct Watch {
  std::vector<State> states;
  std::optional<absl::Status> end;
};

class FakeView final : public PlanView {
 public:
  void OnStatus(const v1::PlanStatus& status) override { states_.push_back(status.state()); }
  void Say(const std::string& line) override { said_.push_back(line); }
  void OnInterrupt() override { ++interrupts_; }
  void Close() override {}

  std::vector<State> states_;
  std::vector<std::string> said_;
  int interrupts_ = 0;
};

class PlanFollowerTest : public ::testing::Test {
 protected:
  // One watch after the other; the test fails where more are begun.
  absl::StatusOr<v1::PlanStatus> Follow(std::vector<Watch> script) {
    size_t next = 0;
    const WatchStarter start = [&](const auto& on_status,
                                   const auto& on_end) -> absl::StatusOr<std::shared_ptr<void>> {
      if (next == script.size()) return absl::InternalError("one watch too many");
      const Watch& watch = script[next++];
      for (const State state : watch.states) {
        v1::PlanStatus status;
        status.set_state(state);
        on_status(status);
      }
      if (watch.end.has_value()) on_end(*watch.end);
      return std::shared_ptr<void>();
    };
    const auto ended = FollowPlan(start, patience_, view_, shutdown_);
    EXPECT_EQ(next, script.size()) << "watches begun";
    return ended;
  }

  void BePatient(absl::Duration budget) {
    patience_.policy.budget = budget;
    patience_.tools = {&clock_, [] { return 0.5; },
                       [this](absl::Duration wait) {
                         clock_.Advance(wait);
                         ++pauses_;
                         return !shutdown_.requested();
                       }};
  }

  ShutdownSignal shutdown_;
  FakeClock clock_;
  FakeView view_;
  Patience patience_;
  int pauses_ = 0;
};

constexpr State kRunning = v1::PlanStatus::RUNNING;
constexpr State kFinished = v1::PlanStatus::FINISHED;
constexpr State kStopped = v1::PlanStatus::STOPPED;
const absl::Status kGone = absl::UnavailableError("gone");

TEST_F(PlanFollowerTest, ShowsEachStatusAndReturnsTheLastOne) {
  const auto ended = Follow({{{kRunning, kFinished}, absl::OkStatus()}});
  ASSERT_TRUE(ended.ok()) << ended.status();
  EXPECT_EQ(ended->state(), kFinished);
  EXPECT_THAT(view_.states_, ElementsAre(kRunning, kFinished));
}

TEST_F(PlanFollowerTest, ACoordinatorThatGoesWithThePlanHasNotFailed) {
  const auto ended = Follow({{{kRunning, kStopped}, kGone}});
  ASSERT_TRUE(ended.ok()) << ended.status();
  EXPECT_EQ(ended->state(), kStopped);
}

TEST_F(PlanFollowerTest, ALostCoordinatorIsTheReasonWhileThePlanRuns) {
  EXPECT_EQ(Follow({{{kRunning}, kGone}}).status(), kGone);
  EXPECT_EQ(Follow({{{}, absl::OkStatus()}}).status().code(), absl::StatusCode::kUnavailable);
}

TEST_F(PlanFollowerTest, AnInterruptionEndsItAtOnceAndTellsTheView) {
  shutdown_.Request("SIGINT");
  EXPECT_EQ(Follow({{{kRunning}, std::nullopt}}).status().code(), absl::StatusCode::kCancelled);
  EXPECT_EQ(view_.interrupts_, 1);
}

TEST_F(PlanFollowerTest, ACoordinatorThatIsStartedAgainIsFollowedOn) {
  BePatient(absl::Seconds(30));
  const auto ended = Follow({{{kRunning}, kGone},
                             {{}, kGone},
                             {{}, kGone},
                             {{kRunning}, kGone},
                             {{kRunning, kFinished}, absl::OkStatus()}});
  ASSERT_TRUE(ended.ok()) << ended.status();
  EXPECT_EQ(ended->state(), kFinished);
  EXPECT_EQ(pauses_, 4);
  EXPECT_THAT(view_.said_, ElementsAre(HasSubstr("(gone); looking for it for 30s"),
                                       HasSubstr("(gone); looking for it for 30s")));
}

TEST_F(PlanFollowerTest, ItIsLookedForAsLongAsTheBudgetLasts) {
  BePatient(absl::Seconds(5));
  const absl::Duration began = clock_.MonotonicNow();
  std::vector<Watch> script = {{{kRunning}, kGone}};
  // 37.5, 75, ... 1200, 1500 ms: of a backoff from 50 ms to 2 s, each with half its jitter.
  script.insert(script.end(), 8, {{}, kGone});
  EXPECT_EQ(Follow(script).status(), kGone);
  EXPECT_GE(clock_.MonotonicNow() - began, absl::Seconds(5));
  EXPECT_LE(clock_.MonotonicNow() - began, absl::Seconds(7));
}

TEST_F(PlanFollowerTest, OneThatNeverAnsweredOrRefusesIsNotLookedForAgain) {
  BePatient(absl::Seconds(30));
  EXPECT_EQ(Follow({{{}, kGone}}).status(), kGone);
  const absl::Status refused = absl::PermissionDeniedError("not you");
  EXPECT_EQ(Follow({{{kRunning}, refused}}).status(), refused);
  EXPECT_THAT(view_.said_, IsEmpty());
}

TEST_F(PlanFollowerTest, AnInterruptionEndsTheLookingToo) {
  BePatient(absl::Seconds(30));
  patience_.tools.pause = [this](absl::Duration) {
    shutdown_.Request("SIGINT");
    return false;
  };
  EXPECT_EQ(Follow({{{kRunning}, kGone}}).status().code(), absl::StatusCode::kCancelled);
}

TEST_F(PlanFollowerTest, AnInterruptionBetweenTwoWatchesIsNotForgotten) {
  BePatient(absl::Seconds(30));
  // It comes when the pause is over already.
  patience_.tools.pause = [this](absl::Duration) {
    shutdown_.Request("SIGINT");
    return true;
  };
  EXPECT_EQ(Follow({{{kRunning}, kGone}, {{kRunning}, std::nullopt}}).status().code(),
            absl::StatusCode::kCancelled);
}

}  // namespace
}  // namespace distill
