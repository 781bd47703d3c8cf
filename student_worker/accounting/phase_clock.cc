#include "student_worker/accounting/phase_clock.h"

#include <numeric>
#include <utility>

namespace distill {

std::string_view PhaseName(Phase phase) {
  static constexpr std::array<std::string_view, kPhases> kNames = {
      "other",      "wait_teacher", "wait_data",  "decode",   "forward",   "backward",
      "all_reduce", "optimizer",    "checkpoint", "evaluate", "wait_grant"};
  return kNames[static_cast<size_t>(phase)];
}

PhaseClock::PhaseClock(Clock* clock) : clock_(clock), since_(clock->MonotonicNow()) {}

Phase PhaseClock::Enter(Phase phase) {
  Settle();
  return std::exchange(current_, phase);
}

PhaseDurations PhaseClock::Take() {
  Settle();
  return std::exchange(spent_, PhaseDurations{});
}

void PhaseClock::Settle() {
  const absl::Duration now = clock_->MonotonicNow();
  spent_[static_cast<size_t>(current_)] += now - since_;
  since_ = now;
}

absl::Duration Total(const PhaseDurations& phases) {
  return std::accumulate(phases.begin(), phases.end(), absl::ZeroDuration());
}

}  // namespace distill
