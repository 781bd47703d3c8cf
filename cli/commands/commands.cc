#include "cli/commands/commands.h"

#include <cstdio>
#include <filesystem>
#include <functional>
#include <map>
#include <optional>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "cli/command_line/model_flags.h"
#include "cli/commands/answers.h"
#include "cli/commands/console.h"
#include "cli/commands/coordinator_access.h"
#include "cli/commands/dry_run.h"
#include "cli/commands/following.h"
#include "cli/commands/model_digest.h"
#include "cli/commands/plan_display.h"
#include "cli/commands/show_logs.h"
#include "cli/commands/stop_command.h"
#include "cli/commands/watch_commands.h"
#include "cli/label_recording/record_labels.h"
#include "cli/label_recording/recording_plan.h"
#include "cli/local_run/local_run.h"
#include "cli/local_run/model_comparison.h"
#include "cli/local_run/plan_outcome.h"
#include "cli/plan_file/plan_file.h"
#include "cli/plan_file/plan_origins.h"
#include "cli/plan_inputs/plan_inputs.h"
#include "cli/progress/plan_view.h"
#include "cli/progress/progress.h"
#include "cli/run_directory/run_directory.h"
#include "cli/terminal/color.h"
#include "common/digest/sha256.h"
#include "common/status/annotate.h"
#include "common/status/error_id.h"
#include "common/status/status_macros.h"
#include "coordinator/client/coordinator_client.h"
#include "distillation/label_sets/writer.h"
#include "distillation/models/model_directory.h"
#include "distillation/models/model_file.h"
#include "distillation/run_config/digests.h"

namespace distill {
namespace {

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

// Says why processes that are started here could not run the plan with what its files hold, and
// returns what to exit with, which is as if they had found out; nothing: they can.
std::optional<ExitCode> FailOnInputs(const CommandTools& tools, const v1::PlanConfig& plan,
                                     const ModelFlags& models) {
  // Large files take a while.
  Say("reads the plan's data and models");
  const std::vector<PlanInput> inputs = ReadPlanInputs(
      *tools.files, plan, ModelDirectory(tools.files, {models.dir, models.allow_executable}),
      [&] { return tools.shutdown->requested(); });
  if (tools.shutdown->requested()) {
    return Fail(absl::CancelledError("stopped before anything was started"),
                ExitCodeOfInterruption(tools.shutdown->reason()));
  }
  const absl::Status usable = CheckUsable(inputs);
  if (usable.ok()) return std::nullopt;
  return Fail(usable, ExitCodeOfFailedPlan(usable.code()));
}

// As FailOnInputs, after what takes no time. `here`: processes are started here;
// elsewhere the workers look into the files, with their memory and their models.
std::optional<ExitCode> FailOnFiles(const CommandTools& tools, const v1::PlanConfig& plan,
                                    const ModelFlags& models, bool here) {
  if (const absl::Status status = CheckDataFiles(*tools.files, plan); !status.ok()) {
    return Fail(status);
  }
  if (const absl::Status status = CheckModelFlags(plan, models); !status.ok()) {
    return Fail(status);
  }
  return here ? FailOnInputs(tools, plan, models) : std::nullopt;
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

// Has a coordinator elsewhere take the plan. The folder is taken only where it has. The same plan
// in another folder is another plan, with checkpoints and models of its own.
absl::Status SubmitTo(const CommandTools& tools, CoordinatorClient& client,
                      const std::string& coordinator, RunDirectory& directory,
                      const v1::PlanConfig& plan) {
  const auto folder = std::filesystem::path(tools.working_directory) / directory.path();
  v1::SubmitPlanRequest request;
  request.set_idempotency_key(
      absl::StrCat(PlanDigest(plan), " in ", Sha256Hex(folder.lexically_normal().string())));
  *request.mutable_plan() = plan;
  ASSIGN_OR_RETURN(const std::string id, client.SubmitPlan(request));
  return directory.Adopt(plan, {coordinator, id});
}

// Has it go on with its plan where that was stopped or has failed.
absl::Status ResumeAt(const CommandTools& tools, CoordinatorClient& client,
                      const std::string& coordinator, RunDirectory& directory,
                      const v1::PlanConfig& plan) {
  const auto status = client.GetPlan();
  if (absl::IsNotFound(status.status())) {
    // Submitted to it, the plan would begin again over the checkpoints that are there.
    return WithErrorId(
        absl::DataLossError(absl::StrCat(
            "the coordinator at ", coordinator, " has no plan to go on with; start it on the ",
            "folder of its journal, or submit the plan with a new --run-dir")),
        ErrorId::kJournalMissing);
  }
  RETURN_IF_ERROR(status.status());
  RETURN_IF_ERROR(CheckIsPlanOf(*status, plan, directory, coordinator));
  ASSIGN_OR_RETURN(const std::optional<Submission> submission, directory.FindSubmission());
  // It may have come back at another address. What distillctl started here stays a plan of here.
  if (submission.has_value()) {
    RETURN_IF_ERROR(directory.Adopt(plan, {coordinator, status->plan_id()}));
  }
  if (status->state() == v1::PlanStatus::RUNNING || status->state() == v1::PlanStatus::FINISHED) {
    Say(absl::StrCat("plan ", plan.name(), " does not have to be resumed: ",
                     status->state() == v1::PlanStatus::RUNNING ? "it runs" : "it has finished"));
    return absl::OkStatus();
  }
  RETURN_IF_ERROR(
      client.ResumePlan(absl::StrCat("resume-", absl::FormatTime(tools.clock->WallNow()))));
  Say(absl::StrCat("plan ", plan.name(), " goes on; start its workers again"));
  return absl::OkStatus();
}

// After `begin`, follows the plan of a coordinator elsewhere, and compares its models in the
// folder that all share. Interrupted, it leaves the plan running.
template <typename AnyCommand>
ExitCode FollowElsewhere(const CommandTools& tools, const AnyCommand& command,
                         RunDirectory& directory, const v1::PlanConfig& plan,
                         const std::function<absl::Status(CoordinatorClient&)>& begin) {
  const auto local = LocalTools(tools, command.models);
  if (!local.ok()) return Fail(local.status(), ExitCode::kUsage);
  const auto client = Connect(tools, command.coordinator);
  if (!client.ok()) return Fail(client.status());
  const absl::Duration began = tools.clock->MonotonicNow();
  if (const absl::Status status = begin(**client); !status.ok()) return Fail(status);
  PlanDisplay display = DisplayOf(tools, command.color);
  const ExitCode followed = FollowToItsEnd(
      tools, {command.coordinator, command.run_dir, /*started_by_hand=*/true}, display.view());
  if (followed != ExitCode::kDone) return followed;
  return Finish(CompareModels(*local, directory, plan, began,
                              "the same command compares the models that are there"));
}

// All that is checked before anything is made: first what takes no time.
std::optional<ExitCode> FailOnRun(const CommandTools& tools, const RunCommand& command,
                                  const RunDirectory& directory, const v1::PlanConfig& plan) {
  const bool here = command.coordinator.empty();
  if (const auto local = LocalTools(tools, command.models); !local.ok()) {
    return Fail(local.status(), ExitCode::kUsage);
  }
  const absl::Status folder = here ? directory.CheckNew() : directory.CheckAdoptable(plan);
  if (!folder.ok()) return Fail(folder);
  return FailOnFiles(tools, plan, command.models, here);
}

ExitCode Do(const CommandTools& tools, const RunCommand& command) {
  const auto plan = ReadPlan(*tools.files, command.config, command.settings, command.seed,
                             tools.working_directory);
  if (!plan.ok()) return Fail(plan.status(), ExitCode::kConfiguration);
  RunDirectory directory(tools.files, command.run_dir);
  if (const auto code = FailOnRun(tools, command, directory, *plan); code.has_value()) return *code;
  const bool here = command.coordinator.empty();
  if (command.dry_run) {
    const auto local = LocalTools(tools, command.models);
    if (!local.ok()) return Fail(local.status(), ExitCode::kUsage);
    Print(here ? DryRunHere(*plan, local->programs, command.run_dir)
               : DryRunElsewhere(*plan, local->programs, command.coordinator, command.run_dir));
    return ExitCode::kDone;
  }
  if (!here) {
    return FollowElsewhere(tools, command, directory, *plan, [&](CoordinatorClient& client) {
      return SubmitTo(tools, client, command.coordinator, directory, *plan);
    });
  }
  if (const absl::Status status = directory.Create(*plan); !status.ok()) return Fail(status);
  return RunHere(tools, directory, *plan, command.color, command.models);
}

// As if the user had named the coordinator that the directory's plan was submitted to.
template <typename AnyCommand>
AnyCommand WithCoordinator(const CommandTools& tools, AnyCommand command) {
  const RunDirectory directory(tools.files, command.run_dir);
  const bool named = !command.coordinator.empty();
  if (named || command.run_dir.empty() || directory.IsDone()) return command;
  const auto submission = directory.FindSubmission();
  if (submission.ok() && submission->has_value()) command.coordinator = (*submission)->coordinator;
  return command;
}

// All that is checked before a plan goes on: first what takes no time.
std::optional<ExitCode> FailOnResume(const CommandTools& tools, const ResumeCommand& command,
                                     const RunDirectory& directory, const v1::PlanConfig& plan) {
  const bool here = command.coordinator.empty();
  if (here) {
    if (const absl::Status status = directory.CheckResumable(plan); !status.ok()) {
      return Fail(status);
    }
    if (const absl::Status status = CheckNotRunning(tools, directory, plan); !status.ok()) {
      return Fail(status);
    }
  }
  return FailOnFiles(tools, plan, command.models, here);
}

ExitCode Do(const CommandTools& tools, const ResumeCommand& given) {
  const ResumeCommand command = WithCoordinator(tools, given);
  RunDirectory directory(tools.files, command.run_dir);
  const auto plan = directory.ReadPlan();
  if (!plan.ok()) return Fail(plan.status());
  const bool here = command.coordinator.empty();
  if (here && directory.IsDone() && directory.FindSubmission().value_or(std::nullopt)) {
    Say(DoneText(plan->name(), directory.FilePath("report.md")));
    return ExitCode::kDone;
  }
  if (const auto code = FailOnResume(tools, command, directory, *plan); code.has_value()) {
    return *code;
  }
  if (command.dry_run) {
    const auto local = LocalTools(tools, command.models);
    if (!local.ok()) return Fail(local.status(), ExitCode::kUsage);
    Print(here ? DryResume(*plan, local->programs, command.run_dir, directory.IsDone())
               : DryResumeElsewhere(*plan, local->programs, command.coordinator, command.run_dir));
    return ExitCode::kDone;
  }
  if (here) return RunHere(tools, directory, *plan, command.color, command.models);
  return FollowElsewhere(tools, command, directory, *plan, [&](CoordinatorClient& client) {
    return ResumeAt(tools, client, command.coordinator, directory, *plan);
  });
}

ExitCode Do(const CommandTools& tools, const StopCommand& command) {
  return StopPlan(tools, WithCoordinator(tools, command));
}
ExitCode Do(const CommandTools& tools, const StatusCommand& command) {
  return ShowStatus(tools, WithCoordinator(tools, command));
}
ExitCode Do(const CommandTools& tools, const WatchCommand& command) {
  return WatchPlan(tools, WithCoordinator(tools, command));
}
ExitCode Do(const CommandTools& tools, const TopCommand& command) {
  return ShowTop(tools, WithCoordinator(tools, command));
}

ExitCode Do(const CommandTools& tools, const LogsCommand& command) {
  const RunDirectory directory(tools.files, command.run_dir);
  if (const auto plan = directory.ReadPlan(); !plan.ok()) return Fail(plan.status());
  ShowLogsRequest request;
  request.process = command.process;
  request.follow = command.follow;
  request.tail = command.tail;
  const absl::Status shown =
      ShowLogs(*tools.files, *tools.clock, *tools.shutdown, directory, request, PrintLine);
  if (absl::IsCancelled(shown)) return ExitCodeOfInterruption(tools.shutdown->reason());
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
    const absl::Status folder = CheckFolderOfSet(*tools.files, command.out);
    if (!folder.ok()) return Fail(Annotate(folder, absl::StrCat("label set ", command.out)));
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
  const auto manifest = command.dry_run ? MakeModelManifest(*tools.files, command.dir)
                                        : WriteModelManifest(*tools.files, command.dir);
  if (!manifest.ok()) return Fail(manifest.status());
  const std::map<std::string, std::string> files(manifest->files().begin(),
                                                 manifest->files().end());
  for (const auto& [file, sha256] : files) Print(absl::StrCat(sha256, "  ", file, "\n"));
  if (command.dry_run) Print(DryManifest(command.dir));
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
