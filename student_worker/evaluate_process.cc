#include "student_worker/evaluate_process.h"

#include <CLI/CLI.hpp>
#include <cstdio>
#include <string>

#include "cli/command_line/command_line.h"
#include "cli/command_line/model_flags.h"
#include "cli/command_line/value_checks.h"
#include "cli/errors/failure_text.h"
#include "cli/plan_file/plan_file.h"
#include "cli/report/report.h"
#include "cli/version/version.h"
#include "common/clock/clock.h"
#include "common/files/posix_file_system.h"
#include "distillation/models/model_directory.h"
#include "distillation/models/threads.h"
#include "distillation/models/torch_version.h"
#include "student_worker/evaluation/evaluation.h"

namespace distill {
namespace {

int Fail(ExitCode code, const absl::Status& status) {
  std::fprintf(stderr, "evaluate: %s\n", WithSomeId(status, code).c_str());
  return static_cast<int>(code);
}

}  // namespace

int EvaluateMain(int argc, char** argv) {
  std::string run_dir, plan_path, out, logits;
  int threads = 1;
  CLI::App app("Measures the exports of a finished plan and writes report.json", "evaluate");
  app.add_option("--run-dir", run_dir, "The folder that holds <run>/export")
      ->check(NotEmpty())
      ->required();
  app.add_option("--plan", plan_path, "The resolved plan: DIR/config.resolved.yaml")
      ->check(NotEmpty())
      ->required();
  app.add_option("--out", out, "The report to write, JSON")->check(NotEmpty())->required();
  app.add_option("--logits", logits, "RUN=FILE: its logits of the test split, .npy, too");
  ModelFlags models;
  AddModelFlags(app, models);
  app.add_option("--threads", threads, "Of LibTorch, 1 by default")->check(CLI::Range(1, 1024));
  app.add_flag("--version")->description("Its version and build; --json for scripts");
  if (AnswerVersion("evaluate", TorchVersion(), {argv + 1, argv + argc})) return 0;
  try {
    RefuseFlagsWithoutValue({argv + 1, argv + argc});
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    if (error.get_exit_code() == 0) return app.exit(error);  // --help
    return Fail(ExitCode::kUsage, absl::InvalidArgumentError(error.what()));
  }
  PosixFileSystem files;
  SystemClock clock;
  absl::Status status = SetComputeThreads(threads);
  if (!status.ok()) return Fail(ExitCode::kRunFailed, status);
  const auto plan = ReadPlan(files, plan_path, {}, std::nullopt);
  if (!plan.ok()) return Fail(ExitCode::kConfiguration, plan.status());
  const ModelDirectory programs(&files, {models.dir, models.allow_executable});
  const auto report = EvaluatePlan(files, clock, run_dir, *plan, programs);
  const ExitCode code = IsDataProblem(report.status()) ? ExitCode::kData : ExitCode::kRunFailed;
  if (!report.ok()) return Fail(code, report.status());
  status = WriteFileAtomically(files, out, ReportToJson(*report));
  if (status.ok()) status = WriteTestLogits(files, run_dir, *plan, logits, programs);
  return status.ok() ? 0 : Fail(ExitCode::kRunFailed, status);
}

}  // namespace distill
