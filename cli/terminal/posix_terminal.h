// The terminal behind a file descriptor.
#ifndef CLI_TERMINAL_POSIX_TERMINAL_H_
#define CLI_TERMINAL_POSIX_TERMINAL_H_

#include <functional>
#include <memory>
#include <string_view>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "cli/terminal/color.h"
#include "cli/terminal/terminal.h"

namespace distill {

// TERM and NO_COLOR of this process.
TerminalEnvironment EnvironmentOfProcess();

// Thread-safe. Of those of a process one at a time may hide the cursor, and one hear of sizes.
//
// The cursor comes back in the destructor, and before a signal ends the process: a handler
// writes the sequence that shows it and leaves the signal to whom it belonged before. SIGINT
// and SIGTERM are taken by ShutdownSignal instead: call ShowCursor in its OnRequest, since a
// second one ends the process at once. While the process is stopped by SIGTSTP (Ctrl-Z) the
// cursor is shown.
class PosixTerminal final : public Terminal {
 public:
  // `fd` must outlive this.
  PosixTerminal(int fd, const TerminalEnvironment& environment);
  ~PosixTerminal() override;
  PosixTerminal(const PosixTerminal&) = delete;
  PosixTerminal& operator=(const PosixTerminal&) = delete;

  bool IsLive() override { return live_; }
  TerminalSize Size() override;
  void Write(std::string_view text) override;
  void HideCursor() override;
  void ShowCursor() override;
  void OnResize(std::function<void()> callback) override ABSL_LOCKS_EXCLUDED(mu_);

 private:
  class ResizeListener;

  const int fd_;
  const bool live_;

  absl::Mutex mu_;
  std::unique_ptr<ResizeListener> listener_ ABSL_GUARDED_BY(mu_);
};

}  // namespace distill

#endif  // CLI_TERMINAL_POSIX_TERMINAL_H_
