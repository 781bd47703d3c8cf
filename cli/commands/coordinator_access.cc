#include "cli/commands/coordinator_access.h"

#include <optional>
#include <random>
#include <string_view>
#include <utility>

#include "absl/strings/str_cat.h"
#include "cli/run_directory/run_directory.h"
#include "common/status/error_id.h"
#include "common/status/status_macros.h"

namespace distill {
namespace {

// A coordinator makes "NAME-17" of a plan's name.
bool IsIdOf(std::string_view id, std::string_view name) {
  if (!id.starts_with(name)) return false;
  const std::string_view rest = id.substr(name.size());
  return rest.size() > 1 && rest[0] == '-' &&
         rest.find_first_not_of("0123456789", 1) == std::string_view::npos;
}

bool HasRunsOf(const v1::PlanStatus& status, const v1::PlanConfig& plan) {
  if (status.runs_size() != plan.runs_size()) return false;
  for (int i = 0; i < plan.runs_size(); ++i) {
    if (status.runs(i).run_id() != plan.runs(i).name()) return false;
  }
  return true;
}

absl::StatusOr<std::unique_ptr<CoordinatorClient>> Connect(const std::string& coordinator,
                                                           RetryTools tools) {
  CoordinatorClientOptions options;
  options.coordinator = coordinator;
  options.transport.allow_plaintext_off_loopback = true;  // typed by the user, or of a process here
  options.retry.budget = absl::Seconds(5);
  return CoordinatorClient::Create(options, std::move(tools));
}

}  // namespace

// Needs no seed that anybody could want to repeat.
std::function<double()> Jitter() {
  return [engine = std::make_shared<std::minstd_rand>(std::random_device()())] {
    return std::uniform_real_distribution<double>(0, 1)(*engine);
  };
}

RetryTools RetryToolsOf(const CommandTools& tools) {
  return {tools.clock, Jitter(),
          [&tools](absl::Duration wait) { return !tools.shutdown->WaitFor(wait); }};
}

absl::StatusOr<std::unique_ptr<CoordinatorClient>> Connect(const CommandTools& tools,
                                                           const std::string& coordinator) {
  return Connect(coordinator, RetryToolsOf(tools));
}

absl::StatusOr<std::string> AddressOf(const CommandTools& tools, const std::string& run_dir,
                                      const std::string& coordinator) {
  if (!coordinator.empty()) return coordinator;
  const RunDirectory directory(tools.files, run_dir);
  RETURN_IF_ERROR(directory.ReadPlan().status());
  return directory.CoordinatorAddress();
}

absl::Status CheckIsPlanOf(const v1::PlanStatus& status, const v1::PlanConfig& plan,
                           const RunDirectory& directory, const std::string& coordinator) {
  ASSIGN_OR_RETURN(const std::optional<Submission> submission, directory.FindSubmission());
  const std::string id = submission.has_value() ? submission->plan_id : "";
  const bool same = id.empty() ? IsIdOf(status.plan_id(), plan.name()) : status.plan_id() == id;
  if (same && HasRunsOf(status, plan)) return absl::OkStatus();
  return WithErrorId(absl::FailedPreconditionError(absl::StrCat(
                         "the coordinator at ", coordinator, " has plan ", status.plan_id(),
                         ", but ", directory.path(), " holds plan ", id.empty() ? plan.name() : id,
                         ": name the directory of the one or the coordinator of the other")),
                     ErrorId::kAnotherPlanHere);
}

absl::Status CheckNotRunning(const CommandTools& tools, const RunDirectory& directory,
                             const v1::PlanConfig& plan) {
  const auto address = directory.CoordinatorAddress();
  if (!address.ok()) return absl::OkStatus();
  RetryTools once = RetryToolsOf(tools);
  once.pause = [](absl::Duration) { return false; };
  const auto client = Connect(*address, std::move(once));
  if (!client.ok()) return absl::OkStatus();
  const auto status = (*client)->GetPlan();
  if (!status.ok() || !CheckIsPlanOf(*status, plan, directory, *address).ok()) {
    return absl::OkStatus();
  }
  return WithErrorId(
      absl::FailedPreconditionError(
          absl::StrCat("the plan in ", directory.path(), " runs already, with the coordinator at ",
                       *address, "; follow it with: distillctl watch ", directory.path())),
      ErrorId::kJournalInUse);
}

}  // namespace distill
