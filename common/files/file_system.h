// Files through an interface, so that a test decides what a disk does.
#ifndef COMMON_FILES_FILE_SYSTEM_H_
#define COMMON_FILES_FILE_SYSTEM_H_

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace distill {

// A file open for appending. Thread-compatible. Closed by its destructor, which makes
// nothing durable.
class AppendFile {
 public:
  virtual ~AppendFile() = default;
  // After an error the file may end in a part of `bytes`: truncate it to the size it
  // had before going on.
  virtual absl::Status Append(std::string_view bytes) = 0;
  // Makes what was appended survive a crash of the machine. After an error the state
  // on the disk is unknown, and a second Sync that succeeds does not mean that the
  // bytes are there: write them anew.
  virtual absl::Status Sync() = 0;
};

// Paths with '/', absolute or relative to the working directory. Implementations are
// thread-safe; what two writers of one path leave is undefined.
//
// Durability is the caller's: the content of a file survives a crash of the machine
// after Sync(file), its name (also a new one, or its absence) after Sync(directory).
// WriteFileAtomically does all of it.
//
// Errors, with the path in the message:
//   NOT_FOUND            it, or the directory that should hold it, is not there.
//   INVALID_ARGUMENT, FAILED_PRECONDITION  a file where a directory is needed, or the reverse.
//   PERMISSION_DENIED    ask the operator.
//   RESOURCE_EXHAUSTED   the disk or a quota is full: free space, then repeat.
//   OUT_OF_RANGE         more bytes or names than the bound given.
//   DATA_LOSS            the device failed (EIO): do not trust what was written.
class FileSystem {
 public:
  // Names that List returns at most.
  static constexpr size_t kMaxListed = 1'000'000;

  virtual ~FileSystem() = default;

  // The whole file; OUT_OF_RANGE when it is larger than `max_bytes`.
  virtual absl::StatusOr<std::string> Read(const std::string& path, size_t max_bytes) = 0;
  // `length` bytes from `offset`; OUT_OF_RANGE when the file ends before.
  virtual absl::StatusOr<std::string> ReadRange(const std::string& path, uint64_t offset,
                                                size_t length) = 0;
  // Creates or replaces the file. After an error it may hold a part of `bytes`.
  virtual absl::Status Write(const std::string& path, std::string_view bytes) = 0;
  // Creates the file if it is not there.
  virtual absl::StatusOr<std::unique_ptr<AppendFile>> OpenForAppend(const std::string& path) = 0;
  // Cuts a file down to `size`; OUT_OF_RANGE when it is shorter.
  virtual absl::Status Truncate(const std::string& path, uint64_t size) = 0;
  // fsync of a file or a directory.
  virtual absl::Status Sync(const std::string& path) = 0;
  // Atomic; replaces a file at `to`. Both on one file system.
  virtual absl::Status Rename(const std::string& from, const std::string& to) = 0;
  // The names in a directory, sorted, without "." and "..".
  virtual absl::StatusOr<std::vector<std::string>> List(const std::string& path) = 0;
  // Creates the directory and its parents where missing, and makes them durable.
  virtual absl::Status MakeDirectories(const std::string& path) = 0;
  // Removes a file, or a directory with all it holds. OK when there is none.
  virtual absl::Status RemoveTree(const std::string& path) = 0;
  virtual absl::StatusOr<bool> Exists(const std::string& path) = 0;
  // Bytes of a file.
  virtual absl::StatusOr<uint64_t> Size(const std::string& path) = 0;
  // Where the path leads: absolute, without links, "." and "..".
  virtual absl::StatusOr<std::string> RealPath(const std::string& path) = 0;
};

// "a" + "b" = "a/b".
std::string JoinPath(std::string_view directory, std::string_view name);
// What holds the path: "/a/b" -> "/a", "/a" -> "/", "a" -> ".".
std::string ParentDirectory(std::string_view path);

// Replaces the file so that whoever looks, now or after a crash, finds the old content
// or the new, whole: writes "<path>.tmp", syncs it, renames it, syncs the directory.
// After an error the old content is there, except when the last sync failed: then either.
absl::Status WriteFileAtomically(FileSystem& files, const std::string& path,
                                 std::string_view bytes);

}  // namespace distill

#endif  // COMMON_FILES_FILE_SYSTEM_H_
