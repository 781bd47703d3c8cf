// The logs of a plan's processes, as people read them.
#ifndef CLI_LOGS_PROCESS_LOGS_H_
#define CLI_LOGS_PROCESS_LOGS_H_

#include <cstddef>
#include <functional>
#include <map>
#include <optional>
#include <string>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "cli/logs/file_tail.h"
#include "cli/logs/folder_watch.h"
#include "common/files/file_system.h"

namespace distill {

struct ProcessLogsOptions {
  // Holds <process>.log.
  std::string folder;
  // Whose; empty: all, with "<process> | " before each line.
  std::string process;
  // Only so many lines at the end of each; those that come later are shown all.
  std::optional<size_t> tail;
};

// Thread-compatible. The file system outlives it.
class ProcessLogs {
 public:
  // `print` takes a line without its end.
  ProcessLogs(FileSystem* files, ProcessLogsOptions options,
              std::function<void(const std::string&)> print);

  // Prints what is there, process after process. NOT_FOUND: there is no such folder, or no such
  // process in it; the message names those that are.
  absl::Status PrintFirst();
  // Prints what came since, also of new processes, as it comes; with `last` also what has no
  // line end. Errors of FileSystem.
  absl::Status PrintMore(bool last);

 private:
  struct Log {
    FileTail tail;
    std::string prefix;
  };

  // Adds logs that are new in the folder.
  absl::Status Look();
  // What came since.
  absl::Status Print(Log& log);

  FileSystem* const files_;
  const ProcessLogsOptions options_;
  const std::function<void(const std::string&)> print_;
  std::map<std::string, Log> logs_;
};

// Prints more of the logs after each change until `ended` says so, and then the last of it.
// `ended` is asked after each change and each `interval`. Errors of both.
absl::Status FollowLogs(ProcessLogs& logs, FolderWatch& watch, absl::Duration interval,
                        const std::function<bool()>& ended);

}  // namespace distill

#endif  // CLI_LOGS_PROCESS_LOGS_H_
