#include "cli/launcher/supervisor.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <fstream>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/status/error_id.h"

namespace distill {
namespace {

// From closing the pipe to the end.
constexpr absl::Duration kEarlyExitTimeout = absl::Seconds(5);

// Between fork and exec only async-signal-safe calls are allowed.
[[noreturn]] void ExecChild(char* const* argv, int log_fd) {
  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, nullptr);
  setpgid(0, 0);
  prctl(PR_SET_PDEATHSIG, SIGTERM);
  dup2(log_fd, STDOUT_FILENO);
  dup2(log_fd, STDERR_FILENO);
  execv(argv[0], argv);
  _exit(127);
}

// The line a process writes when it is ready; empty when it closed the pipe. CANCELLED once
// `interrupt` is readable.
absl::StatusOr<std::string> ReadLine(int fd, int interrupt, Clock& clock, absl::Duration timeout) {
  std::string line;
  const absl::Duration deadline = clock.MonotonicNow() + timeout;
  while (true) {
    pollfd wait[] = {{fd, POLLIN, 0}, {interrupt, POLLIN, 0}};
    const int64_t left = absl::ToInt64Milliseconds(deadline - clock.MonotonicNow());
    const int ready = left <= 0 ? 0 : poll(wait, 2, static_cast<int>(left));
    if (ready == 0) return absl::DeadlineExceededError("not ready in time");
    if (ready > 0 && wait[1].revents != 0) {
      return absl::CancelledError("interrupted before it was ready");
    }
    char c = 0;
    const ssize_t n = ready < 0 ? ready : read(fd, &c, 1);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return std::string();
    if (c == '\n') return line;
    line.push_back(c);
  }
}

class Descriptor {
 public:
  explicit Descriptor(int fd) : fd_(fd) {}
  ~Descriptor() { Close(); }
  int get() const { return fd_; }
  void Close() {
    if (fd_ >= 0) close(fd_);
    fd_ = -1;
  }

 private:
  int fd_;
};

}  // namespace

std::string LogTail(const std::string& path, int lines) {
  std::ifstream in(path);
  std::deque<std::string> tail;
  for (std::string line; std::getline(in, line);) {
    tail.push_back(line);
    if (static_cast<int>(tail.size()) > lines) tail.pop_front();
  }
  return absl::StrJoin(tail, "\n");
}

int ProcessExit::signal() const { return WIFSIGNALED(wait_status) ? WTERMSIG(wait_status) : 0; }

ErrorId ProcessExit::Id() const {
  if (signal() == 0) return ErrorId::kProcessExited;
  return signal() == SIGKILL ? ErrorId::kKilledLikelyForMemory : ErrorId::kKilledBySignal;
}

std::string ProcessExit::Describe() const {
  if (WIFSIGNALED(wait_status)) {
    const int signal = WTERMSIG(wait_status);
    const char* abbreviation = sigabbrev_np(signal);
    return absl::StrCat(name, " was killed by SIG", abbreviation ? abbreviation : "?",
                        signal == SIGKILL ? " (often: out of memory)" : "");
  }
  return absl::StrCat(name, " ended with exit code ", WEXITSTATUS(wait_status));
}

Supervisor::Supervisor(Clock* clock)
    : clock_(clock), interrupt_(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {}

Supervisor::~Supervisor() {
  {
    absl::MutexLock lock(&mu_);
    SignalAll(SIGKILL, "");
  }
  for (std::thread& reaper : reapers_) reaper.join();
  if (interrupt_ >= 0) close(interrupt_);
}

absl::StatusOr<std::string> Supervisor::Start(const ProcessSpec& spec, absl::Duration timeout) {
  pollfd interrupt = {interrupt_, POLLIN, 0};
  if (poll(&interrupt, 1, 0) > 0) {
    return absl::CancelledError(absl::StrCat(spec.name, " is not started: interrupted"));
  }
  if (access(spec.argv.at(0).c_str(), X_OK) != 0) {
    return WithErrorId(absl::NotFoundError(absl::StrCat("cannot run ", spec.argv[0], ": ",
                                                        strerror(errno), "; build it first")),
                       ErrorId::kProgramMissing);
  }
  Descriptor log(open(spec.log_path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644));
  if (log.get() < 0) {
    return absl::NotFoundError(
        absl::StrCat("cannot write the log ", spec.log_path, ": ", strerror(errno)));
  }
  int ends[2] = {-1, -1};
  std::vector<std::string> arguments = spec.argv;
  if (spec.reports_ready) {
    if (pipe2(ends, O_CLOEXEC) != 0) return absl::InternalError("no pipe");
    fcntl(ends[1], F_SETFD, 0);  // this end is the child's
    arguments.push_back(absl::StrCat("--ready-fd=", ends[1]));
  }
  Descriptor reader(ends[0]), writer(ends[1]);
  std::vector<char*> argv;
  for (std::string& argument : arguments) argv.push_back(argument.data());
  argv.push_back(nullptr);

  const pid_t pid = fork();
  if (pid < 0) {
    return WithErrorId(absl::ResourceExhaustedError(absl::StrCat("fork: ", strerror(errno))),
                       ErrorId::kNoProcess);
  }
  if (pid == 0) ExecChild(argv.data(), log.get());
  {
    absl::MutexLock lock(&mu_);
    running_[spec.name] = pid;
  }
  reapers_.emplace_back([this, name = spec.name, pid] { Reap(name, pid); });
  if (!spec.reports_ready) return std::string();

  writer.Close();
  absl::StatusOr<std::string> line = ReadLine(reader.get(), interrupt_, *clock_, timeout);
  if (line.ok() && !line->empty()) return line;
  if (absl::IsCancelled(line.status())) return line;
  if (!line.ok()) Kill(spec.name, SIGKILL).IgnoreError();  // it may have ended by itself
  const std::string where = absl::StrCat("; see ", spec.log_path, ":\n", LogTail(spec.log_path, 5));
  if (!line.ok()) {
    return WithErrorId(
        absl::DeadlineExceededError(absl::StrCat(spec.name, " was not ready within ",
                                                 absl::FormatDuration(timeout), where)),
        ErrorId::kNotReadyInTime);
  }
  return absl::Status(CodeOfEarlyExit(spec.name),
                      absl::StrCat(spec.name, " ended before it was ready", where));
}

absl::StatusCode Supervisor::CodeOfEarlyExit(const std::string& name) {
  absl::MutexLock lock(&mu_);
  const auto gone = [&]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) { return !running_.contains(name); };
  if (!mu_.AwaitWithTimeout(absl::Condition(&gone), kEarlyExitTimeout)) {
    return absl::StatusCode::kUnavailable;
  }
  // The latest of that name; nobody else takes exits while this starts.
  const auto exit = std::find_if(exits_.rbegin(), exits_.rend(),
                                 [&](const ProcessExit& e) { return e.name == name; });
  if (exit == exits_.rend()) return absl::StatusCode::kUnavailable;
  const int status = exit->wait_status;
  // As distillctl's own: cli/command_line/command_line.h.
  switch (WIFEXITED(status) ? WEXITSTATUS(status) : 0) {
    case 3:
      return absl::StatusCode::kInvalidArgument;
    case 5:
      return absl::StatusCode::kFailedPrecondition;
    case 7:
      return absl::StatusCode::kDataLoss;
    default:
      return absl::StatusCode::kUnavailable;
  }
}

void Supervisor::Reap(const std::string& name, pid_t pid) {
  // The zombie is collected under the lock, so that a pid in running_ is never
  // one that the system has given to somebody else.
  siginfo_t info;
  while (waitid(P_PID, pid, &info, WEXITED | WNOWAIT) < 0 && errno == EINTR) {
  }
  absl::MutexLock lock(&mu_);
  int status = 0;
  waitpid(pid, &status, 0);
  running_.erase(name);
  exits_.push_back({name, pid, status});
}

std::optional<ProcessExit> Supervisor::WaitForExit(absl::Duration timeout) {
  absl::MutexLock lock(&mu_);
  const auto ready = [this]()
                         ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) { return woken_ || !exits_.empty(); };
  mu_.AwaitWithTimeout(absl::Condition(&ready), timeout);
  if (!exits_.empty()) {
    ProcessExit exit = exits_.front();
    exits_.pop_front();
    return exit;
  }
  woken_ = false;
  return std::nullopt;
}

void Supervisor::Wake() {
  absl::MutexLock lock(&mu_);
  woken_ = true;
}

void Supervisor::Interrupt() {
  if (interrupt_ >= 0) eventfd_write(interrupt_, 1);
  Wake();
}

std::map<std::string, pid_t> Supervisor::Running() const {
  absl::MutexLock lock(&mu_);
  return running_;
}

absl::Status Supervisor::Kill(const std::string& name, int signal) {
  absl::MutexLock lock(&mu_);
  const auto it = running_.find(name);
  if (it == running_.end()) return absl::NotFoundError(absl::StrCat(name, " does not run"));
  kill(it->second, signal);
  return absl::OkStatus();
}

void Supervisor::SignalAll(int signal, const std::string& but) {
  for (const auto& [name, pid] : running_) {
    if (name != but) kill(pid, signal);
  }
}

std::vector<std::string> Supervisor::StopAll(absl::Duration grace, const std::string& but) {
  absl::MutexLock lock(&mu_);
  SignalAll(SIGTERM, but);
  const auto gone = [this, &but]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) {
    return running_.size() == running_.count(but);
  };
  std::vector<std::string> killed;
  if (!mu_.AwaitWithTimeout(absl::Condition(&gone), grace)) {
    for (const auto& [name, pid] : running_) {
      if (name != but) killed.push_back(name);
    }
    SignalAll(SIGKILL, but);
    mu_.Await(absl::Condition(&gone));
  }
  return killed;
}

}  // namespace distill
