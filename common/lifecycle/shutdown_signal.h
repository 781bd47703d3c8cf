// SIGTERM, SIGINT and SIGHUP as an event. Installed first thing in main, before anything
// slow, so that a process told to stop while it loads a model still drains.
#ifndef COMMON_LIFECYCLE_SHUTDOWN_SIGNAL_H_
#define COMMON_LIFECYCLE_SHUTDOWN_SIGNAL_H_

#include <functional>
#include <memory>
#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/synchronization/mutex.h"
#include "absl/synchronization/notification.h"
#include "absl/time/time.h"

namespace distill {

// Thread-safe. One per process, made before any other thread: it blocks these
// signals in the thread that makes it, and later threads inherit that. A SIGHUP that is
// ignored (nohup) stays so.
//
//   ShutdownSignal shutdown;            // first line of main
//   shutdown.Wait();                    // until the first signal, or Request()
//   server.Drain();                     // meanwhile a second signal exits at once
//
// Also ignores SIGXFSZ and SIGPIPE: a file that grows over the system's limit, and a pipe
// that nobody reads any more, are errors of that write, as a full disk is, not the end of
// the process.
//
// The second signal ends the process at once with status 128 + its number, but for SIGHUP,
// which comes twice where a terminal closes: from the kernel and from the shell.
class ShutdownSignal {
 public:
  ShutdownSignal();
  ~ShutdownSignal();
  ShutdownSignal(const ShutdownSignal&) = delete;
  ShutdownSignal& operator=(const ShutdownSignal&) = delete;

  // Stops the process from inside, as the first signal would; later calls and
  // signals keep the first reason. `failure`: what the process is to end with.
  void Request(const std::string& reason, const absl::Status& failure = absl::OkStatus());

  // Blocks until the first signal or Request.
  void Wait();
  // As Wait, but for so long at most; whether there was one.
  bool WaitFor(absl::Duration time);
  bool requested() const;
  // "SIGTERM", "SIGINT", "SIGHUP" or the reason of Request; empty before.
  std::string reason() const;
  // Of the Request that came first; OK after a signal.
  absl::Status failure() const;

  // Runs on the signal's thread at the first signal or Request, or here and now
  // when that is past. At most one, the latest; must not block, nor call this object.
  // Null removes it: what it uses may go once this has returned.
  void OnRequest(std::function<void()> callback);

 private:
  class Listener;

  // Held while the callback runs.
  absl::Mutex callback_mu_ ABSL_ACQUIRED_BEFORE(mu_);
  mutable absl::Mutex mu_;
  std::string reason_ ABSL_GUARDED_BY(mu_);
  absl::Status failure_ ABSL_GUARDED_BY(mu_);
  std::function<void()> callback_ ABSL_GUARDED_BY(mu_);
  absl::Notification requested_;
  std::unique_ptr<Listener> listener_;
};

}  // namespace distill

#endif  // COMMON_LIFECYCLE_SHUTDOWN_SIGNAL_H_
