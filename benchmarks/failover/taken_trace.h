// What a student's trace says about the moment at which it runs well.
#ifndef BENCHMARKS_FAILOVER_TAKEN_TRACE_H_
#define BENCHMARKS_FAILOVER_TAKEN_TRACE_H_

#include <functional>
#include <optional>
#include <vector>

#include "absl/time/time.h"
#include "benchmarks/support/asking_student.h"

namespace distill {

// By when, ascending.
using TakenTrace = std::vector<AskingStudent::Taken>;

// What was taken in a stretch of time.
struct Stretch {
  double rows_per_second = 0;
  // Of the answers, those of the watched teacher; 0 where there were none.
  double watched_share = 0;
};
// In (from, to].
Stretch StretchOf(const TakenTrace& trace, absl::Duration from, absl::Duration to);

// The longest time in [from, to] without a step.
absl::Duration LongestGap(const TakenTrace& trace, absl::Duration from, absl::Duration to);

// From `event` to the end of the first `window` that begins at it or later, in which, and
// in all that follows until `end`, it is `good`; windows are tried every 10 ms. None: it was
// not by then.
std::optional<absl::Duration> TimeUntil(const TakenTrace& trace, absl::Duration event,
                                        absl::Duration end, absl::Duration window,
                                        const std::function<bool(const Stretch&)>& good);

}  // namespace distill

#endif  // BENCHMARKS_FAILOVER_TAKEN_TRACE_H_
