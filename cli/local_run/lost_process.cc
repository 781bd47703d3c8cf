#include "cli/local_run/lost_process.h"

#include <sys/wait.h>

#include "absl/strings/str_cat.h"
#include "cli/command_line/command_line.h"
#include "cli/errors/failure_text.h"
#include "common/status/error_id.h"

namespace distill {
namespace {

constexpr int kLinesOfLog = 5;

bool WasToldToStop(const ProcessExit& exit) {
  return exit.clean() || (WIFEXITED(exit.wait_status) &&
                          WEXITSTATUS(exit.wait_status) == static_cast<int>(ExitCode::kPreempted));
}

}  // namespace

std::string WhyLost(const ProcessExit& exit, const std::string& log_path) {
  if (WasToldToStop(exit)) {
    return TextWithId(
        absl::StrCat(exit.Describe(), " before the plan was done: somebody told it to stop"),
        ErrorId::kProcessLeft);
  }
  // One that was killed told nothing of it.
  return LossText(exit.name, exit.Describe(), exit.Id(), /*told=*/exit.signal() == 0, log_path,
                  LogTail(log_path, kLinesOfLog));
}

}  // namespace distill
