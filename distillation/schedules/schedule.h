// A schedule as a pure function of the step. Every rank and every restart computes
// the same value without talking to anybody. Values and functions are plain data:
// safe to use from several threads.
#ifndef DISTILLATION_SCHEDULES_SCHEDULE_H_
#define DISTILLATION_SCHEDULES_SCHEDULE_H_

#include <cstdint>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "common/config/position_map.h"
#include "proto/types.pb.h"

namespace distill {

// What a schedule's value means, hence where it must lie, at every step.
enum class ScheduleKind {
  kTemperature,   // > 0
  kMixWeight,     // hard or soft weight: from 0 to 1
  kTermWeight,    // weight of a further term: >= 0
  kLearningRate,  // >= 0
};

inline constexpr int kMaxSchedulePieces = 1000;

// All problems, each with its path below the schedule ("pieces[0].linear.to");
// empty: the schedule is valid. Checked over all steps: every shape is monotone,
// so its first and last values bound it.
std::vector<FieldProblem> FindScheduleProblems(const v1::Schedule& schedule, ScheduleKind kind);

// A checked schedule.
class ScheduleFunction {
 public:
  // INVALID_ARGUMENT with all problems, one a line.
  static absl::StatusOr<ScheduleFunction> Create(const v1::Schedule& schedule, ScheduleKind kind);

  // The value at any step. Before the first piece its start value, between pieces
  // and after the last one the end value of the piece before; where one piece ends
  // and the next begins at the same step, the next. A piece that begins and ends at
  // one step has its end value there. With s = (step - begin) / (end - begin):
  //   linear       from + (to - from) * s
  //   cosine       to + (from - to) * (1 + cos(pi * s)) / 2
  //   exponential  from * (to / from)^s
  //   step         max(floor, from * factor^floor((step - begin) / every_steps))
  //   polynomial   from + (to - from) * (1 - (1 - s)^power)
  // All are exact at both ends. Never fails.
  double At(int64_t step) const;

  // The lowest and the highest value over the steps [0, steps); of step 0 for none.
  std::pair<double, double> Bounds(int64_t steps) const;

 private:
  explicit ScheduleFunction(const v1::Schedule& schedule) : schedule_(schedule) {}

  v1::Schedule schedule_;
};

}  // namespace distill

#endif  // DISTILLATION_SCHEDULES_SCHEDULE_H_
