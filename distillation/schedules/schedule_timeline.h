// The schedule versions of one run, and the values they give at a step. A pure
// value: safe to read from several threads.
#ifndef DISTILLATION_SCHEDULES_SCHEDULE_TIMELINE_H_
#define DISTILLATION_SCHEDULES_SCHEDULE_TIMELINE_H_

#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "common/config/position_map.h"
#include "distillation/schedules/schedule.h"
#include "proto/types.pb.h"

namespace distill {

struct StepValues {
  uint64_t version = 0;
  double temperature = 0;
  double soft_weight = 0;
  double hard_weight = 0;
  double learning_rate = 0;
  std::map<std::string, double> term_weights;

  bool operator==(const StepValues&) const = default;
};

// All problems of a complete set (all four schedules given), each with its path
// below the set: "temperature.pieces[0].linear.to".
std::vector<FieldProblem> FindScheduleSetProblems(const v1::ScheduleSet& schedules);
// The same of a set that replaces only the schedules which it gives.
std::vector<FieldProblem> FindGivenScheduleProblems(const v1::ScheduleSet& schedules);

class ScheduleTimeline {
 public:
  // INVALID_ARGUMENT, naming version and field, unless the versions rise strictly,
  // the first holds from step 0, each set is complete and valid, and all weigh the
  // same terms. A coordinator refuses such an update; a worker that sees it stops.
  static absl::StatusOr<ScheduleTimeline> Create(std::span<const v1::ScheduleVersion> versions);

  // At each step the highest version whose from_step is not later holds.
  StepValues At(int64_t step) const;

 private:
  struct Version {
    uint64_t version;
    int64_t from_step;
    ScheduleFunction temperature;
    ScheduleFunction soft_weight;
    ScheduleFunction hard_weight;
    ScheduleFunction learning_rate;
    std::map<std::string, ScheduleFunction> term_weights;
  };

  static absl::StatusOr<Version> CreateVersion(const v1::ScheduleVersion& version);

  std::vector<Version> versions_;
};

}  // namespace distill

#endif  // DISTILLATION_SCHEDULES_SCHEDULE_TIMELINE_H_
