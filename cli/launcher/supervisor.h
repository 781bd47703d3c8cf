// Starts, watches and stops the processes of one machine.
#ifndef CLI_LAUNCHER_SUPERVISOR_H_
#define CLI_LAUNCHER_SUPERVISOR_H_

#include <sys/types.h>

#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "common/clock/clock.h"
#include "common/status/error_catalogue.h"

namespace distill {

struct ProcessSpec {
  // Unique among the living, e.g. "student-1".
  std::string name;
  // argv[0] is the path of the program.
  std::vector<std::string> argv;
  // Its stdout and stderr are appended here.
  std::string log_path;
  // Passed as --ready-fd=N: the process writes one line there once it serves.
  bool reports_ready = false;
};

// How a process ended.
struct ProcessExit {
  std::string name;
  pid_t pid = 0;
  // Of waitpid(2).
  int wait_status = 0;

  bool clean() const { return wait_status == 0; }
  // That killed it; 0: it exited.
  int signal() const;
  // Of an end that is not clean.
  ErrorId Id() const;
  // "student-1 was killed by SIGKILL (often: out of memory)".
  std::string Describe() const;
};

// Thread-safe, but Start and the destructor belong to one thread: children die
// with the thread that started them, so that none outlives its supervisor.
class Supervisor {
 public:
  // `clock` must outlive this.
  explicit Supervisor(Clock* clock);
  // Kills what still runs. Call StopAll first to let processes drain.
  ~Supervisor();
  Supervisor(const Supervisor&) = delete;
  Supervisor& operator=(const Supervisor&) = delete;

  // Starts a process in a process group of its own (Ctrl-C reaches only the
  // supervisor). With reports_ready, waits for its line and returns it.
  //   NOT_FOUND           the program or the log's folder is missing
  //   UNAVAILABLE         it ended before it was ready; the message quotes its log. By its
  //                       exit code instead: INVALID_ARGUMENT for a configuration it does not
  //                       take, FAILED_PRECONDITION for a refusal, DATA_LOSS for bad data
  //   DEADLINE_EXCEEDED   not ready within `timeout`; it has been killed
  //   CANCELLED           Interrupt() came first; one that it waits for goes on
  absl::StatusOr<std::string> Start(const ProcessSpec& spec, absl::Duration timeout);

  // The next exit, in order of occurrence; nullopt after `timeout` or Wake().
  std::optional<ProcessExit> WaitForExit(absl::Duration timeout);
  // Ends a WaitForExit, now or the next one.
  void Wake();
  // Ends a Start that waits, and lets none begin; and as Wake().
  void Interrupt();

  // Name and pid of what runs.
  std::map<std::string, pid_t> Running() const;
  absl::Status Kill(const std::string& name, int signal);

  // SIGTERM to all but one, SIGKILL to those that still run after `grace`. Returns when
  // they are gone; names of those that had to be killed.
  std::vector<std::string> StopAll(absl::Duration grace, const std::string& but = "");

 private:
  // By the exit code of a process that ends now.
  absl::StatusCode CodeOfEarlyExit(const std::string& name) ABSL_LOCKS_EXCLUDED(mu_);
  void Reap(const std::string& name, pid_t pid);
  void SignalAll(int signal, const std::string& but) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);

  Clock* const clock_;
  // An eventfd(2): readable once interrupted. Below 0: the process may open no more files.
  const int interrupt_;

  mutable absl::Mutex mu_;
  std::map<std::string, pid_t> running_ ABSL_GUARDED_BY(mu_);
  std::deque<ProcessExit> exits_ ABSL_GUARDED_BY(mu_);
  bool woken_ ABSL_GUARDED_BY(mu_) = false;
  // One waiting thread a child; confined to the starting thread.
  std::vector<std::thread> reapers_;
};

// The last `lines` lines of a log, for messages.
std::string LogTail(const std::string& path, int lines);

}  // namespace distill

#endif  // CLI_LAUNCHER_SUPERVISOR_H_
