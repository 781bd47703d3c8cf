// The FileSystem of the product.
#ifndef COMMON_FILES_POSIX_FILE_SYSTEM_H_
#define COMMON_FILES_POSIX_FILE_SYSTEM_H_

#include <memory>
#include <string>
#include <vector>

#include "common/files/file_system.h"

namespace distill {

// POSIX calls on the machine's own disks. Thread-safe. New files have mode 0644, new
// directories 0755, less the umask.
class PosixFileSystem : public FileSystem {
 public:
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
};

}  // namespace distill

#endif  // COMMON_FILES_POSIX_FILE_SYSTEM_H_
