#include "cli/local_run/model_comparison.h"

#include <sys/wait.h>

#include <utility>
#include <vector>

#include "absl/cleanup/cleanup.h"
#include "absl/strings/str_cat.h"
#include "cli/errors/failure_text.h"
#include "cli/launcher/supervisor.h"
#include "cli/process/process_flags.h"
#include "cli/report/html_report.h"
#include "cli/report/report.h"
#include "cli/report/verdicts.h"
#include "common/build_info/build_info.h"
#include "common/status/error_id.h"
#include "common/status/status_macros.h"

namespace distill {
namespace {

constexpr absl::Duration kStartTimeout = absl::Seconds(60);
constexpr absl::Duration kEvaluationTimeout = absl::Minutes(30);
constexpr size_t kMaxReportBytes = size_t{1} << 20;
constexpr char kEvaluate[] = "evaluate";

absl::Status WriteReport(const LocalRunTools& tools, RunDirectory& directory,
                         const v1::PlanConfig& plan, absl::Duration began,
                         const std::string& evaluation) {
  ASSIGN_OR_RETURN(const std::string json, tools.files->Read(evaluation, kMaxReportBytes));
  ASSIGN_OR_RETURN(v1::Report report, ReportFromJson(json));
  report.set_job_seconds(absl::ToDoubleSeconds(tools.clock->MonotonicNow() - began));
  report.mutable_written_at()->set_seconds(absl::ToUnixSeconds(tools.clock->WallNow()));
  report.set_written_by(absl::StrCat(kVersion, " (", BuildCommit(), ")"));
  AddVerdicts(*tools.files, directory.path(), plan, report);
  std::vector<std::string> runs;
  for (const v1::RunConfig& run : plan.runs()) runs.push_back(run.name());
  RETURN_IF_ERROR(
      WriteFileAtomically(*tools.files, directory.FilePath("report.json"), ReportToJson(report)));
  RETURN_IF_ERROR(WriteFileAtomically(*tools.files, directory.FilePath("report.md"),
                                      RenderMarkdown(report, runs)));
  RETURN_IF_ERROR(WriteFileAtomically(
      *tools.files, directory.FilePath("report.html"),
      RenderHtml(report, runs, ReadRecords(*tools.files, directory.path(), plan))));
  RETURN_IF_ERROR(tools.files->RemoveTree(evaluation));
  tools.say(RenderTable(report, runs));
  return absl::OkStatus();
}

Outcome OutcomeOf(const absl::Status& status) {
  if (status.ok()) return {};
  const ExitCode code = ExitCodeOf(status);
  return {code, WithSomeId(status, code)};
}

}  // namespace

absl::StatusOr<Programs> FindPrograms(FileSystem& files, const std::string& self) {
  const std::string folder = ParentDirectory(self);
  const auto find = [&](const std::string& room,
                        const std::string& name) -> absl::StatusOr<std::string> {
    const std::vector<std::string> places = {
        JoinPath(folder, name), JoinPath(JoinPath(ParentDirectory(folder), room), name)};
    for (const std::string& place : places) {
      ASSIGN_OR_RETURN(const bool exists, files.Exists(place));
      if (exists) return place;
    }
    return WithErrorId(absl::NotFoundError(absl::StrCat(
                           "the program ", name, " is neither at ", places[0], " nor at ",
                           places[1], "; build it: bazel build //", room, ":", name)),
                       ErrorId::kProgramMissing);
  };
  Programs programs;
  ASSIGN_OR_RETURN(programs.coordinator, find("coordinator", "coordinator"));
  ASSIGN_OR_RETURN(programs.teacher_server, find("teacher_server", "teacher_server"));
  ASSIGN_OR_RETURN(programs.student_worker, find("student_worker", "student_worker"));
  ASSIGN_OR_RETURN(programs.evaluate, find("student_worker", "evaluate"));
  return programs;
}

Outcome CompareModels(const LocalRunTools& tools, RunDirectory& directory,
                      const v1::PlanConfig& plan, absl::Duration began, const std::string& go_on) {
  const std::string output = directory.FilePath("evaluation.json");
  ProcessSpec spec;
  spec.name = kEvaluate;
  spec.argv = {tools.programs.evaluate,
               "--run-dir",
               directory.path(),
               "--plan",
               directory.FilePath("config.resolved.yaml"),
               "--out",
               output,
               "--threads",
               absl::StrCat(plan.processes().threads())};
  for (std::string& argument : ArgumentsOf(tools.models)) spec.argv.push_back(std::move(argument));
  spec.log_path = directory.LogPath(kEvaluate);
  Supervisor supervisor(tools.clock);
  tools.shutdown->OnRequest([&] { supervisor.Wake(); });
  const absl::Cleanup forget = [&] { tools.shutdown->OnRequest(nullptr); };
  if (const auto started = supervisor.Start(spec, kStartTimeout); !started.ok()) {
    return OutcomeOf(started.status());
  }
  const auto exit = supervisor.WaitForExit(kEvaluationTimeout);
  if (tools.shutdown->requested()) {
    const ExitCode code = ExitCodeOfInterruption(tools.shutdown->reason());
    return {code,
            absl::StrCat(WithSomeId("stopped before the models were compared", code), "; ", go_on)};
  }
  if (!exit.has_value()) {
    return {ExitCode::kRunFailed,
            TextWithId("the evaluation did not end in time", ErrorId::kEvaluationTooSlow)};
  }
  if (!exit->clean()) {
    const bool exited = WIFEXITED(exit->wait_status);
    const std::string tail = LogTail(spec.log_path, 5);
    const bool told = exited && ErrorIdIn(tail).has_value();
    const std::string end = exit->Describe();
    return {exited ? static_cast<ExitCode>(WEXITSTATUS(exit->wait_status)) : ExitCode::kRunFailed,
            absl::StrCat(told ? end : TextWithId(end, exit->Id()), ":\n", tail,
                         "\nOnce the cause is gone, ", go_on)};
  }
  return OutcomeOf(WriteReport(tools, directory, plan, began, output));
}

bool SayFormerReport(const LocalRunTools& tools, const RunDirectory& directory) {
  const auto json = tools.files->Read(directory.FilePath("report.json"), kMaxReportBytes);
  const auto markdown = tools.files->Read(directory.FilePath("report.md"), kMaxReportBytes);
  if (!json.ok() || !markdown.ok() || !ReportFromJson(*json).ok()) return false;
  tools.say(absl::StrCat("the plan is done; its report:\n", *markdown));
  return true;
}

}  // namespace distill
