// FolderWatch by inotify(7).
#ifndef CLI_LOGS_INOTIFY_FOLDER_WATCH_H_
#define CLI_LOGS_INOTIFY_FOLDER_WATCH_H_

#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "cli/logs/folder_watch.h"

namespace distill {

// NOT_FOUND: a folder is not there. RESOURCE_EXHAUSTED: the system's bound on watches
// (fs.inotify.max_user_instances or max_user_watches) is reached; the message names it.
absl::StatusOr<std::unique_ptr<FolderWatch>> WatchFolders(const std::vector<std::string>& folders);

}  // namespace distill

#endif  // CLI_LOGS_INOTIFY_FOLDER_WATCH_H_
