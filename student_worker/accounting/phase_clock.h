// Where a student's time goes. Every moment between two readings belongs to
// exactly one phase, so the phases add up to the wall time by construction.
#ifndef STUDENT_WORKER_ACCOUNTING_PHASE_CLOCK_H_
#define STUDENT_WORKER_ACCOUNTING_PHASE_CLOCK_H_

#include <array>
#include <string_view>

#include "absl/time/time.h"
#include "common/clock/clock.h"

namespace distill {

enum class Phase {
  kOther,
  kWaitTeacher,
  kWaitData,
  kDecode,
  kForward,
  kBackward,
  kAllReduce,
  kOptimizer,
  kCheckpoint,
  kEvaluate,
  kWaitGrant,
};
inline constexpr int kPhases = 11;

// "wait_teacher": the name in metrics and records.
std::string_view PhaseName(Phase phase);

using PhaseDurations = std::array<absl::Duration, kPhases>;

// Confined to the thread that trains.
//
//   PhaseClock phases(&clock);
//   phases.Enter(Phase::kForward);  // from here on, until the next Enter
//   ...
//   PhaseDurations step = phases.Take();
class PhaseClock {
 public:
  // `clock` must outlive this. Starts in kOther.
  explicit PhaseClock(Clock* clock);

  // Ends the phase in hand and returns it, so that a caller can go back to it.
  Phase Enter(Phase phase);

  // Time per phase since the last Take (or the start); the phase in hand goes on.
  PhaseDurations Take();

 private:
  void Settle();

  Clock* const clock_;
  absl::Duration since_;
  Phase current_ = Phase::kOther;
  PhaseDurations spent_{};
};

absl::Duration Total(const PhaseDurations& phases);

}  // namespace distill

#endif  // STUDENT_WORKER_ACCOUNTING_PHASE_CLOCK_H_
