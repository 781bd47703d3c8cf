#include "cli/commands/stop_command.h"

#include <limits.h>
#include <signal.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <optional>
#include <string>
#include <vector>

#include "absl/cleanup/cleanup.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "cli/commands/console.h"
#include "cli/commands/coordinator_access.h"
#include "cli/commands/dry_run.h"
#include "cli/local_run/plan_outcome.h"
#include "cli/progress/progress.h"
#include "cli/run_directory/run_directory.h"
#include "common/lifecycle/descriptor_wait.h"
#include "common/status/error_id.h"

namespace distill {
namespace {

constexpr char kDistillctl[] = "distillctl";
// More than the students' checkpoints and the servers' draining take.
constexpr absl::Duration kLongestStop = absl::Minutes(1);

// Whether a process of that number is a distillctl: numbers are used again.
bool IsDistillctl(int64_t pid) {
  if (pid <= 1) return false;
  char path[PATH_MAX] = {};
  const ssize_t length =
      readlink(absl::StrCat("/proc/", pid, "/exe").c_str(), path, sizeof(path) - 1);
  return length > 0 && absl::EndsWith(std::string(path, length), absl::StrCat("/", kDistillctl));
}

// What to exit with, which it has said; nothing: the user means it.
std::optional<ExitCode> NotConfirmed(const CommandTools& tools, const std::string& name) {
  const auto refuse = [](const std::string& why) {
    return Fail(WithErrorId(absl::CancelledError(why), ErrorId::kNotConfirmed), ExitCode::kUsage);
  };
  if (!tools.ask) {
    return refuse(absl::StrCat("stop ends the work of plan ", name,
                               ", and there is no terminal to ask on: it goes on; to end it pass "
                               "--yes"));
  }
  const std::optional<std::string> typed =
      tools.ask(absl::StrCat("This ends the work of plan ", name, ". Type its name to stop it: "));
  if (tools.shutdown->requested()) {
    Say(absl::StrCat("distillctl: stopped by ", tools.shutdown->reason(), ": plan ", name,
                     " goes on"));
    return ExitCodeOfInterruption(tools.shutdown->reason());
  }
  if (typed != name) return refuse("that is not the plan's name: it goes on");
  return std::nullopt;
}

// Tells the distillctl that runs the plan here to stop it, and waits until it has; what to exit
// with, which it has said. Nothing: there is no such process.
std::optional<ExitCode> StopOwner(const CommandTools& tools,
                                  const std::vector<ProcessEntry>& processes,
                                  const std::string& run_dir) {
  for (const ProcessEntry& process : processes) {
    if (process.role != kDistillctl || !IsDistillctl(process.pid)) continue;
    const auto pid = static_cast<pid_t>(process.pid);
    // Before the signal, so that it is of this process and no later one.
    const int pidfd = static_cast<int>(syscall(SYS_pidfd_open, pid, 0));
    const absl::Cleanup close_pidfd = [pidfd] {
      if (pidfd >= 0) close(pidfd);
    };
    if (kill(pid, SIGTERM) != 0) continue;
    const auto wait = DescriptorWait(tools.shutdown).For(pidfd, kLongestStop);
    const std::string who = absl::StrCat("distillctl (pid ", process.pid, ")");
    if (wait == DescriptorWait::Result::kReady) {
      Say(absl::StrCat(who, " has stopped; continue with: ", ResumeText(run_dir, "")));
      return ExitCode::kDone;
    }
    Say(absl::StrCat("told ", who, " to stop, and it still does; once it is gone, continue with: ",
                     ResumeText(run_dir, "")));
    return wait == DescriptorWait::Result::kStopped
               ? ExitCodeOfInterruption(tools.shutdown->reason())
               : ExitCode::kDone;
  }
  return std::nullopt;
}

// Of a plan that has nothing to stop.
std::string EndedText(const v1::PlanStatus& status, const std::string& name,
                      const StopCommand& command) {
  const Outcome outcome = OutcomeOfPlan(status, command.run_dir, command.coordinator);
  return outcome.code == ExitCode::kDone
             ? absl::StrCat("plan ", name, " has finished: there is nothing to stop")
             : absl::StrCat("plan ", name, " has ended already: ", outcome.message);
}

}  // namespace

ExitCode StopPlan(const CommandTools& tools, const StopCommand& command) {
  const RunDirectory directory(tools.files, command.run_dir);
  const auto plan = directory.ReadPlan();
  if (!plan.ok()) return Fail(plan.status());
  if (command.dry_run) {
    const auto listed = directory.ReadProcesses();
    if (!listed.ok()) return Fail(listed.status());
    Print(DryStop(*plan, *listed, command.coordinator, command.run_dir));
    return ExitCode::kDone;
  }
  if (command.coordinator.empty() && directory.IsDone()) {
    Say(DoneText(plan->name(), directory.FilePath("report.md")));
    return ExitCode::kDone;
  }
  const auto address = AddressOf(tools, command.run_dir, command.coordinator);
  if (!address.ok()) return Fail(address.status());
  const auto client = Connect(tools, *address);
  if (!client.ok()) return Fail(client.status());
  // Only who answers for this directory is told to stop: pids and ports are used again.
  const auto status = (*client)->GetPlan();
  if (!status.ok()) return Fail(status.status());
  const absl::Status same = CheckIsPlanOf(*status, *plan, directory, *address);
  if (!same.ok()) return Fail(same);
  // Where distillctl started it, that may still compare its models.
  if (!command.coordinator.empty() && status->state() != v1::PlanStatus::RUNNING) {
    Say(EndedText(*status, plan->name(), command));
    return ExitCode::kDone;
  }
  const auto processes = directory.ReadProcesses();
  if (!processes.ok()) return Fail(processes.status());
  if (!command.yes) {
    if (const auto code = NotConfirmed(tools, plan->name()); code.has_value()) return *code;
  }
  if (command.coordinator.empty()) {
    const auto code = StopOwner(tools, *processes, command.run_dir);
    if (code.has_value()) return *code;
  }
  const absl::Status stopped = (*client)->StopPlan(
      absl::StrCat("stop-", absl::FormatTime(tools.clock->WallNow())), "distillctl stop");
  if (!stopped.ok()) return Fail(stopped);
  Say(absl::StrCat("plan ", plan->name(), " is stopped; continue with: ",
                   ResumeText(command.run_dir, command.coordinator)));
  return ExitCode::kDone;
}

}  // namespace distill
