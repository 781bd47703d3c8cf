// A terminal of any size that remembers what was written.
#ifndef CLI_TERMINAL_FAKE_TERMINAL_H_
#define CLI_TERMINAL_FAKE_TERMINAL_H_

#include <functional>
#include <string>
#include <string_view>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "cli/terminal/terminal.h"

namespace distill {

// Thread-safe; Resize calls the callback itself.
class FakeTerminal final : public Terminal {
 public:
  explicit FakeTerminal(bool live = true) : live_(live) {}

  bool IsLive() override { return live_; }
  TerminalSize Size() override {
    absl::MutexLock lock(&mu_);
    return size_;
  }
  void Write(std::string_view text) override {
    absl::MutexLock lock(&mu_);
    written_.append(text);
    ++writes_;
  }
  void HideCursor() override {
    absl::MutexLock lock(&mu_);
    cursor_shown_ = false;
  }
  void ShowCursor() override {
    absl::MutexLock lock(&mu_);
    cursor_shown_ = true;
  }
  void OnResize(std::function<void()> callback) override {
    absl::MutexLock lock(&mu_);
    callback_ = std::move(callback);
  }

  void Resize(TerminalSize size) {
    std::function<void()> callback;
    {
      absl::MutexLock lock(&mu_);
      size_ = size;
      callback = callback_;
    }
    if (callback) callback();
  }
  bool cursor_shown() const {
    absl::MutexLock lock(&mu_);
    return cursor_shown_;
  }
  // What was written since the last call.
  std::string Take() {
    absl::MutexLock lock(&mu_);
    return std::exchange(written_, "");
  }
  int writes() const {
    absl::MutexLock lock(&mu_);
    return writes_;
  }

 private:
  const bool live_;
  mutable absl::Mutex mu_;
  TerminalSize size_ ABSL_GUARDED_BY(mu_);
  bool cursor_shown_ ABSL_GUARDED_BY(mu_) = true;
  std::string written_ ABSL_GUARDED_BY(mu_);
  int writes_ ABSL_GUARDED_BY(mu_) = 0;
  std::function<void()> callback_ ABSL_GUARDED_BY(mu_);
};

}  // namespace distill

#endif  // CLI_TERMINAL_FAKE_TERMINAL_H_
