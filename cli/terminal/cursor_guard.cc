#include "cli/terminal/cursor_guard.h"

#include <errno.h>
#include <signal.h>
#include <stddef.h>
#include <unistd.h>

#include <atomic>

namespace distill {
namespace {

constexpr char kHide[] = "\x1b[?25l";
constexpr char kShow[] = "\x1b[?25h";
constexpr int kFatal[] = {SIGSEGV, SIGBUS, SIGILL,  SIGFPE,  SIGABRT, SIGSYS,
                          SIGTRAP, SIGHUP, SIGQUIT, SIGPIPE, SIGXCPU};
// Enough for a handler that writes a few bytes, where the stack of the main thread is full.
constexpr size_t kStackBytes = 64 << 10;

// All that a signal handler may look at. Never freed: a signal may come last of all.
static_assert(std::atomic<int>::is_always_lock_free);
std::atomic<int> hidden_fd = -1;
struct sigaction former[NSIG];  // written before the handlers are installed

void Put(int fd, const char* sequence, size_t length) {
  const int before = errno;
  // Who is gone cannot be helped.
  [[maybe_unused]] const ssize_t written = write(fd, sequence, length);
  errno = before;
}

// The signal comes again once this has returned, and then does what it did before.
void OnFatal(int number) {
  ShowCursorAgain();
  sigaction(number, &former[number], nullptr);
  raise(number);
}

void OnStop(int) {
  const int fd = hidden_fd.load();
  if (fd >= 0) Put(fd, kShow, sizeof(kShow) - 1);
  raise(SIGSTOP);
  // Continued; meanwhile it may have been shown for good.
  if (fd >= 0 && hidden_fd.load() == fd) Put(fd, kHide, sizeof(kHide) - 1);
}

void UseSpareStack() {
  static char spare[kStackBytes];
  stack_t current = {};
  if (sigaltstack(nullptr, &current) != 0 || (current.ss_flags & SS_DISABLE) == 0) return;
  stack_t stack = {};
  stack.ss_sp = spare;
  stack.ss_size = sizeof(spare);
  sigaltstack(&stack, nullptr);
}

void Install(int number, void (*handler)(int)) {
  if (sigaction(number, nullptr, &former[number]) != 0) return;
  if (former[number].sa_handler == SIG_IGN) return;
  struct sigaction action = {};
  action.sa_handler = handler;
  action.sa_flags = SA_ONSTACK | SA_RESTART;
  sigemptyset(&action.sa_mask);
  sigaction(number, &action, nullptr);
}

bool InstallAll() {
  UseSpareStack();
  for (const int number : kFatal) Install(number, OnFatal);
  Install(SIGTSTP, OnStop);
  return true;
}

}  // namespace

void HideCursorUntilExit(int fd) {
  [[maybe_unused]] static const bool installed = InstallAll();
  hidden_fd = fd;
  Put(fd, kHide, sizeof(kHide) - 1);
}

void ShowCursorAgain() {
  const int fd = hidden_fd.exchange(-1);
  if (fd >= 0) Put(fd, kShow, sizeof(kShow) - 1);
}

}  // namespace distill
