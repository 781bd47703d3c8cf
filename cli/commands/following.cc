#include "cli/commands/following.h"

#include <optional>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "cli/commands/console.h"
#include "cli/commands/coordinator_access.h"
#include "cli/commands/plan_follower.h"
#include "cli/errors/failure_text.h"
#include "common/status/error_id.h"

namespace distill {
namespace {

// A coordinator that is started again by its service manager is back by then.
constexpr absl::Duration kLookFor = absl::Seconds(30);

}  // namespace

Outcome EndOfFollowing(const Followed& followed, const absl::StatusOr<v1::PlanStatus>& ended) {
  if (ended.ok()) {
    return OutcomeOfPlan(*ended, followed.run_dir,
                         followed.started_by_hand ? followed.coordinator : "");
  }
  const std::string why(ended.status().message());
  const std::string who = absl::StrCat("the coordinator at ", followed.coordinator);
  if (followed.started_by_hand) {
    return {ExitCode::kUnreachable,
            absl::StrCat(TextWithId(absl::StrCat(who, " does not answer (", why, ")"),
                                    ErrorId::kCoordinatorUnreachable),
                         "; the plan may go on there: the same command follows it again")};
  }
  const std::string go_on = absl::StrCat("continue with: ", ResumeText(followed.run_dir, ""));
  if (ErrorIdOf(ended.status()) == ErrorId::kStoppedResumable) {
    const ExitCode code = ExitCode::kPreempted;
    return {code,
            absl::StrCat(
                WithSomeId(absl::StrCat("the plan was stopped: ", who, " was told to stop"), code),
                "; ", go_on)};
  }
  return {ExitCode::kUnreachable,
          absl::StrCat(
              TextWithId(absl::StrCat(who, " does not answer: it died, or was killed (", why, ")"),
                         ErrorId::kCoordinatorUnreachable),
              ". What was committed stays; ", go_on)};
}

ExitCode FollowToItsEnd(const CommandTools& tools, const Followed& followed, PlanView& view) {
  Patience patience;
  patience.tools = RetryToolsOf(tools);
  if (followed.started_by_hand) patience.policy.budget = kLookFor;
  const auto ended = FollowPlan(WatchAt(followed.coordinator), patience, view, *tools.shutdown);
  view.Close();
  if (tools.shutdown->requested()) {
    Say(absl::StrCat("distillctl: the plan goes on at ", followed.coordinator,
                     "; the same command follows it again"));
    return ExitCodeOfInterruption(tools.shutdown->reason());
  }
  return Finish(EndOfFollowing(followed, ended));
}

}  // namespace distill
