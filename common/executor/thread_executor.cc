#include "common/executor/thread_executor.h"

#include <pthread.h>

#include <utility>

#include "absl/base/internal/raw_logging.h"
#include "absl/strings/str_cat.h"

namespace distill {

ThreadExecutor::ThreadExecutor(Options options) : options_(std::move(options)) {
  ABSL_RAW_CHECK(options_.threads >= 1 && options_.max_queued >= 1,
                 "an executor needs a thread and room for a closure");
  threads_.reserve(options_.threads);
  for (int i = 0; i < options_.threads; ++i) threads_.emplace_back([this] { Run(); });
}

ThreadExecutor::~ThreadExecutor() { Stop(); }

absl::Status ThreadExecutor::Schedule(absl::AnyInvocable<void()> closure) {
  absl::MutexLock lock(&mutex_);
  if (stopped_) {
    return absl::UnavailableError(absl::StrCat("executor '", options_.name, "': stopped"));
  }
  if (queue_.size() >= options_.max_queued) {
    return absl::ResourceExhaustedError(
        absl::StrCat("executor '", options_.name, "': all ", options_.max_queued,
                     " places of the queue are taken: try later, or give it more"));
  }
  queue_.push_back(std::move(closure));
  return absl::OkStatus();
}

void ThreadExecutor::Stop() {
  for (const std::thread& thread : threads_) {
    ABSL_RAW_CHECK(thread.get_id() != std::this_thread::get_id(),
                   "a closure stops its own executor, which waits for the closure");
  }
  {
    absl::MutexLock lock(&mutex_);
    stopped_ = true;
  }
  for (std::thread& thread : threads_) thread.join();
  threads_.clear();
}

bool ThreadExecutor::HasWorkOrStopped() const { return stopped_ || !queue_.empty(); }

void ThreadExecutor::Run() {
  pthread_setname_np(pthread_self(), options_.name.substr(0, 15).c_str());
  while (true) {
    absl::AnyInvocable<void()> closure;
    {
      absl::MutexLock lock(&mutex_);
      mutex_.Await(absl::Condition(this, &ThreadExecutor::HasWorkOrStopped));
      if (queue_.empty()) return;
      closure = std::move(queue_.front());
      queue_.pop_front();
    }
    closure();
  }
}

}  // namespace distill
