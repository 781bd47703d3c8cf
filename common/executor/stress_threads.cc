#include "common/executor/stress_threads.h"

#include <utility>

#include "absl/base/internal/raw_logging.h"
#include "absl/strings/str_join.h"

namespace distill {

void StressThreads::Start(std::string name, std::function<void()> body) {
  absl::MutexLock lock(&mutex_);
  running_.insert(name);
  threads_.emplace_back([this, name = std::move(name), body = std::move(body)] {
    body();
    absl::MutexLock ended(&mutex_);
    running_.erase(running_.find(name));
  });
}

void StressThreads::Join() {
  {
    absl::MutexLock lock(&mutex_);
    if (!mutex_.AwaitWithTimeout(absl::Condition(this, &StressThreads::NoneRuns), limit_)) {
      ABSL_RAW_LOG(FATAL, "not through after %s: %s", absl::FormatDuration(limit_).c_str(),
                   absl::StrJoin(running_, ", ").c_str());
    }
  }
  for (std::thread& thread : threads_) thread.join();
  threads_.clear();
}

}  // namespace distill
