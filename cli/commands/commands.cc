#include "cli/commands/commands.h"

#include <signal.h>

#include <cstdio>
#include <memory>
#include <optional>
#include <random>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/synchronization/mutex.h"
#include "cli/commands/model_digest.h"
#include "cli/local_run/local_run.h"
#include "cli/plan_file/plan_file.h"
#include "cli/process/process_flags.h"
#include "cli/progress/progress.h"
#include "cli/run_directory/run_directory.h"
#include "common/config/config_writer.h"
#include "common/status/status_macros.h"
#include "coordinator/client/coordinator_client.h"
#include "coordinator/client/plan_watch.h"
#include "distillation/run_config/digests.h"

namespace distill {
namespace {

constexpr char kDistillctl[] = "distillctl";

void Say(const std::string& text) {
  std::fprintf(stderr, "%s\n", text.c_str());
  std::fflush(stderr);
}

void Print(const std::string& text) {
  std::fputs(text.c_str(), stdout);
  std::fflush(stdout);
}

ExitCode Fail(const absl::Status& status, std::optional<ExitCode> code = std::nullopt) {
  Say(absl::StrCat("distillctl: ", std::string(status.message())));
  return code.value_or(ExitCodeOf(status));
}

// Jitter needs no seed that anybody could want to repeat.
std::function<double()> Jitter() {
  return [engine = std::make_shared<std::minstd_rand>(std::random_device()())] {
    return std::uniform_real_distribution<double>(0, 1)(*engine);
  };
}

absl::StatusOr<std::unique_ptr<CoordinatorClient>> Connect(const CommandTools& tools,
                                                           const std::string& coordinator) {
  CoordinatorClientOptions options;
  options.coordinator = coordinator;
  options.transport.allow_plaintext_off_loopback = true;  // what the user typed
  options.retry.budget = absl::Seconds(5);
  return CoordinatorClient::Create(options, {tools.clock, Jitter(), [&tools](absl::Duration wait) {
                                               return !tools.shutdown->WaitFor(wait);
                                             }});
}

// The coordinator of a run directory.
absl::StatusOr<std::unique_ptr<CoordinatorClient>> ConnectTo(const CommandTools& tools,
                                                             const RunDirectory& directory) {
  ASSIGN_OR_RETURN(const std::vector<ProcessEntry> processes, directory.ReadProcesses());
  for (const ProcessEntry& process : processes) {
    if (process.role == "coordinator") return Connect(tools, process.address);
  }
  return absl::UnavailableError(absl::StrCat("nothing runs in ", directory.path(),
                                             " on this machine; see its report.md, or continue ",
                                             "with: distillctl resume ", directory.path()));
}

ExitCode RunHere(const CommandTools& tools, RunDirectory& directory, const v1::PlanConfig& plan) {
  const auto programs = FindPrograms(*tools.files, tools.self);
  if (!programs.ok()) return Fail(programs.status(), ExitCode::kUsage);
  LocalRunTools local;
  local.files = tools.files;
  local.clock = tools.clock;
  local.shutdown = tools.shutdown;
  local.programs = *programs;
  local.say = Say;
  local.random = Jitter();
  const Outcome outcome = RunLocally(local, directory, plan);
  if (!outcome.message.empty()) Say(absl::StrCat("distillctl: ", outcome.message));
  return outcome.code;
}

// Submits to a coordinator elsewhere and follows the plan.
ExitCode RunElsewhere(const CommandTools& tools, const std::string& coordinator,
                      const v1::PlanConfig& plan) {
  const auto client = Connect(tools, coordinator);
  if (!client.ok()) return Fail(client.status());
  v1::SubmitPlanRequest request;
  request.set_idempotency_key(PlanDigest(plan));
  *request.mutable_plan() = plan;
  if (const auto id = (*client)->SubmitPlan(request); !id.ok()) return Fail(id.status());
  absl::Mutex mu;
  std::optional<absl::Status> ended;
  v1::PlanStatus last;
  TransportOptions transport;
  transport.allow_plaintext_off_loopback = true;
  absl::Duration next = tools.clock->MonotonicNow();
  auto watch = PlanWatch::Start(
      coordinator, transport,
      [&](const v1::PlanStatus& status) {
        absl::MutexLock lock(&mu);
        last = status;
        if (tools.clock->MonotonicNow() < next) return;
        next = tools.clock->MonotonicNow() + absl::Seconds(5);
        for (const v1::RunStatus& run : status.runs()) {
          for (const v1::RunConfig& config : plan.runs()) {
            if (config.name() == run.run_id() && run.state() == v1::RunStatus::ACTIVE) {
              Say(ProgressLine(run, config.training().steps()));
            }
          }
        }
      },
      [&](const absl::Status& status) {
        absl::MutexLock lock(&mu);
        ended = status;
      });
  if (!watch.ok()) return Fail(watch.status());
  absl::MutexLock lock(&mu);
  const auto done = [&] { return ended.has_value(); };
  mu.Await(absl::Condition(&done));
  if (!ended->ok()) return Fail(*ended, ExitCode::kUnreachable);
  if (last.state() == v1::PlanStatus::FINISHED) {
    Say(absl::StrCat("plan ", last.plan_id(), " has finished"));
    return ExitCode::kDone;
  }
  return Fail(absl::InternalError(last.message()), ExitCode::kRunFailed);
}

ExitCode Do(const CommandTools& tools, const RunCommand& command) {
  const auto plan = ReadPlan(*tools.files, command.config, command.settings, command.seed);
  if (!plan.ok()) return Fail(plan.status(), ExitCode::kConfiguration);
  if (!command.coordinator.empty()) return RunElsewhere(tools, command.coordinator, *plan);
  RunDirectory directory(tools.files, command.run_dir);
  if (const absl::Status status = directory.Create(*plan); !status.ok()) {
    return Fail(status, absl::IsAlreadyExists(status) ? ExitCode::kRefused : ExitCodeOf(status));
  }
  return RunHere(tools, directory, *plan);
}

ExitCode Do(const CommandTools& tools, const ResumeCommand& command) {
  RunDirectory directory(tools.files, command.run_dir);
  const auto plan = directory.ReadPlan();
  if (!plan.ok()) return Fail(plan.status());
  return RunHere(tools, directory, *plan);
}

ExitCode Do(const CommandTools& tools, const StopCommand& command) {
  RunDirectory directory(tools.files, command.run_dir);
  const auto client = ConnectTo(tools, directory);
  if (!client.ok()) return Fail(client.status());
  // Only who answers for this directory is told to stop: pids are used again.
  if (const auto status = (*client)->GetPlan(); !status.ok()) return Fail(status.status());
  const auto processes = directory.ReadProcesses();
  if (!processes.ok()) return Fail(processes.status());
  for (const ProcessEntry& process : *processes) {
    if (process.role != kDistillctl || process.pid <= 1) continue;
    if (kill(static_cast<pid_t>(process.pid), SIGTERM) == 0) {
      Say(absl::StrCat("told distillctl (pid ", process.pid,
                       ") to stop; continue with: ", "distillctl resume ", command.run_dir));
      return ExitCode::kDone;
    }
  }
  const absl::Status stopped = (*client)->StopPlan(
      absl::StrCat("stop-", absl::FormatTime(tools.clock->WallNow())), "distillctl stop");
  return stopped.ok() ? ExitCode::kDone : Fail(stopped);
}

ExitCode Do(const CommandTools& tools, const StatusCommand& command) {
  RunDirectory directory(tools.files, command.run_dir);
  const auto plan = directory.ReadPlan();
  if (!plan.ok()) return Fail(plan.status());
  const auto client = ConnectTo(tools, directory);
  if (!client.ok()) return Fail(client.status());
  const auto status = (*client)->GetPlan();
  if (!status.ok()) return Fail(status.status());
  Print(command.json ? StatusJson(*status) : StatusText(*status, *plan));
  return ExitCode::kDone;
}

ExitCode Do(const CommandTools& tools, const DigestCommand& command) {
  // DIR holds a plan; otherwise it is DIR/RUN.
  std::string folder = command.path;
  while (folder.size() > 1 && folder.back() == '/') folder.pop_back();
  const auto plan = RunDirectory(tools.files, folder).ReadPlan();
  if (plan.ok()) {
    for (const v1::RunConfig& run : plan->runs()) {
      const auto digest = LatestModelDigest(*tools.files, folder, run.name());
      if (absl::IsNotFound(digest.status())) continue;  // not begun yet
      if (!digest.ok()) return Fail(digest.status());
      Print(absl::StrCat(*digest, "  ", run.name(), "\n"));
    }
    return ExitCode::kDone;
  }
  const std::string run = folder.substr(folder.rfind('/') + 1);
  const auto digest = LatestModelDigest(*tools.files, ParentDirectory(folder), run);
  if (!digest.ok()) return Fail(digest.status());
  Print(absl::StrCat(*digest, "  ", run, "\n"));
  return ExitCode::kDone;
}

ExitCode Do(const CommandTools& tools, const ConfigShowCommand& command) {
  const auto plan = ReadPlan(*tools.files, command.config, command.settings, std::nullopt);
  if (!plan.ok()) return Fail(plan.status(), ExitCode::kConfiguration);
  Print(RenderYaml(*plan));
  return ExitCode::kDone;
}

ExitCode Do(const CommandTools& tools, const ConfigValidateCommand& command) {
  const auto plan = ReadPlan(*tools.files, command.config, command.settings, std::nullopt);
  if (!plan.ok()) return Fail(plan.status(), ExitCode::kConfiguration);
  Say(absl::StrCat(command.config, " is valid: ", plan->runs_size(), " runs"));
  return ExitCode::kDone;
}

ExitCode Do(const CommandTools&, const PrintAndExit& print) {
  if (print.code == ExitCode::kDone) {
    Print(print.text);
  } else {
    std::fputs(print.text.c_str(), stderr);
  }
  return print.code;
}

}  // namespace

ExitCode Execute(const CommandTools& tools, const Command& command) {
  return std::visit([&](const auto& chosen) { return Do(tools, chosen); }, command);
}

}  // namespace distill
