#include "cli/commands/following.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "absl/status/status.h"
#include "common/status/error_id.h"

namespace distill {
namespace {

using ::testing::AllOf;
using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::Not;

const Followed kHere = {"127.0.0.1:5", "runs/1", /*started_by_hand=*/false};
const Followed kElsewhere = {"h:7000", "runs/1", /*started_by_hand=*/true};

v1::PlanStatus In(v1::PlanStatus::PlanState state) {
  v1::PlanStatus status;
  status.set_state(state);
  status.set_message("distillctl stop");
  return status;
}

TEST(FollowingTest, AFinishedPlanIsASuccessAndSaysNothing) {
  const Outcome outcome = EndOfFollowing(kHere, In(v1::PlanStatus::FINISHED));
  EXPECT_EQ(outcome.code, ExitCode::kDone);
  EXPECT_EQ(outcome.message, "");
}

TEST(FollowingTest, APlanThatSomebodyStoppedIsSaidToBeStoppedAndHowItGoesOn) {
  const Outcome outcome = EndOfFollowing(kHere, In(v1::PlanStatus::STOPPED));
  EXPECT_EQ(outcome.code, ExitCode::kPreempted);
  EXPECT_THAT(outcome.message, AllOf(HasSubstr("the plan was stopped: distillctl stop [DST-4101]"),
                                     EndsWith("distillctl resume runs/1")));
  EXPECT_THAT(EndOfFollowing(kElsewhere, In(v1::PlanStatus::STOPPED)).message,
              AllOf(HasSubstr("the plan was stopped"),
                    HasSubstr("distillctl resume runs/1 --coordinator h:7000")));
}

TEST(FollowingTest, ALostCoordinatorElsewhereIsFollowedAgainAndNeverReplacedByOneHere) {
  const Outcome outcome = EndOfFollowing(kElsewhere, absl::UnavailableError("the line was cut"));
  EXPECT_EQ(outcome.code, ExitCode::kUnreachable);
  EXPECT_THAT(outcome.message,
              AllOf(HasSubstr("h:7000 does not answer (the line was cut) [DST-3001]"),
                    HasSubstr("the same command follows it again"), Not(HasSubstr("resume"))));
  // Its goodbye does not say that the plan was stopped: it may be on its way back.
  const absl::Status goodbye =
      WithErrorId(absl::UnavailableError("the coordinator stops"), ErrorId::kStoppedResumable);
  EXPECT_EQ(EndOfFollowing(kElsewhere, goodbye).code, ExitCode::kUnreachable);
  EXPECT_THAT(EndOfFollowing(kElsewhere, goodbye).message, Not(HasSubstr("DST-4101")));
}

TEST(FollowingTest, HereAStoppedCoordinatorIsAStoppedPlanAndADeadOneIsNot) {
  const absl::Status goodbye =
      WithErrorId(absl::UnavailableError("the coordinator stops"), ErrorId::kStoppedResumable);
  const Outcome stopped = EndOfFollowing(kHere, goodbye);
  EXPECT_EQ(stopped.code, ExitCode::kPreempted);
  EXPECT_THAT(stopped.message, AllOf(HasSubstr("the plan was stopped"), HasSubstr("[DST-4101]"),
                                     EndsWith("distillctl resume runs/1")));
  const Outcome dead = EndOfFollowing(kHere, absl::UnavailableError("the line was cut"));
  EXPECT_EQ(dead.code, ExitCode::kUnreachable);
  EXPECT_THAT(dead.message,
              AllOf(HasSubstr("does not answer"), EndsWith("distillctl resume runs/1")));
}

}  // namespace
}  // namespace distill
