// Where work runs: handed to those who have some, so that a test may run it in place.
#ifndef COMMON_EXECUTOR_EXECUTOR_H_
#define COMMON_EXECUTOR_EXECUTOR_H_

#include <utility>

#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"

namespace distill {

// Implementations are thread-safe.
class Executor {
 public:
  virtual ~Executor() = default;

  // Runs `closure` once, soon. Never blocks for room. On an error the closure has been
  // destroyed without a run:
  //   RESOURCE_EXHAUSTED  the queue is full: shed the work or try later.
  //   UNAVAILABLE         the executor is stopped.
  // The trap: an inline executor runs the closure before Schedule returns, so hold no
  // lock that the closure takes.
  virtual absl::Status Schedule(absl::AnyInvocable<void()> closure) = 0;

  // As Schedule, but may run `closure`, and others that wait, before it returns: where that
  // saves a change of threads. For callers that hold no lock and have time for it.
  virtual absl::Status Dispatch(absl::AnyInvocable<void()> closure) {
    return Schedule(std::move(closure));
  }
};

// Runs each closure inside Schedule, on the caller's thread.
class InlineExecutor : public Executor {
 public:
  absl::Status Schedule(absl::AnyInvocable<void()> closure) override;
};

}  // namespace distill

#endif  // COMMON_EXECUTOR_EXECUTOR_H_
