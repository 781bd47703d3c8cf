#include "cli/logs/inotify_folder_watch.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <unistd.h>

#include <algorithm>
#include <cstdint>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"

namespace distill {
namespace {

absl::Status Failed(const std::string& what) {
  const int error = errno;
  const std::string message = absl::StrCat(what, ": ", strerror(error));
  if (error == ENOENT || error == ENOTDIR) return absl::NotFoundError(message);
  if (error == EMFILE || error == ENOSPC || error == ENOMEM) {
    return absl::ResourceExhaustedError(
        absl::StrCat(message,
                     "; raise fs.inotify.max_user_instances or max_user_watches, or stop other "
                     "programs that watch files"));
  }
  return absl::InternalError(message);
}

class InotifyFolderWatch final : public FolderWatch {
 public:
  InotifyFolderWatch()
      : changes_(inotify_init1(IN_CLOEXEC | IN_NONBLOCK)),
        wakes_(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {}
  ~InotifyFolderWatch() override {
    if (changes_ >= 0) close(changes_);
    if (wakes_ >= 0) close(wakes_);
  }

  absl::Status Add(const std::vector<std::string>& folders) {
    if (changes_ < 0 || wakes_ < 0) return Failed("inotify");
    for (const std::string& folder : folders) {
      if (inotify_add_watch(changes_, folder.c_str(), IN_MODIFY | IN_CREATE | IN_MOVED_TO) < 0) {
        return Failed(absl::StrCat("cannot watch ", folder));
      }
    }
    return absl::OkStatus();
  }

  absl::StatusOr<bool> WaitForChange(absl::Duration timeout) override {
    pollfd ready[] = {{changes_, POLLIN, 0}, {wakes_, POLLIN, 0}};
    const int64_t milliseconds =
        std::clamp<int64_t>(absl::ToInt64Milliseconds(timeout), 0, 24 * 3600 * 1000);
    const int count = poll(ready, 2, static_cast<int>(milliseconds));
    // A signal: whoever waits looks again.
    if (count < 0 && errno != EINTR) return Failed("poll");
    if (count == 0) return false;
    Drain(changes_);
    Drain(wakes_);
    return true;
  }

  void Wake() override {
    const uint64_t one = 1;
    [[maybe_unused]] const ssize_t written = write(wakes_, &one, sizeof(one));
  }

 private:
  // What exactly changed does not matter: the files say it.
  static void Drain(int fd) {
    char buffer[4096];
    while (read(fd, buffer, sizeof(buffer)) > 0) {
    }
  }

  const int changes_;
  const int wakes_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<FolderWatch>> WatchFolders(const std::vector<std::string>& folders) {
  auto watch = std::make_unique<InotifyFolderWatch>();
  if (const absl::Status added = watch->Add(folders); !added.ok()) return added;
  return watch;
}

}  // namespace distill
