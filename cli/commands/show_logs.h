// `distillctl logs`.
#ifndef CLI_COMMANDS_SHOW_LOGS_H_
#define CLI_COMMANDS_SHOW_LOGS_H_

#include <cstddef>
#include <functional>
#include <optional>
#include <string>

#include "absl/status/status.h"
#include "cli/run_directory/run_directory.h"
#include "common/clock/clock.h"
#include "common/files/file_system.h"
#include "common/lifecycle/shutdown_signal.h"

namespace distill {

struct ShowLogsRequest {
  // Empty: all.
  std::string process;
  std::optional<size_t> tail;
  // Until the plan has ended and its processes are gone, or this one is told to stop.
  bool follow = false;
};

// Prints the logs of a run directory, line by line. NOT_FOUND: there are none, or not of that
// process. CANCELLED: it was told to stop. Takes `shutdown`'s OnRequest while it follows.
absl::Status ShowLogs(FileSystem& files, Clock& clock, ShutdownSignal& shutdown,
                      const RunDirectory& directory, const ShowLogsRequest& request,
                      const std::function<void(const std::string&)>& print);

}  // namespace distill

#endif  // CLI_COMMANDS_SHOW_LOGS_H_
