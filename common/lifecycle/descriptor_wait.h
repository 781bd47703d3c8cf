// Waits for a file descriptor, but not through a signal that stops the process.
#ifndef COMMON_LIFECYCLE_DESCRIPTOR_WAIT_H_
#define COMMON_LIFECYCLE_DESCRIPTOR_WAIT_H_

#include "absl/time/time.h"
#include "common/lifecycle/shutdown_signal.h"

namespace distill {

// Confined to one thread. Takes `shutdown`'s OnRequest while it lives, and `shutdown` outlives it.
class DescriptorWait {
 public:
  explicit DescriptorWait(ShutdownSignal* shutdown);
  ~DescriptorWait();
  DescriptorWait(const DescriptorWait&) = delete;
  DescriptorWait& operator=(const DescriptorWait&) = delete;

  enum class Result { kReady, kTooLong, kStopped };

  // Until `descriptor` can be read, which the end of a file or of a process (pidfd) is too, for
  // `most` at most, anew after a signal that this thread handles. A shutdown that is requested
  // goes first. What is no open descriptor has taken too long.
  Result For(int descriptor, absl::Duration most = absl::InfiniteDuration());

 private:
  ShutdownSignal* const shutdown_;
  const int wake_;  // below 0: the process may open no more files
};

}  // namespace distill

#endif  // COMMON_LIFECYCLE_DESCRIPTOR_WAIT_H_
