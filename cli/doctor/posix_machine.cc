#include "cli/doctor/posix_machine.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <spawn.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/statvfs.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

#include "absl/cleanup/cleanup.h"
#include "absl/strings/str_cat.h"
#include "common/files/file_system.h"

extern char** environ;

namespace distill {
namespace {

constexpr size_t kMaxText = size_t{64} << 10;
constexpr int kConnectMilliseconds = 2000;
// From SIGKILL to the end.
constexpr int kKillMilliseconds = 1000;

class Descriptor {
 public:
  explicit Descriptor(int fd = -1) : fd_(fd) {}
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  ~Descriptor() { Close(); }
  int get() const { return fd_; }
  void Reset(int fd) {
    Close();
    fd_ = fd;
  }
  void Close() {
    if (fd_ >= 0) close(std::exchange(fd_, -1));
  }

 private:
  int fd_;
};

absl::Status Failed(const std::string& what) {
  const int error = errno;
  return absl::ErrnoToStatus(error, what);
}

// `path`, or what of it exists.
std::string Existing(std::string path) {
  while (access(path.c_str(), F_OK) != 0) {
    const std::string parent = ParentDirectory(path);
    if (parent == path) break;
    path = parent;
  }
  return path;
}

// Adds what can be read now, up to kMaxText bytes in all; false once the other end is closed. One
// call takes no more than that off a writer that never pauses, which is as much as a pipe holds:
// of a process that has ended it takes all.
bool ReadAvailable(int fd, std::string* text) {
  char buffer[4096];
  for (size_t taken = 0; taken < kMaxText;) {
    const ssize_t length = read(fd, buffer, sizeof(buffer));
    if (length < 0 && errno == EINTR) continue;
    if (length <= 0) return length < 0 && errno == EAGAIN;
    taken += static_cast<size_t>(length);
    const size_t room = kMaxText - std::min(kMaxText, text->size());
    text->append(buffer, std::min(room, static_cast<size_t>(length)));
  }
  return true;
}

// 0, or why not. The process inherits `life` too.
int Spawn(const std::vector<std::string>& argv, int out, int err, int life, pid_t* pid) {
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  const absl::Cleanup destroy = [&] { posix_spawn_file_actions_destroy(&actions); };
  posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
  posix_spawn_file_actions_adddup2(&actions, out, STDOUT_FILENO);
  posix_spawn_file_actions_adddup2(&actions, err, STDERR_FILENO);
  posix_spawn_file_actions_adddup2(&actions, life, life);  // which clears close-on-exec
  std::vector<std::string> words = argv;
  std::vector<char*> arguments;
  for (std::string& word : words) arguments.push_back(word.data());
  arguments.push_back(nullptr);
  return posix_spawn(pid, arguments[0], &actions, nullptr, arguments.data(), environ);
}

bool OpenPipe(Descriptor& reader, Descriptor& writer) {
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0) return false;
  fcntl(ends[0], F_SETFL, O_NONBLOCK);
  reader.Reset(ends[0]);
  writer.Reset(ends[1]);
  return true;
}

// Whether it has ended, also where the system keeps no status of it (SIGCHLD is ignored: ECHILD);
// `options` of waitpid.
bool Reap(pid_t pid, int options, int* status) {
  pid_t ended = 0;
  while ((ended = waitpid(pid, status, options)) < 0 && errno == EINTR) {
  }
  return ended != 0;
}

std::string FirstLine(const std::string& text) { return text.substr(0, text.find('\n')); }

}  // namespace

absl::StatusOr<std::string> PosixMachine::ReadFile(const std::string& path) {
  const Descriptor file(open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (file.get() < 0) return Failed(path);
  std::string text;
  ReadAvailable(file.get(), &text);
  return text;
}

int PosixMachine::Cpus() {
  cpu_set_t set;
  CPU_ZERO(&set);
  return sched_getaffinity(0, sizeof(set), &set) == 0 ? CPU_COUNT(&set) : 1;
}

uint64_t PosixMachine::MaxOpenFiles() {
  rlimit limit = {};
  return getrlimit(RLIMIT_NOFILE, &limit) == 0 ? limit.rlim_cur : 0;
}

absl::StatusOr<uint64_t> PosixMachine::FreeBytes(const std::string& path) {
  const std::string existing = Existing(path);
  struct statvfs space = {};
  if (statvfs(existing.c_str(), &space) != 0) return Failed(existing);
  return uint64_t{space.f_bavail} * space.f_frsize;
}

absl::Status PosixMachine::CheckWritable(const std::string& path) {
  const std::string existing = Existing(path);
  if (access(existing.c_str(), W_OK | X_OK) != 0) return Failed(existing);
  return absl::OkStatus();
}

absl::Status PosixMachine::ConnectToSelf(const std::string& host) {
  sockaddr_in address = {};
  address.sin_family = AF_INET;
  if (inet_pton(AF_INET, host.c_str(), &address.sin_addr) != 1) {
    return absl::InvalidArgumentError(absl::StrCat("'", host, "' is no IPv4 address"));
  }
  const Descriptor server(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  auto* where = reinterpret_cast<sockaddr*>(&address);
  socklen_t length = sizeof(address);
  if (server.get() < 0 || bind(server.get(), where, length) != 0 || listen(server.get(), 1) != 0 ||
      getsockname(server.get(), where, &length) != 0) {
    return Failed(absl::StrCat("listening on a free port of ", host));
  }
  const Descriptor client(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (client.get() < 0) return Failed("a second socket");
  if (connect(client.get(), where, length) != 0 && errno != EINPROGRESS) {
    return Failed(absl::StrCat("connecting to ", host));
  }
  pollfd ready = {client.get(), POLLOUT, 0};
  if (poll(&ready, 1, kConnectMilliseconds) != 1 || send(client.get(), "x", 1, MSG_NOSIGNAL) != 1) {
    return absl::UnavailableError(
        absl::StrCat("a connection to a port of ", host, " that listens is not made"));
  }
  return absl::OkStatus();
}

absl::StatusOr<std::string> PosixMachine::RunProgram(const std::vector<std::string>& argv,
                                                     absl::Duration timeout) {
  Descriptor out, err, life, out_writer, err_writer, life_writer;
  for (auto [reader, writer] : {std::pair(&out, &out_writer), std::pair(&err, &err_writer),
                                std::pair(&life, &life_writer)}) {
    if (!OpenPipe(*reader, *writer)) return Failed("a pipe");
  }
  pid_t pid = 0;
  const int error = Spawn(argv, out_writer.get(), err_writer.get(), life_writer.get(), &pid);
  if (error != 0) return absl::NotFoundError(absl::StrCat(argv[0], ": ", strerror(error)));
  out_writer.Close();
  err_writer.Close();
  life_writer.Close();

  // Its end is waited for, not that of its outputs, which it may close: `life` is closed when it
  // ends. (pidfd_open would say so too, but old kernels and some containers refuse it. None of the
  // programs that are asked closes descriptors it does not know.)
  const absl::Duration end = clock_->MonotonicNow() + timeout;
  std::string text, errors;
  pollfd ready[] = {{out.get(), POLLIN, 0}, {err.get(), POLLIN, 0}, {life.get(), POLLIN, 0}};
  bool ended = false, late = false;
  while (!ended && !late) {
    const int64_t left = absl::ToInt64Milliseconds(end - clock_->MonotonicNow());
    late = left <= 0 || poll(ready, 3, static_cast<int>(left)) == 0;
    ended = ready[2].revents != 0;
    // One whose other end is closed would be ready for ever.
    if (!ReadAvailable(out.get(), &text)) ready[0].fd = -1;
    if (!ReadAvailable(err.get(), &errors)) ready[1].fd = -1;
  }
  int status = 0;
  // One that ended while another process, which it started, holds `life`, is not late.
  ended = Reap(pid, ended ? 0 : WNOHANG, &status);
  if (!ended) {
    kill(pid, SIGKILL);
    // One that hangs in the kernel, as on a disk that is gone, is left behind.
    poll(&ready[2], 1, kKillMilliseconds);
    Reap(pid, WNOHANG, &status);
    return absl::DeadlineExceededError(
        absl::StrCat(argv[0], " did not answer within ", absl::FormatDuration(timeout)));
  }
  if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) {
    return absl::InternalError(absl::StrCat(argv[0], " cannot run: ", FirstLine(errors)));
  }
  return text;
}

}  // namespace distill
