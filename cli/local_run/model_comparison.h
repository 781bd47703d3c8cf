// The end of a plan: a fresh process measures its models, and people read the table.
#ifndef CLI_LOCAL_RUN_MODEL_COMPARISON_H_
#define CLI_LOCAL_RUN_MODEL_COMPARISON_H_

#include <functional>
#include <string>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "cli/command_line/model_flags.h"
#include "cli/local_run/plan_outcome.h"
#include "cli/run_directory/run_directory.h"
#include "common/clock/clock.h"
#include "common/files/file_system.h"
#include "common/lifecycle/shutdown_signal.h"
#include "proto/run_config.pb.h"

namespace distill {

// Paths of the programs.
struct Programs {
  std::string coordinator;
  std::string teacher_server;
  std::string student_worker;
  std::string evaluate;
};

// Beside distillctl, or where Bazel builds them; `self` is the path of distillctl.
// NOT_FOUND names the one that is missing.
absl::StatusOr<Programs> FindPrograms(FileSystem& files, const std::string& self);

// What running a plan stands on; all outlive it.
struct LocalRunTools {
  FileSystem* files = nullptr;
  Clock* clock = nullptr;
  ShutdownSignal* shutdown = nullptr;
  Programs programs;
  // Of every process that computes models.
  ModelFlags models;
  // A line for people.
  std::function<void(const std::string&)> say;
  // Numbers in [0, 1).
  std::function<double()> random;
};

// Evaluates the exports of a finished plan, writes report.json, report.md and report.html,
// and says the table. `began`: when the plan was submitted, by the monotonic clock. `go_on`: what
// does the same again, for messages. Blocks; the evaluating process dies with the calling thread.
Outcome CompareModels(const LocalRunTools& tools, RunDirectory& directory,
                      const v1::PlanConfig& plan, absl::Duration began, const std::string& go_on);

// Says the table of the report that is there already; false where there is none.
bool SayFormerReport(const LocalRunTools& tools, const RunDirectory& directory);

}  // namespace distill

#endif  // CLI_LOCAL_RUN_MODEL_COMPARISON_H_
