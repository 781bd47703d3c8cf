// The threads of a stress test. One that hangs ends the test, by its name.
#ifndef COMMON_EXECUTOR_STRESS_THREADS_H_
#define COMMON_EXECUTOR_STRESS_THREADS_H_

#include <functional>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"

namespace distill {

// Confined to the test's thread.
//
//   StressThreads threads;
//   for (int i = 0; i < 4; ++i) threads.Start("asking " + std::to_string(i), [&] { ... });
//   threads.Join();
class StressThreads {
 public:
  // Below the minute that Bazel gives a small test, so that it is this that speaks.
  explicit StressThreads(absl::Duration limit = absl::Seconds(50)) : limit_(limit) {}
  ~StressThreads() { Join(); }

  void Start(std::string name, std::function<void()> body) ABSL_LOCKS_EXCLUDED(mutex_);

  // Waits until all are through. Crashes with the names of those that are not after the limit:
  // a lock that is never released leaves nothing to go on with.
  void Join() ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  bool NoneRuns() const ABSL_SHARED_LOCKS_REQUIRED(mutex_) { return running_.empty(); }

  const absl::Duration limit_;
  absl::Mutex mutex_;
  std::multiset<std::string> running_ ABSL_GUARDED_BY(mutex_);
  std::vector<std::thread> threads_;
};

}  // namespace distill

#endif  // COMMON_EXECUTOR_STRESS_THREADS_H_
