#include "cli/terminal/posix_terminal.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <pty.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <exception>
#include <functional>
#include <string>

#include "absl/synchronization/notification.h"
#include "absl/time/time.h"
#include "common/lifecycle/shutdown_signal.h"

namespace distill {
namespace {

using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::StartsWith;

constexpr char kHide[] = "\x1b[?25l";
constexpr char kShow[] = "\x1b[?25h";
constexpr absl::Duration kPatience = absl::Seconds(30);

const TerminalEnvironment kXterm = {false, "xterm"};

// Both ends of a terminal: a program writes to `inner`, a person looks at `outer`.
struct Pty {
  Pty() { EXPECT_EQ(openpty(&outer, &inner, nullptr, nullptr, nullptr), 0); }
  ~Pty() {
    close(outer);
    CloseInner();
  }
  void CloseInner() {
    if (inner >= 0) close(inner);
    inner = -1;
  }
  // All that was written, until every writer has closed it.
  std::string ReadToTheEnd() {
    std::string all;
    char buffer[256];
    for (ssize_t n = 0; (n = read(outer, buffer, sizeof(buffer))) > 0;) all.append(buffer, n);
    return all;
  }
  int outer = -1;
  int inner = -1;
};

struct End {
  std::string written;
  int wait_status = 0;
};

// A process that hides the cursor and then does `rest`.
End EndOf(const std::function<void(PosixTerminal&)>& rest) {
  Pty pty;
  const pid_t pid = fork();
  if (pid == 0) {
    const rlimit none = {0, 0};
    setrlimit(RLIMIT_CORE, &none);
    close(pty.outer);
    {
      PosixTerminal terminal(pty.inner, kXterm);
      terminal.HideCursor();
      rest(terminal);
    }
    _exit(0);
  }
  pty.CloseInner();
  End end;
  end.written = pty.ReadToTheEnd();
  EXPECT_EQ(waitpid(pid, &end.wait_status, 0), pid);
  return end;
}

void ExpectShownAtTheEnd(const End& end) {
  EXPECT_THAT(end.written, StartsWith(kHide));
  EXPECT_THAT(end.written, HasSubstr(kShow));
  EXPECT_EQ(end.written.find(kHide, 1), std::string::npos) << "hidden again";
}

TEST(PosixTerminalTest, TheCursorIsShownWhenTheTerminalGoes) {
  const End end = EndOf([](PosixTerminal&) {});
  ExpectShownAtTheEnd(end);
  EXPECT_THAT(end.written, EndsWith(kShow));
  EXPECT_EQ(end.wait_status, 0);
}

TEST(PosixTerminalTest, TheCursorIsShownBeforeASignalEndsTheProcessWhichStillDiesOfIt) {
  for (const int number : {SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGABRT, SIGHUP, SIGQUIT, SIGPIPE}) {
    SCOPED_TRACE(number);
    const End end = EndOf([number](PosixTerminal&) { kill(getpid(), number); });
    ExpectShownAtTheEnd(end);
    EXPECT_NE(end.wait_status, 0);
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
    EXPECT_TRUE(WIFSIGNALED(end.wait_status));
    EXPECT_EQ(WTERMSIG(end.wait_status), number);
#endif
  }
}

TEST(PosixTerminalTest, TheCursorIsShownAfterARealFaultAndWhereExceptionsEnd) {
  ExpectShownAtTheEnd(EndOf([](PosixTerminal&) {
    void* const forbidden = mmap(nullptr, 1, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    *static_cast<volatile char*>(forbidden) = 1;
  }));
  ExpectShownAtTheEnd(EndOf([](PosixTerminal&) { std::terminate(); }));
}

TEST(PosixTerminalTest, AnIgnoredSignalStaysIgnored) {
  signal(SIGHUP, SIG_IGN);
  const End end = EndOf([](PosixTerminal& terminal) {
    kill(getpid(), SIGHUP);
    terminal.Write("still here");
  });
  signal(SIGHUP, SIG_DFL);
  EXPECT_EQ(end.written, std::string(kHide) + "still here" + kShow);
  EXPECT_EQ(end.wait_status, 0);
}

TEST(PosixTerminalTest, TheCursorIsShownAtTheFirstSignalToStopSoThatASecondOneMayEndAllAtOnce) {
  for (const int number : {SIGINT, SIGTERM}) {
    const End end = EndOf([number](PosixTerminal& terminal) {
      ShutdownSignal shutdown;
      absl::Notification told;
      shutdown.OnRequest([&] {
        terminal.ShowCursor();
        told.Notify();
      });
      kill(getpid(), number);
      told.WaitForNotification();
      kill(getpid(), number);
      pause();
    });
    ExpectShownAtTheEnd(end);
    EXPECT_EQ(WEXITSTATUS(end.wait_status), 128 + number);
  }
}

TEST(PosixTerminalTest, WhileTheProcessIsStoppedTheCursorIsShown) {
  Pty pty;
  const pid_t pid = fork();
  if (pid == 0) {
    close(pty.outer);
    {
      PosixTerminal terminal(pty.inner, kXterm);
      terminal.HideCursor();
      raise(SIGTSTP);
      terminal.Write("goes on");
    }
    _exit(0);
  }
  pty.CloseInner();
  int status = 0;
  ASSERT_EQ(waitpid(pid, &status, WUNTRACED), pid);
  ASSERT_TRUE(WIFSTOPPED(status));
  kill(pid, SIGCONT);
  EXPECT_EQ(pty.ReadToTheEnd(), std::string(kHide) + kShow + kHide + "goes on" + kShow);
  ASSERT_EQ(waitpid(pid, &status, 0), pid);
}

TEST(PosixTerminalTest, ItsSizeIsAsItIsNowAndAChangeIsTold) {
  Pty pty;
  PosixTerminal terminal(pty.inner, kXterm);
  absl::Notification told;
  terminal.OnResize([&] {
    if (!told.HasBeenNotified()) told.Notify();
  });
  const winsize window = {.ws_row = 10, .ws_col = 132, .ws_xpixel = 0, .ws_ypixel = 0};
  ASSERT_EQ(ioctl(pty.outer, TIOCSWINSZ, &window), 0);
  kill(getpid(), SIGWINCH);  // the system sends it to the terminal's foreground processes
  EXPECT_TRUE(told.WaitForNotificationWithTimeout(kPatience));
  terminal.OnResize(nullptr);
  EXPECT_EQ(terminal.Size().columns, 132);
  EXPECT_EQ(terminal.Size().rows, 10);
}

TEST(PosixTerminalTest, APipeOrADumbTerminalIsNotLiveAndGetsNoSequence) {
  int ends[2];
  ASSERT_EQ(pipe(ends), 0);
  {
    PosixTerminal piped(ends[1], kXterm);
    EXPECT_FALSE(piped.IsLive());
    piped.HideCursor();
    piped.Write("text");
  }
  close(ends[1]);
  char buffer[16];
  EXPECT_EQ(std::string(buffer, read(ends[0], buffer, sizeof(buffer))), "text");
  EXPECT_EQ(read(ends[0], buffer, sizeof(buffer)), 0);
  close(ends[0]);
  Pty pty;
  EXPECT_FALSE(PosixTerminal(pty.inner, {false, "dumb"}).IsLive());
  EXPECT_FALSE(PosixTerminal(pty.inner, {false, ""}).IsLive());
  EXPECT_TRUE(PosixTerminal(pty.inner, {true, "xterm"}).IsLive());
}

}  // namespace
}  // namespace distill
