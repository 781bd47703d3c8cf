// Where time comes from. Product code never asks the system itself: it is given a
// Clock, so that a test decides what time it is.
#ifndef COMMON_CLOCK_CLOCK_H_
#define COMMON_CLOCK_CLOCK_H_

#include "absl/time/time.h"

namespace distill {

// Two clocks, not to be mixed. Implementations are thread-safe.
class Clock {
 public:
  virtual ~Clock() = default;

  // For people: log lines, file names, records. May jump in either direction, so
  // no decision may depend on the difference of two readings.
  virtual absl::Time WallNow() = 0;

  // For intervals: never goes back. Counted from an arbitrary start that differs
  // between processes, so a reading means nothing on another machine.
  virtual absl::Duration MonotonicNow() = 0;
};

// The machine's clocks.
class SystemClock : public Clock {
 public:
  absl::Time WallNow() override;
  absl::Duration MonotonicNow() override;
};

}  // namespace distill

#endif  // COMMON_CLOCK_CLOCK_H_
