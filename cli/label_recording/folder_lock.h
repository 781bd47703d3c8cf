// One process at a time in a folder.
#ifndef CLI_LABEL_RECORDING_FOLDER_LOCK_H_
#define CLI_LABEL_RECORDING_FOLDER_LOCK_H_

#include <memory>
#include <string>

#include "absl/status/statusor.h"

namespace distill {

// Held until it is destroyed or its process dies, however it does (flock(2)). Advisory, and
// without effect where the file system cannot lock a folder, as NFS cannot.
class FolderLock {
 public:
  // FAILED_PRECONDITION where another one is held: wait for its end, or take another folder.
  // Otherwise the error of opening the folder, which must be there.
  static absl::StatusOr<std::unique_ptr<FolderLock>> Take(const std::string& folder);

  ~FolderLock();
  FolderLock(const FolderLock&) = delete;
  FolderLock& operator=(const FolderLock&) = delete;

 private:
  explicit FolderLock(int descriptor) : descriptor_(descriptor) {}

  const int descriptor_;
};

}  // namespace distill

#endif  // CLI_LABEL_RECORDING_FOLDER_LOCK_H_
