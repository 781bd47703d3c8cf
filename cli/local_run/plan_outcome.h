// What became of a plan, or of a command that was to see to one: an exit code and what people are
// told. Pure.
#ifndef CLI_LOCAL_RUN_PLAN_OUTCOME_H_
#define CLI_LOCAL_RUN_PLAN_OUTCOME_H_

#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "cli/command_line/command_line.h"
#include "proto/coordinator.pb.h"
#include "proto/report.pb.h"

namespace distill {

// How it ended: an exit code, and for a failure a message that is the last thing said.
struct Outcome {
  ExitCode code = ExitCode::kDone;
  std::string message;
};

// Of a plan that has ended: finished, stopped (and to be resumed), or failed by what its
// code says: the configuration, the data, or the run.
ExitCode ExitCodeOfPlan(const v1::PlanStatus& status);
// Of a plan that failed, or would, by the code of its failure.
ExitCode ExitCodeOfFailedPlan(absl::StatusCode code);

// What to type to go on with a plan, and what to do then. `coordinator`: host:port of one that was
// started by hand; empty: distillctl starts the plan's processes. `run_dir`: empty where it is not
// known.
std::string ResumeText(const std::string& run_dir, const std::string& coordinator);

// The same as ExitCodeOfPlan with what to do now; `run_dir` and `coordinator` as of ResumeText.
Outcome OutcomeOfPlan(const v1::PlanStatus& status, const std::string& run_dir,
                      const std::string& coordinator);

// How the plan stands once the processes that said `last` have left with that outcome, not its
// success: a run that was not done halts until the plan is resumed.
v1::LastStatus StatusWhenLeft(const v1::PlanStatus& last, const Outcome& outcome, absl::Time now);
// The same as an answer for people and scripts. Its message says when that was.
v1::PlanStatus AsPlanStatus(const v1::LastStatus& left);

// Of a command that was told to stop; `reason` as ShutdownSignal has it. Ctrl-C is a person, who
// sees 130; any other signal is a machine's, which may start the same again.
ExitCode ExitCodeOfInterruption(std::string_view reason);

}  // namespace distill

#endif  // CLI_LOCAL_RUN_PLAN_OUTCOME_H_
