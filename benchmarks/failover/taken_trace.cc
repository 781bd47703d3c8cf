#include "benchmarks/failover/taken_trace.h"

#include <algorithm>

namespace distill {
namespace {

// The totals as of `when`.
AskingStudent::Taken At(const TakenTrace& trace, absl::Duration when) {
  const auto after = std::upper_bound(
      trace.begin(), trace.end(), when,
      [](absl::Duration at, const AskingStudent::Taken& taken) { return at < taken.when; });
  // What was taken before the trace begins is in its first element.
  if (after == trace.begin()) return trace.empty() ? AskingStudent::Taken() : trace.front();
  return *(after - 1);
}

}  // namespace

Stretch StretchOf(const TakenTrace& trace, absl::Duration from, absl::Duration to) {
  const AskingStudent::Taken before = At(trace, from);
  const AskingStudent::Taken after = At(trace, to);
  Stretch stretch;
  stretch.rows_per_second =
      static_cast<double>(after.rows - before.rows) / absl::ToDoubleSeconds(to - from);
  const auto answers = static_cast<double>(after.answers - before.answers);
  if (answers > 0) {
    stretch.watched_share = static_cast<double>(after.watched - before.watched) / answers;
  }
  return stretch;
}

absl::Duration LongestGap(const TakenTrace& trace, absl::Duration from, absl::Duration to) {
  absl::Duration longest;
  absl::Duration last = from;
  for (const AskingStudent::Taken& taken : trace) {
    if (taken.when <= from || taken.when > to) continue;
    longest = std::max(longest, taken.when - last);
    last = taken.when;
  }
  return std::max(longest, to - last);
}

std::optional<absl::Duration> TimeUntil(const TakenTrace& trace, absl::Duration event,
                                        absl::Duration end, absl::Duration window,
                                        const std::function<bool(const Stretch&)>& good) {
  for (absl::Duration from = event; from + window < end; from += absl::Milliseconds(10)) {
    if (good(StretchOf(trace, from, from + window)) && good(StretchOf(trace, from, end))) {
      return from + window - event;
    }
  }
  return std::nullopt;
}

}  // namespace distill
