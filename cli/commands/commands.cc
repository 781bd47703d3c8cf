#include "cli/commands/commands.h"

#include <limits.h>
#include <signal.h>

#include <cstdio>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <random>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "cli/command_line/model_flags.h"
#include "cli/commands/answers.h"
#include "cli/commands/console.h"
#include "cli/commands/dry_run.h"
#include "cli/commands/model_digest.h"
#include "cli/commands/plan_display.h"
#include "cli/commands/plan_follower.h"
#include "cli/commands/show_logs.h"
#include "cli/errors/failure_text.h"
#include "cli/label_recording/record_labels.h"
#include "cli/label_recording/recording_plan.h"
#include "cli/local_run/local_run.h"
#include "cli/local_run/model_comparison.h"
#include "cli/local_run/plan_outcome.h"
#include "cli/plan_file/plan_file.h"
#include "cli/plan_file/plan_origins.h"
#include "cli/process/process_flags.h"
#include "cli/progress/live_table.h"
#include "cli/progress/plan_view.h"
#include "cli/progress/progress.h"
#include "cli/progress/run_trends.h"
#include "cli/report/live_verdict.h"
#include "cli/run_directory/run_directory.h"
#include "cli/terminal/color.h"
#include "common/status/error_id.h"
#include "common/status/status_macros.h"
#include "coordinator/client/coordinator_client.h"
#include "distillation/models/model_directory.h"
#include "distillation/models/model_file.h"
#include "distillation/run_config/digests.h"

namespace distill {
namespace {

constexpr char kDistillctl[] = "distillctl";
// A table that goes into a pipe or a file.
constexpr int kPipedColumns = 120;
constexpr int kPipedRows = 10000;

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
                                                             const RunDirectory& directory,
                                                             const std::string& coordinator) {
  if (!coordinator.empty()) return Connect(tools, coordinator);
  ASSIGN_OR_RETURN(const std::string address, directory.CoordinatorAddress());
  return Connect(tools, address);
}

absl::StatusOr<LocalRunTools> LocalTools(const CommandTools& tools, const ModelFlags& models) {
  LocalRunTools local;
  local.models = models;
  local.files = tools.files;
  local.clock = tools.clock;
  local.shutdown = tools.shutdown;
  ASSIGN_OR_RETURN(local.programs, FindPrograms(*tools.files, tools.self));
  local.say = Say;
  local.random = Jitter();
  return local;
}

ExitCode Finish(const Outcome& outcome) {
  if (!outcome.message.empty()) Say(FailureText(outcome.message, outcome.code));
  return outcome.code;
}

// Before anything is started or made.
absl::Status CheckModelFlags(const v1::PlanConfig& plan, const ModelFlags& models) {
  for (const v1::RunConfig& run : plan.runs()) {
    if (!IsProgram(run.model()) || (!models.dir.empty() && models.allow_executable)) continue;
    return WithErrorId(
        absl::FailedPreconditionError(absl::StrCat(
            "run '", run.name(), "' has its model from a file, which is a program; if you ",
            "trust who made it, add --model-dir DIR --allow-executable-models")),
        ErrorId::kProgramsNotAllowed);
  }
  return absl::OkStatus();
}

// What a run is shown in: on stderr, since its data are files.
PlanDisplay DisplayOf(const CommandTools& tools, ColorChoice color) {
  LiveViewOptions options;
  options.color = UsesColor(color, tools.standard_error->IsLive(), tools.environment);
  return PlanDisplay(tools.standard_error, tools.clock, options, Say);
}

ExitCode RunHere(const CommandTools& tools, RunDirectory& directory, const v1::PlanConfig& plan,
                 ColorChoice color, const ModelFlags& models) {
  const auto local = LocalTools(tools, models);
  if (!local.ok()) return Fail(local.status(), ExitCode::kUsage);
  PlanDisplay display = DisplayOf(tools, color);
  return Finish(RunLocally(*local, directory, plan, display.view()));
}

// How following a plan ended, and says so where it was no success; nothing where it was one.
std::optional<ExitCode> EndOfFollowing(const CommandTools& tools, const std::string& coordinator,
                                       const absl::StatusOr<v1::PlanStatus>& ended) {
  if (tools.shutdown->requested()) {
    Say(absl::StrCat("distillctl: the plan goes on at ", coordinator, "; the same command follows ",
                     "it again"));
    return ExitCode::kInterrupted;
  }
  if (!ended.ok()) {
    const std::string why = absl::StrCat(
        "the coordinator at ", coordinator, " does not answer: it was stopped, or died (",
        std::string(ended.status().message()),
        "). What was committed stays: 'distillctl resume' goes on from there");
    return Fail(absl::UnavailableError(why), ExitCode::kUnreachable);
  }
  const ExitCode code = ExitCodeOfPlan(*ended);
  if (code == ExitCode::kDone) return std::nullopt;
  return Fail(absl::InternalError(ended->message()), code);
}

// Submits to a coordinator elsewhere, follows the plan, and compares its models in the
// folder that all share. Interrupted, it leaves the plan running.
ExitCode RunElsewhere(const CommandTools& tools, const RunCommand& command, RunDirectory& directory,
                      const v1::PlanConfig& plan) {
  const std::string& coordinator = command.coordinator;
  const auto local = LocalTools(tools, command.models);
  if (!local.ok()) return Fail(local.status(), ExitCode::kUsage);
  const auto client = Connect(tools, coordinator);
  if (!client.ok()) return Fail(client.status());
  if (const absl::Status status = directory.Adopt(plan); !status.ok()) {
    if (absl::IsAlreadyExists(status)) return Fail(status, ExitCode::kRefused);
    return Fail(status);
  }
  const absl::Duration began = tools.clock->MonotonicNow();
  v1::SubmitPlanRequest request;
  request.set_idempotency_key(PlanDigest(plan));
  *request.mutable_plan() = plan;
  if (const auto id = (*client)->SubmitPlan(request); !id.ok()) return Fail(id.status());
  PlanDisplay display = DisplayOf(tools, command.color);
  const auto ended = FollowPlan(coordinator, display.view(), *tools.shutdown);
  display.view().Close();
  if (const auto code = EndOfFollowing(tools, coordinator, ended); code.has_value()) return *code;
  return Finish(CompareModels(*local, directory, plan, began));
}

ExitCode DryRun(const CommandTools& tools, const RunCommand& command, const RunDirectory& directory,
                const v1::PlanConfig& plan) {
  const auto local = LocalTools(tools, command.models);
  if (!local.ok()) return Fail(local.status(), ExitCode::kUsage);
  const bool here = command.coordinator.empty();
  if (const absl::Status status = here ? directory.CheckNew() : absl::OkStatus(); !status.ok()) {
    return Fail(status);
  }
  Print(here ? DryRunHere(plan, local->programs, command.run_dir)
             : DryRunElsewhere(plan, command.coordinator, command.run_dir));
  return ExitCode::kDone;
}

ExitCode Do(const CommandTools& tools, const RunCommand& command) {
  const auto plan = ReadPlan(*tools.files, command.config, command.settings, command.seed,
                             tools.working_directory);
  if (!plan.ok()) return Fail(plan.status(), ExitCode::kConfiguration);
  if (const absl::Status status = CheckDataFiles(*tools.files, *plan); !status.ok()) {
    return Fail(status);
  }
  if (const absl::Status status = CheckModelFlags(*plan, command.models); !status.ok()) {
    return Fail(status);
  }
  RunDirectory directory(tools.files, command.run_dir);
  if (command.dry_run) return DryRun(tools, command, directory, *plan);
  if (!command.coordinator.empty()) {
    return RunElsewhere(tools, command, directory, *plan);
  }
  if (const absl::Status status = directory.Create(*plan); !status.ok()) {
    return Fail(status);
  }
  return RunHere(tools, directory, *plan, command.color, command.models);
}

ExitCode Do(const CommandTools& tools, const ResumeCommand& command) {
  RunDirectory directory(tools.files, command.run_dir);
  const auto plan = directory.ReadPlan();
  if (!plan.ok()) return Fail(plan.status());
  if (const absl::Status status = CheckDataFiles(*tools.files, *plan); !status.ok()) {
    return Fail(status);
  }
  if (const absl::Status status = CheckModelFlags(*plan, command.models); !status.ok()) {
    return Fail(status);
  }
  if (command.dry_run) {
    const auto local = LocalTools(tools, command.models);
    if (!local.ok()) return Fail(local.status(), ExitCode::kUsage);
    Print(DryResume(*plan, local->programs, command.run_dir));
    return ExitCode::kDone;
  }
  return RunHere(tools, directory, *plan, command.color, command.models);
}

// Whether a process of that number is a distillctl: numbers are used again.
bool IsDistillctl(int64_t pid) {
  if (pid <= 1) return false;
  char path[PATH_MAX] = {};
  const ssize_t length =
      readlink(absl::StrCat("/proc/", pid, "/exe").c_str(), path, sizeof(path) - 1);
  return length > 0 && absl::EndsWith(std::string(path, length), absl::StrCat("/", kDistillctl));
}

// Asks on a terminal only: a script that got this far means it.
bool Confirmed(const CommandTools& tools, const std::string& name) {
  if (!tools.ask) return true;
  return tools.ask(absl::StrCat("This ends the work of plan ", name,
                                ". Type its name to stop it: ")) == name;
}

ExitCode Do(const CommandTools& tools, const StopCommand& command) {
  RunDirectory directory(tools.files, command.run_dir);
  const auto plan = directory.ReadPlan();
  if (!plan.ok()) return Fail(plan.status());
  if (command.dry_run) {
    const auto listed = directory.ReadProcesses();
    if (!listed.ok()) return Fail(listed.status());
    Print(DryStop(*plan, *listed, command.coordinator, command.run_dir));
    return ExitCode::kDone;
  }
  const auto client = ConnectTo(tools, directory, command.coordinator);
  if (!client.ok()) return Fail(client.status());
  // Only who answers for this directory is told to stop: pids are used again.
  if (const auto status = (*client)->GetPlan(); !status.ok()) return Fail(status.status());
  const auto processes = directory.ReadProcesses();
  if (!processes.ok()) return Fail(processes.status());
  if (!command.yes && !Confirmed(tools, plan->name())) {
    return Fail(WithErrorId(absl::CancelledError("that is not the plan's name: it goes on"),
                            ErrorId::kNotConfirmed),
                ExitCode::kUsage);
  }
  for (const ProcessEntry& process : *processes) {
    if (!command.coordinator.empty()) break;
    if (process.role != kDistillctl || !IsDistillctl(process.pid)) continue;
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

// Whether a plan was run here to its end.
bool IsDone(const CommandTools& tools, const std::string& run_dir) {
  const RunDirectory directory(tools.files, run_dir);
  const auto done = tools.files->Exists(directory.FilePath("report.md"));
  const auto processes = directory.ReadProcesses();
  return done.ok() && *done && processes.ok() && processes->empty();
}

ExitCode SayDone(const CommandTools& tools, const std::string& run_dir, bool json) {
  const RunDirectory directory(tools.files, run_dir);
  const auto plan = directory.ReadPlan();
  if (!plan.ok()) return Fail(plan.status());
  const std::string report = directory.FilePath(json ? "report.json" : "report.md");
  Print(json ? DoneJson(plan->name(), report)
             : absl::StrCat("plan ", plan->name(), " is done; see ", report, "\n"));
  return ExitCode::kDone;
}

ExitCode Do(const CommandTools& tools, const StatusCommand& command) {
  RunDirectory directory(tools.files, command.run_dir);
  const auto plan = directory.ReadPlan();
  if (!plan.ok()) return Fail(plan.status());
  if (command.coordinator.empty() && IsDone(tools, command.run_dir)) {
    return SayDone(tools, command.run_dir, command.json);
  }
  const auto client = ConnectTo(tools, directory, command.coordinator);
  if (!client.ok()) return Fail(client.status());
  const auto status = (*client)->GetPlan();
  if (!status.ok()) return Fail(status.status());
  Print(command.json ? StatusJson(*status) : StatusText(*status));
  return ExitCode::kDone;
}

// Where watch and top look: the coordinator that was named, or that of the run directory.
absl::StatusOr<std::string> AddressOf(const CommandTools& tools, const std::string& run_dir,
                                      const std::string& coordinator) {
  if (!coordinator.empty()) return coordinator;
  const RunDirectory directory(tools.files, run_dir);
  RETURN_IF_ERROR(directory.ReadPlan().status());
  return directory.CoordinatorAddress();
}

ExitCode Follow(const CommandTools& tools, const std::string& coordinator, PlanDisplay& display) {
  const auto ended = FollowPlan(coordinator, display.view(), *tools.shutdown);
  display.view().Close();
  return EndOfFollowing(tools, coordinator, ended).value_or(ExitCode::kDone);
}

void PrintLine(const std::string& line) { Print(absl::StrCat(line, "\n")); }

ExitCode Do(const CommandTools& tools, const WatchCommand& command) {
  if (!command.run_dir.empty() && command.coordinator.empty() && IsDone(tools, command.run_dir)) {
    return SayDone(tools, command.run_dir, command.json);
  }
  const auto address = AddressOf(tools, command.run_dir, command.coordinator);
  if (!address.ok()) return Fail(address.status());
  if (command.json) {
    PlanDisplay display(tools.clock, PrintLine, Say);
    return Follow(tools, *address, display);
  }
  LiveViewOptions options;
  options.color = UsesColor(command.color, tools.standard_output->IsLive(), tools.environment);
  PlanDisplay display(tools.standard_output, tools.clock, options, PrintLine);
  return Follow(tools, *address, display);
}

// Empty where the plan's files are not here.
std::function<std::string(const v1::PlanStatus&)> VerdictOf(const CommandTools& tools,
                                                            const std::string& run_dir) {
  if (run_dir.empty()) return nullptr;
  const auto plan = RunDirectory(tools.files, run_dir).ReadPlan();
  if (!plan.ok()) return nullptr;
  auto verdict = std::make_shared<LiveVerdict>(tools.files, tools.clock, run_dir, *plan);
  return [verdict](const v1::PlanStatus& status) { return verdict->Of(status); };
}

// One table, for a pipe or a file.
ExitCode PrintFleet(const CommandTools& tools, const TopCommand& command,
                    const std::string& address) {
  const auto client = Connect(tools, address);
  if (!client.ok()) return Fail(client.status());
  const auto status = (*client)->GetPlan();
  if (!status.ok()) return Fail(status.status());
  RunTrends trends;
  trends.Add(*status);
  LiveTableOptions options;
  options.width = kPipedColumns;
  options.height = kPipedRows;
  options.fleet_first = true;
  options.color = UsesColor(command.color, false, tools.environment);
  for (const std::string& line : LiveTable(*status, trends, options)) PrintLine(line);
  const auto verdict = VerdictOf(tools, command.run_dir);
  if (const std::string sentence = verdict ? verdict(*status) : ""; !sentence.empty()) {
    PrintLine(sentence);
  }
  return ExitCode::kDone;
}

ExitCode Do(const CommandTools& tools, const TopCommand& command) {
  const auto address = AddressOf(tools, command.run_dir, command.coordinator);
  if (!address.ok()) return Fail(address.status());
  if (command.json) {
    PlanDisplay display(tools.clock, PrintLine, Say);
    return Follow(tools, *address, display);
  }
  if (!tools.standard_output->IsLive()) return PrintFleet(tools, command, *address);
  LiveViewOptions options;
  options.color = UsesColor(command.color, true, tools.environment);
  options.fleet_first = true;
  options.sentence = VerdictOf(tools, command.run_dir);
  PlanDisplay display(tools.standard_output, tools.clock, options, PrintLine);
  return Follow(tools, *address, display);
}

ExitCode Do(const CommandTools& tools, const LogsCommand& command) {
  const RunDirectory directory(tools.files, command.run_dir);
  if (const auto plan = directory.ReadPlan(); !plan.ok()) return Fail(plan.status());
  ShowLogsRequest request;
  request.process = command.process;
  request.follow = command.follow;
  if (command.tail.has_value()) request.tail = *command.tail;
  const absl::Status shown =
      ShowLogs(*tools.files, *tools.clock, *tools.shutdown, directory, request, PrintLine);
  if (absl::IsCancelled(shown)) return ExitCode::kInterrupted;
  return shown.ok() ? ExitCode::kDone : Fail(shown);
}

ExitCode Do(const CommandTools& tools, const LabelCommand& command) {
  const auto plan = ReadPlan(*tools.files, command.config, command.settings, command.seed,
                             tools.working_directory);
  if (!plan.ok()) return Fail(plan.status(), ExitCode::kConfiguration);
  const auto local = LocalTools(tools, command.models);
  if (!local.ok()) return Fail(local.status(), ExitCode::kUsage);
  RecordLabelsRequest request;
  request.what = {command.run, command.role, command.run_dir, command.block_rows};
  if (command.dry_run) {
    const auto recording = PlanRecording(*tools.files, *plan, request.what);
    if (!recording.ok()) return Fail(recording.status());
    Print(DryLabel(command, *plan, *recording, local->programs));
    return ExitCode::kDone;
  }
  request.directory = command.out;
  request.teachers = command.teachers;
  request.teacher_servers = command.teacher_servers;
  request.threads = command.threads;
  if (tools.standard_error->IsLive()) {
    request.show = [](const std::string& text) { std::fputs(text.c_str(), stderr); };
  }
  return Finish(RecordLabels(*local, *plan, request));
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
  const auto read = ReadPlanWithOrigins(*tools.files, command.config, command.settings,
                                        std::nullopt, tools.working_directory);
  if (!read.ok()) return Fail(read.status(), ExitCode::kConfiguration);
  Print(ShowPlan(read->plan, read->origins, command.origin));
  return ExitCode::kDone;
}

ExitCode Do(const CommandTools& tools, const ConfigValidateCommand& command) {
  const auto plan = ReadPlan(*tools.files, command.config, command.settings, std::nullopt,
                             tools.working_directory);
  if (!plan.ok()) return Fail(plan.status(), ExitCode::kConfiguration);
  Say(absl::StrCat(command.config, " is valid: ", plan->runs_size(),
                   " runs (data files were not opened)"));
  return ExitCode::kDone;
}

// The others answer without a plan that runs.
template <typename Question>
ExitCode Do(const CommandTools& tools, const Question& question) {
  return Answer(tools, question);
}

ExitCode Do(const CommandTools& tools, const ModelManifestCommand& command) {
  const auto manifest = WriteModelManifest(*tools.files, command.dir);
  if (!manifest.ok()) return Fail(manifest.status());
  const std::map<std::string, std::string> files(manifest->files().begin(),
                                                 manifest->files().end());
  for (const auto& [file, sha256] : files) Print(absl::StrCat(sha256, "  ", file, "\n"));
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
