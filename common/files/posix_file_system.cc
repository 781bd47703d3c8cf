#include "common/files/posix_file_system.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <filesystem>
#include <system_error>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "common/status/error_id.h"
#include "common/status/status_macros.h"

namespace distill {
namespace {

absl::Status Error(int error, std::string_view what, const std::string& path) {
  const std::string context = absl::StrCat(path, ": ", std::string(what));
  const absl::Status status = absl::ErrnoToStatus(error, context);
  switch (error) {
    case EIO:
      return WithErrorId(absl::DataLossError(status.message()), ErrorId::kDiskBroken);
    case ENOSPC:
    case EDQUOT:
      return WithErrorId(absl::ResourceExhaustedError(status.message()), ErrorId::kDiskFull);
    case EFBIG:
      return WithErrorId(absl::ResourceExhaustedError(status.message()), ErrorId::kFileTooLarge);
    case ENOTDIR:
    case EISDIR:
      return WithErrorId(absl::FailedPreconditionError(status.message()), ErrorId::kNotAFolder);
    case ENOENT:
      return WithErrorId(status, ErrorId::kFileMissing);
    case EACCES:
    case EPERM:
    case EROFS:
      return WithErrorId(status, ErrorId::kNoPermission);
    case EMFILE:
    case ENFILE:
      return WithErrorId(status, ErrorId::kTooManyFiles);
    case ENOMEM:
      return WithErrorId(status, ErrorId::kOutOfMemory);
    default:
      return status;
  }
}

// Repeats a call that a signal cut short.
template <typename Call>
auto Retry(Call call) {
  auto result = call();
  while (result < 0 && errno == EINTR) result = call();
  return result;
}

class Descriptor {
 public:
  explicit Descriptor(int fd) : fd_(fd) {}
  ~Descriptor() {
    if (fd_ >= 0) close(fd_);
  }
  Descriptor(Descriptor&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  int get() const { return fd_; }

  // The errors of writing back that close() alone would tell.
  absl::Status Close(const std::string& path) {
    if (close(std::exchange(fd_, -1)) != 0) return Error(errno, "close", path);
    return absl::OkStatus();
  }

 private:
  int fd_;
};

absl::StatusOr<Descriptor> Open(const std::string& path, int flags) {
  const int fd = Retry([&] { return open(path.c_str(), flags | O_CLOEXEC, 0644); });
  if (fd < 0) return Error(errno, "open", path);
  return Descriptor(fd);
}

absl::StatusOr<struct stat> FileStatus(const std::string& path) {
  struct stat status;
  if (stat(path.c_str(), &status) != 0) return Error(errno, "stat", path);
  return status;
}

absl::Status WriteAll(int fd, const std::string& path, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t written = Retry([&] { return write(fd, bytes.data(), bytes.size()); });
    if (written < 0) return Error(errno, "write", path);
    bytes.remove_prefix(static_cast<size_t>(written));
  }
  return absl::OkStatus();
}

// Fills `buffer` from `offset`; returns how many bytes there were.
absl::StatusOr<size_t> ReadFully(int fd, const std::string& path, uint64_t offset,
                                 std::string& buffer) {
  size_t done = 0;
  while (done < buffer.size()) {
    const ssize_t count = Retry([&] {
      return pread(fd, buffer.data() + done, buffer.size() - done,
                   static_cast<off_t>(offset + done));
    });
    if (count < 0) return Error(errno, "read", path);
    if (count == 0) break;
    done += static_cast<size_t>(count);
  }
  return done;
}

class PosixAppendFile : public AppendFile {
 public:
  PosixAppendFile(Descriptor fd, std::string path) : fd_(std::move(fd)), path_(std::move(path)) {}

  absl::Status Append(std::string_view bytes) override { return WriteAll(fd_.get(), path_, bytes); }

  absl::Status Sync() override {
    if (Retry([&] { return fsync(fd_.get()); }) != 0) return Error(errno, "fsync", path_);
    return absl::OkStatus();
  }

 private:
  Descriptor fd_;
  const std::string path_;
};

}  // namespace

absl::StatusOr<uint64_t> PosixFileSystem::Size(const std::string& path) {
  ASSIGN_OR_RETURN(const struct stat status, FileStatus(path));
  if (!S_ISREG(status.st_mode)) return Error(EISDIR, "not a regular file", path);
  return static_cast<uint64_t>(status.st_size);
}

absl::StatusOr<std::string> PosixFileSystem::Read(const std::string& path, size_t max_bytes) {
  ASSIGN_OR_RETURN(const uint64_t size, Size(path));
  if (size > max_bytes) {
    return absl::OutOfRangeError(
        absl::StrCat(path, ": has ", size, " bytes, more than the bound of ", max_bytes));
  }
  return ReadRange(path, 0, size);
}

absl::StatusOr<std::string> PosixFileSystem::ReadRange(const std::string& path, uint64_t offset,
                                                       size_t length) {
  ASSIGN_OR_RETURN(const uint64_t size, Size(path));
  // Before the buffer is made: a hostile length must not cost memory.
  if (offset > size || length > size - offset) {
    return absl::OutOfRangeError(
        absl::StrCat(path, ": ", length, " bytes at ", offset, " lie past its end at ", size));
  }
  ASSIGN_OR_RETURN(const Descriptor fd, Open(path, O_RDONLY));
  std::string bytes(length, '\0');
  ASSIGN_OR_RETURN(const size_t count, ReadFully(fd.get(), path, offset, bytes));
  if (count != length) {
    return absl::OutOfRangeError(absl::StrCat(path, ": became shorter while it was read"));
  }
  return bytes;
}

absl::Status PosixFileSystem::Write(const std::string& path, std::string_view bytes) {
  ASSIGN_OR_RETURN(Descriptor fd, Open(path, O_WRONLY | O_CREAT | O_TRUNC));
  RETURN_IF_ERROR(WriteAll(fd.get(), path, bytes));
  return fd.Close(path);
}

absl::StatusOr<std::unique_ptr<AppendFile>> PosixFileSystem::OpenForAppend(
    const std::string& path) {
  ASSIGN_OR_RETURN(Descriptor fd, Open(path, O_WRONLY | O_CREAT | O_APPEND));
  return std::make_unique<PosixAppendFile>(std::move(fd), path);
}

absl::Status PosixFileSystem::Truncate(const std::string& path, uint64_t size) {
  ASSIGN_OR_RETURN(const uint64_t old_size, Size(path));
  if (size > old_size) {
    return absl::OutOfRangeError(
        absl::StrCat(path, ": has ", old_size, " bytes and cannot be cut to ", size));
  }
  if (Retry([&] { return truncate(path.c_str(), static_cast<off_t>(size)); }) != 0) {
    return Error(errno, "truncate", path);
  }
  return absl::OkStatus();
}

absl::Status PosixFileSystem::Sync(const std::string& path) {
  ASSIGN_OR_RETURN(const Descriptor fd, Open(path, O_RDONLY));
  if (Retry([&] { return fsync(fd.get()); }) != 0) return Error(errno, "fsync", path);
  return absl::OkStatus();
}

absl::Status PosixFileSystem::Rename(const std::string& from, const std::string& to) {
  if (rename(from.c_str(), to.c_str()) != 0) {
    return Error(errno, absl::StrCat("rename to ", to), from);
  }
  return absl::OkStatus();
}

absl::StatusOr<std::vector<std::string>> PosixFileSystem::List(const std::string& path) {
  const std::unique_ptr<DIR, int (*)(DIR*)> directory(opendir(path.c_str()), &closedir);
  if (directory == nullptr) return Error(errno, "list", path);
  std::vector<std::string> names;
  while (true) {
    errno = 0;
    const dirent* entry = readdir(directory.get());
    if (entry == nullptr && errno != 0) return Error(errno, "list", path);
    if (entry == nullptr) break;
    const std::string_view name = entry->d_name;
    if (name == "." || name == "..") continue;
    if (names.size() >= kMaxListed) {
      return absl::OutOfRangeError(absl::StrCat(path, ": holds more than ", kMaxListed, " names"));
    }
    names.emplace_back(name);
  }
  std::sort(names.begin(), names.end());
  return names;
}

absl::Status PosixFileSystem::MakeDirectories(const std::string& path) {
  const absl::StatusOr<struct stat> status = FileStatus(path);
  if (status.ok()) {
    if (S_ISDIR(status->st_mode)) return absl::OkStatus();
    return Error(ENOTDIR, "make directory", path);
  }
  if (!absl::IsNotFound(status.status())) return status.status();
  const std::string parent = ParentDirectory(path);
  RETURN_IF_ERROR(MakeDirectories(parent));
  // Another process may have made it in the meantime, which is as good.
  if (mkdir(path.c_str(), 0755) != 0 && errno != EEXIST) {
    return Error(errno, "make directory", path);
  }
  return Sync(parent);
}

absl::Status PosixFileSystem::RemoveTree(const std::string& path) {
  std::error_code error;
  std::filesystem::remove_all(path, error);
  if (error) return Error(error.value(), "remove", path);
  return absl::OkStatus();
}

absl::StatusOr<bool> PosixFileSystem::Exists(const std::string& path) {
  const absl::StatusOr<struct stat> status = FileStatus(path);
  if (status.ok()) return true;
  if (absl::IsNotFound(status.status())) return false;
  return status.status();
}

absl::StatusOr<std::string> PosixFileSystem::RealPath(const std::string& path) {
  std::error_code error;
  const std::filesystem::path real = std::filesystem::canonical(path, error);
  if (error) return Error(error.value(), "follow", path);
  return real.string();
}

}  // namespace distill
