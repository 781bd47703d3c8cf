// The Executor of the product: a fixed number of threads behind a bounded queue.
#ifndef COMMON_EXECUTOR_THREAD_EXECUTOR_H_
#define COMMON_EXECUTOR_THREAD_EXECUTOR_H_

#include <cstddef>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "absl/time/time.h"
#include "common/executor/executor.h"

namespace distill {

// Closures start in the order of Schedule; with one thread they also end in it, which
// makes such an executor a serial one. Thread-safe.
//
// Dispatch to a serial executor that has nothing to do runs the closure on the caller's thread,
// and so many of those at most that come meanwhile: kMostDispatched. It saves waking the
// executor's thread, which costs as much as copying some 100 KB, and what the caller has just
// touched is in its processor's cache. To any other executor Dispatch is Schedule.
//
//   ThreadExecutor executor({.name = "teacher", .threads = 1, .max_queued = 64});
//   RETURN_IF_ERROR(executor.Schedule([] { ... }));
//   executor.Stop();
class ThreadExecutor : public Executor {
 public:
  struct Options {
    std::string name;          // In errors, and as the threads' name (15 bytes of it).
    int threads = 1;           // At least 1: crashes otherwise.
    size_t max_queued = 1024;  // Closures that wait for a thread; at least 1.
  };

  static constexpr int kMostDispatched = 64;

  explicit ThreadExecutor(Options options);
  ~ThreadExecutor() override;  // Stop()

  absl::Status Schedule(absl::AnyInvocable<void()> closure) override;
  absl::Status Dispatch(absl::AnyInvocable<void()> closure) override;

  // Refuses new work, runs all that is queued, joins the threads. Never call it from a
  // closure: crashes. Idempotent; not to be called from two threads at once.
  void Stop();

  // Stop for closures that may hang. False when they were not through after `timeout`:
  // what is queued is destroyed without a run, and the threads are left to end by
  // themselves. Then the executor may go, but not what a closure that still runs refers to.
  bool StopWithin(absl::Duration timeout);

 private:
  // The threads hold it too: they may be left behind.
  struct State;

  static void Run(State& state);

  const std::shared_ptr<State> state_;
  std::vector<std::thread> threads_;
};

}  // namespace distill

#endif  // COMMON_EXECUTOR_THREAD_EXECUTOR_H_
