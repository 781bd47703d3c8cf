#include "cli/local_run/lost_process.h"

#include <sys/wait.h>

#include "absl/strings/str_cat.h"
#include "cli/command_line/command_line.h"
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
  const std::string tail = LogTail(log_path, kLinesOfLog);
  const bool told = exit.signal() == 0 && ErrorIdIn(tail).has_value();
  std::string message = exit.Describe();
  if (!told) message = TextWithId(message, exit.Id());
  if (!tail.empty()) absl::StrAppend(&message, "; the end of ", log_path, ":\n", tail);
  return message;
}

}  // namespace distill
