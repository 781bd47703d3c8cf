#include "common/executor/thread_executor.h"

#include <pthread.h>

#include <deque>
#include <optional>
#include <utility>

#include "absl/base/internal/raw_logging.h"
#include "absl/base/thread_annotations.h"
#include "absl/strings/str_cat.h"
#include "absl/synchronization/mutex.h"

namespace distill {

struct ThreadExecutor::State {
  explicit State(Options options) : options(std::move(options)), running(this->options.threads) {}

  bool HasWorkOrStopped() const ABSL_SHARED_LOCKS_REQUIRED(mutex) {
    return !dispatcher.has_value() && (stopped || !queue.empty());
  }
  // Then no caller runs a closure either: the last thread waits for that.
  bool Ended() const ABSL_SHARED_LOCKS_REQUIRED(mutex) { return running == 0; }
  bool MayDispatch() const ABSL_SHARED_LOCKS_REQUIRED(mutex) {
    return options.threads == 1 && !stopped && !busy && !dispatcher.has_value() && queue.empty();
  }
  absl::Status Add(absl::AnyInvocable<void()> closure) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex);

  const Options options;
  absl::Mutex mutex;
  bool stopped ABSL_GUARDED_BY(mutex) = false;
  std::deque<absl::AnyInvocable<void()>> queue ABSL_GUARDED_BY(mutex);
  // Threads that have not ended.
  int running ABSL_GUARDED_BY(mutex);
  // Of a serial executor: its thread runs a closure; the caller that does so in its stead.
  bool busy ABSL_GUARDED_BY(mutex) = false;
  std::optional<std::thread::id> dispatcher ABSL_GUARDED_BY(mutex);
};

ThreadExecutor::ThreadExecutor(Options options)
    : state_(std::make_shared<State>(std::move(options))) {
  ABSL_RAW_CHECK(state_->options.threads >= 1 && state_->options.max_queued >= 1,
                 "an executor needs a thread and room for a closure");
  threads_.reserve(state_->options.threads);
  for (int i = 0; i < state_->options.threads; ++i) {
    threads_.emplace_back([state = state_] { Run(*state); });
  }
}

ThreadExecutor::~ThreadExecutor() { Stop(); }

absl::Status ThreadExecutor::State::Add(absl::AnyInvocable<void()> closure) {
  if (stopped) {
    return absl::UnavailableError(absl::StrCat("executor '", options.name, "': stopped"));
  }
  if (queue.size() >= options.max_queued) {
    return absl::ResourceExhaustedError(
        absl::StrCat("executor '", options.name, "': all ", options.max_queued,
                     " places of the queue are taken: try later, or give it more"));
  }
  queue.push_back(std::move(closure));
  return absl::OkStatus();
}

absl::Status ThreadExecutor::Schedule(absl::AnyInvocable<void()> closure) {
  absl::MutexLock lock(&state_->mutex);
  return state_->Add(std::move(closure));
}

absl::Status ThreadExecutor::Dispatch(absl::AnyInvocable<void()> closure) {
  // Held, since StopWithin may leave a closure behind that hangs.
  const std::shared_ptr<State> state = state_;
  {
    absl::MutexLock lock(&state->mutex);
    if (!state->MayDispatch()) return state->Add(std::move(closure));
    state->dispatcher = std::this_thread::get_id();
  }
  for (int left = kMostDispatched; left > 0; --left) {
    closure();
    closure = nullptr;
    absl::MutexLock lock(&state->mutex);
    if (left == 1 || state->queue.empty()) {
      state->dispatcher.reset();
      break;
    }
    closure = std::move(state->queue.front());
    state->queue.pop_front();
  }
  return absl::OkStatus();
}

void ThreadExecutor::Stop() { StopWithin(absl::InfiniteDuration()); }

bool ThreadExecutor::StopWithin(absl::Duration timeout) {
  for (const std::thread& thread : threads_) {
    ABSL_RAW_CHECK(thread.get_id() != std::this_thread::get_id(),
                   "a closure stops its own executor, which waits for the closure");
  }
  bool ended = true;
  std::deque<absl::AnyInvocable<void()>> unrun;
  {
    absl::MutexLock lock(&state_->mutex);
    ABSL_RAW_CHECK(state_->dispatcher != std::this_thread::get_id(),
                   "a closure stops its own executor, which waits for the closure");
    state_->stopped = true;
    if (threads_.empty()) return true;
    ended = state_->mutex.AwaitWithTimeout(absl::Condition(state_.get(), &State::Ended), timeout);
    if (!ended) unrun.swap(state_->queue);
  }
  for (std::thread& thread : threads_) {
    if (ended) {
      thread.join();
    } else {
      thread.detach();
    }
  }
  threads_.clear();
  return ended;
}

void ThreadExecutor::Run(State& state) {
  pthread_setname_np(pthread_self(), state.options.name.substr(0, 15).c_str());
  absl::AnyInvocable<void()> closure;
  while (true) {
    {
      absl::MutexLock lock(&state.mutex);
      state.busy = false;
      state.mutex.Await(absl::Condition(&state, &State::HasWorkOrStopped));
      if (state.queue.empty()) {
        --state.running;
        return;
      }
      closure = std::move(state.queue.front());
      state.queue.pop_front();
      state.busy = true;
    }
    closure();
    closure = nullptr;
  }
}

}  // namespace distill
