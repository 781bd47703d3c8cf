#include "teacher_server/cache/cache_disk.h"

#include <utility>

#include "absl/strings/str_cat.h"

namespace distill {
namespace {

// Closures; searches and unwritten bytes have bounds of their own.
constexpr size_t kMaxQueued = 4096;
// For whoever did not call Stop.
constexpr absl::Duration kLastTimeout = absl::Seconds(5);

}  // namespace

CacheDisk::CacheDisk(std::unique_ptr<FileSystem> files, const DiskTierOptions& options,
                     std::function<void(const absl::Status&)> on_error)
    : files_(std::move(files)),
      reads_({.name = "cache reads", .threads = 1, .max_queued = kMaxQueued}),
      writes_({.name = "cache writes", .threads = 1, .max_queued = kMaxQueued}),
      tier_(files_.get(), options, &reads_, &writes_, std::move(on_error)) {}

CacheDisk::~CacheDisk() { Stop(kLastTimeout).IgnoreError(); }

absl::Status CacheDisk::Stop(absl::Duration timeout) {
  if (files_ == nullptr) return absl::OkStatus();
  tier_.Flush();
  const bool read = reads_.StopWithin(timeout);
  const bool written = writes_.StopWithin(timeout);
  if (read && written) {
    files_.reset();
    return absl::OkStatus();
  }
  // A thread that hangs may yet come back to the files.
  tier_.Abandon(std::move(files_));
  return absl::DeadlineExceededError(
      absl::StrCat("label cache: the disk ", read ? "writes" : "reads", " for more than ",
                   absl::FormatDuration(timeout), "; the rows of the last moments are lost"));
}

}  // namespace distill
