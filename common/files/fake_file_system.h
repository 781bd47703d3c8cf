// A disk in memory that loses what was not synced, and fails when told to.
#ifndef COMMON_FILES_FAKE_FILE_SYSTEM_H_
#define COMMON_FILES_FAKE_FILE_SYSTEM_H_

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/synchronization/mutex.h"
#include "common/files/file_system.h"

namespace distill {

// Stricter than most disks: what no Sync has covered is lost by Crash, always. Holds
// "/" and the working directory "."; ".." in a path is INVALID_ARGUMENT. Thread-safe.
//
//   FakeFileSystem files;
//   files.FailOperation(3, absl::ResourceExhaustedError("disk full"));
//   ... the third call from here on fails ...
//   files.Crash();
//   ... what is left is what a restarted process finds ...
class FakeFileSystem : public FileSystem {
 public:
  FakeFileSystem();

  // The machine loses power and starts again. Of bytes that were added to a file since
  // its last Sync, up to `keep_unsynced_bytes` survive (a torn write). AppendFiles
  // from before fail from then on; injected failures are forgotten.
  void Crash(size_t keep_unsynced_bytes = 0) ABSL_LOCKS_EXCLUDED(mutex_);

  // The n-th operation from now (1: the next one) fails with `error`, and all later
  // ones too if `and_all_later`. Every call counts, also those that only read and
  // those of AppendFiles. A Write or Append that fails leaves half of its bytes, as a
  // full disk does; every other operation that fails does nothing.
  void FailOperation(int64_t n, absl::Status error, bool and_all_later = false)
      ABSL_LOCKS_EXCLUDED(mutex_);

  // Operations so far: run once without a failure, then once for each n up to this.
  int64_t operations() const ABSL_LOCKS_EXCLUDED(mutex_);

  absl::StatusOr<std::string> Read(const std::string& path, size_t max_bytes) override;
  absl::StatusOr<std::string> ReadRange(const std::string& path, uint64_t offset,
                                        size_t length) override;
  absl::Status Write(const std::string& path, std::string_view bytes) override;
  absl::StatusOr<std::unique_ptr<AppendFile>> OpenForAppend(const std::string& path) override;
  absl::Status Truncate(const std::string& path, uint64_t size) override;
  absl::Status Sync(const std::string& path) override;
  absl::Status Rename(const std::string& from, const std::string& to) override;
  absl::StatusOr<std::vector<std::string>> List(const std::string& path) override;
  absl::Status MakeDirectories(const std::string& path) override;
  absl::Status RemoveTree(const std::string& path) override;
  absl::StatusOr<bool> Exists(const std::string& path) override;
  absl::StatusOr<uint64_t> Size(const std::string& path) override;
  absl::StatusOr<std::string> RealPath(const std::string& path) override;

 private:
  friend class FakeAppendFile;

  // What a path leads to, now and after a crash. Guarded by mutex_.
  struct Node {
    bool directory = false;
    std::string bytes, durable_bytes;
    std::map<std::string, std::shared_ptr<Node>> children, durable_children;
  };
  using NodePtr = std::shared_ptr<Node>;

  // A place in a directory: the node there may be null.
  struct Place {
    NodePtr parent;
    std::string name;
    NodePtr node;
  };

  // Counts an operation, and returns the failure injected for it.
  absl::Status Begin(const std::string& path) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  absl::StatusOr<Place> Find(const std::string& path) const ABSL_SHARED_LOCKS_REQUIRED(mutex_);
  absl::StatusOr<NodePtr> FindNode(const std::string& path) const
      ABSL_SHARED_LOCKS_REQUIRED(mutex_);
  absl::StatusOr<NodePtr> FindFile(const std::string& path) const
      ABSL_SHARED_LOCKS_REQUIRED(mutex_);
  absl::StatusOr<NodePtr> FindOrCreateFile(const std::string& path)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  static void CrashNode(Node& node, size_t keep_unsynced_bytes);
  static void SyncNode(Node& node);

  mutable absl::Mutex mutex_;
  const NodePtr root_;
  int64_t operations_ ABSL_GUARDED_BY(mutex_) = 0;
  int64_t crashes_ ABSL_GUARDED_BY(mutex_) = 0;
  int64_t fail_at_ ABSL_GUARDED_BY(mutex_) = 0;  // 0: never.
  bool fail_later_too_ ABSL_GUARDED_BY(mutex_) = false;
  absl::Status failure_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace distill

#endif  // COMMON_FILES_FAKE_FILE_SYSTEM_H_
