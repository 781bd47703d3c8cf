// A DiskTier with files and threads of its own, so that a disk that hangs holds nobody back.
#ifndef TEACHER_SERVER_CACHE_CACHE_DISK_H_
#define TEACHER_SERVER_CACHE_CACHE_DISK_H_

#include <functional>
#include <memory>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "common/executor/thread_executor.h"
#include "common/files/file_system.h"
#include "teacher_server/cache/disk_tier.h"

namespace distill {

// Thread-compatible; the tier is thread-safe.
class CacheDisk {
 public:
  // Begins to read what is there; on_error is called on a thread of the disk's.
  CacheDisk(std::unique_ptr<FileSystem> files, const DiskTierOptions& options,
            std::function<void(const absl::Status&)> on_error);
  // Stop, with a timeout of 5 s.
  ~CacheDisk();

  DiskTier* tier() { return &tier_; }

  // Takes nothing more, writes what waits and makes it durable; the first call counts.
  // DEADLINE_EXCEEDED: the disk was not through after `timeout`, for reads and again for
  // writes: the rows of the last moments are lost, files and threads are left to
  // themselves, and nobody is told anything from now on. Go on.
  absl::Status Stop(absl::Duration timeout);

 private:
  std::shared_ptr<FileSystem> files_;
  ThreadExecutor reads_;
  ThreadExecutor writes_;
  DiskTier tier_;
};

}  // namespace distill

#endif  // TEACHER_SERVER_CACHE_CACHE_DISK_H_
