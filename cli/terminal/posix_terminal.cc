#include "cli/terminal/posix_terminal.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <atomic>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <thread>
#include <utility>

#include "cli/terminal/cursor_guard.h"

namespace distill {
namespace {

// For a terminal that takes nothing any more.
constexpr int kWriteTimeoutMilliseconds = 1000;

std::atomic<int> resize_event = -1;

void OnWindowChange(int) {
  const int before = errno;
  const int fd = resize_event.load();
  const uint64_t one = 1;
  if (fd >= 0) {
    [[maybe_unused]] const ssize_t written = write(fd, &one, sizeof(one));
  }
  errno = before;
}

std::string Variable(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? "" : value;
}

}  // namespace

TerminalEnvironment EnvironmentOfProcess() {
  return {!Variable("NO_COLOR").empty(), Variable("TERM")};
}

// Turns SIGWINCH into calls on a thread, where locks and allocation are safe.
class PosixTerminal::ResizeListener {
 public:
  explicit ResizeListener(std::function<void()> callback)
      : callback_(std::move(callback)), event_(eventfd(0, EFD_CLOEXEC)) {
    resize_event = event_;
    struct sigaction action = {};
    action.sa_handler = OnWindowChange;
    action.sa_flags = SA_RESTART;
    sigemptyset(&action.sa_mask);
    sigaction(SIGWINCH, &action, &former_);
    thread_ = std::thread([this] { Listen(); });
  }
  ~ResizeListener() {
    sigaction(SIGWINCH, &former_, nullptr);
    resize_event = -1;
    stopping_ = true;
    const uint64_t one = 1;
    [[maybe_unused]] const ssize_t written = write(event_, &one, sizeof(one));
    thread_.join();
    close(event_);
  }

 private:
  void Listen() {
    uint64_t count = 0;
    while (true) {
      const ssize_t n = read(event_, &count, sizeof(count));
      if (n < 0 && errno == EINTR) continue;
      if (n < 0 || stopping_) return;
      callback_();
    }
  }

  const std::function<void()> callback_;
  const int event_;
  struct sigaction former_ = {};
  std::atomic<bool> stopping_ = false;
  std::thread thread_;
};

PosixTerminal::PosixTerminal(int fd, const TerminalEnvironment& environment)
    : fd_(fd), live_(isatty(fd) != 0 && !environment.term.empty() && environment.term != "dumb") {}

PosixTerminal::~PosixTerminal() {
  OnResize(nullptr);
  ShowCursor();
}

TerminalSize PosixTerminal::Size() {
  winsize window = {};
  TerminalSize size;
  if (ioctl(fd_, TIOCGWINSZ, &window) != 0) return size;
  if (window.ws_col > 0) size.columns = window.ws_col;
  if (window.ws_row > 0) size.rows = window.ws_row;
  return size;
}

void PosixTerminal::Write(std::string_view text) {
  while (!text.empty()) {
    const ssize_t n = write(fd_, text.data(), text.size());
    if (n > 0) {
      text.remove_prefix(static_cast<size_t>(n));
      continue;
    }
    if (n < 0 && errno == EINTR) continue;
    if (n < 0 && errno != EAGAIN) return;
    pollfd room = {fd_, POLLOUT, 0};
    if (poll(&room, 1, kWriteTimeoutMilliseconds) <= 0) return;
  }
}

void PosixTerminal::HideCursor() {
  if (live_) HideCursorUntilExit(fd_);
}

void PosixTerminal::ShowCursor() {
  if (live_) ShowCursorAgain();
}

void PosixTerminal::OnResize(std::function<void()> callback) {
  // The former one ends here, outside the lock: its callback may be running.
  std::unique_ptr<ResizeListener> former;
  {
    absl::MutexLock lock(&mu_);
    former = std::move(listener_);
  }
  former.reset();
  if (callback == nullptr || !live_) return;
  absl::MutexLock lock(&mu_);
  listener_ = std::make_unique<ResizeListener>(std::move(callback));
}

}  // namespace distill
