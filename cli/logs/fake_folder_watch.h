// A FolderWatch whose changes are what a test does while somebody waits.
#ifndef CLI_LOGS_FAKE_FOLDER_WATCH_H_
#define CLI_LOGS_FAKE_FOLDER_WATCH_H_

#include <deque>
#include <functional>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "cli/logs/folder_watch.h"

namespace distill {

// Each wait does the next thing of the script; OUT_OF_RANGE once there is none.
class FakeFolderWatch final : public FolderWatch {
 public:
  explicit FakeFolderWatch(std::deque<std::function<void()>> script) : script_(std::move(script)) {}

  absl::StatusOr<bool> WaitForChange(absl::Duration) override {
    if (script_.empty()) return absl::OutOfRangeError("nothing happens any more");
    script_.front()();
    script_.pop_front();
    return true;
  }
  void Wake() override {}

 private:
  std::deque<std::function<void()>> script_;
};

}  // namespace distill

#endif  // CLI_LOGS_FAKE_FOLDER_WATCH_H_
