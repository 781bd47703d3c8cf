#include "common/lifecycle/descriptor_wait.h"

#include <errno.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <cstdint>
#include <limits>

namespace distill {

DescriptorWait::DescriptorWait(ShutdownSignal* shutdown)
    : shutdown_(shutdown), wake_(eventfd(0, EFD_CLOEXEC)) {
  if (wake_ >= 0) {
    shutdown_->OnRequest([wake = wake_] { eventfd_write(wake, 1); });
  }
}

DescriptorWait::~DescriptorWait() {
  if (wake_ < 0) return;
  shutdown_->OnRequest(nullptr);
  close(wake_);
}

DescriptorWait::Result DescriptorWait::For(int descriptor, absl::Duration most) {
  if (wake_ < 0 || descriptor < 0) return Result::kTooLong;
  const int timeout = most == absl::InfiniteDuration()
                          ? -1
                          : static_cast<int>(std::clamp<int64_t>(absl::ToInt64Milliseconds(most), 0,
                                                                 std::numeric_limits<int>::max()));
  while (true) {
    pollfd ready[] = {{descriptor, POLLIN, 0}, {wake_, POLLIN, 0}};
    const int polled = poll(ready, 2, timeout);
    if (polled < 0 && errno == EINTR) continue;
    if (polled > 0 && ready[1].revents != 0) return Result::kStopped;
    if (polled <= 0 || (ready[0].revents & POLLNVAL) != 0) return Result::kTooLong;
    return Result::kReady;
  }
}

}  // namespace distill
