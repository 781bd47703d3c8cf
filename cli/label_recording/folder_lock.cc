#include "cli/label_recording/folder_lock.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <cerrno>

#include "absl/strings/str_cat.h"
#include "common/status/error_id.h"

namespace distill {

absl::StatusOr<std::unique_ptr<FolderLock>> FolderLock::Take(const std::string& folder) {
  // Not for the processes that are started meanwhile, which may live longer.
  const int descriptor = open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (descriptor < 0) return absl::ErrnoToStatus(errno, absl::StrCat("lock ", folder));
  std::unique_ptr<FolderLock> lock(new FolderLock(descriptor));
  if (flock(descriptor, LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK) {
    return WithErrorId(
        absl::FailedPreconditionError(absl::StrCat(
            folder, ": another process works there; wait for its end, or take another folder")),
        ErrorId::kFolderInUse);
  }
  return lock;
}

FolderLock::~FolderLock() { close(descriptor_); }

}  // namespace distill
