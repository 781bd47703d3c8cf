// Waiting for files to change.
#ifndef CLI_LOGS_FOLDER_WATCH_H_
#define CLI_LOGS_FOLDER_WATCH_H_

#include "absl/status/statusor.h"
#include "absl/time/time.h"

namespace distill {

// Of folders that were named when it was made. WaitForChange belongs to one thread.
class FolderWatch {
 public:
  virtual ~FolderWatch() = default;

  // Blocks until a file of a folder was written, created or renamed, or Wake was called, since
  // the last return; or for `timeout`, which gives false. What was read after a return has all
  // changes that it tells of.
  virtual absl::StatusOr<bool> WaitForChange(absl::Duration timeout) = 0;
  // Ends a wait, now or the next one. From any thread.
  virtual void Wake() = 0;
};

}  // namespace distill

#endif  // CLI_LOGS_FOLDER_WATCH_H_
