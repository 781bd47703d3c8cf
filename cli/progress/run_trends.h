// What the past of a plan tells of its runs: smoothed figures, and when they will end. Pure.
#ifndef CLI_PROGRESS_RUN_TRENDS_H_
#define CLI_PROGRESS_RUN_TRENDS_H_

#include <cstdint>
#include <map>
#include <optional>
#include <string>

#include "absl/time/time.h"
#include "proto/coordinator.pb.h"

namespace distill {

// How long it will take. Equal bounds: the variance is not known yet, or is nothing.
struct TimeLeft {
  absl::Duration low;
  absl::Duration high;
};

// Of one run, from the progress reports of its rank 0 in the current world.
class RunTrend {
 public:
  // The same report again changes nothing.
  void Add(const v1::RunStatus& run);

  // Exponentially smoothed: of the last reports most.
  const std::map<std::string, double>& loss_terms() const { return loss_terms_; }
  double steps_per_second() const;
  // Of the steps that were missing at the last report. Nothing without a report, or while no
  // step was made. The range holds about nineteen times out of twenty if the times of
  // steps go on to scatter as they did, each report by itself.
  std::optional<TimeLeft> time_left() const;

 private:
  uint64_t generation_ = 0;
  int64_t steps_ = 0;
  int64_t step_ = 0;
  int reports_ = 0;
  std::map<std::string, double> loss_terms_;
  // Sums over the reports, each weighed by its seconds and by how new it is.
  double weight_ = 0;
  double weight_squares_ = 0;
  double pace_ = 0;  // seconds a step
  double pace_squares_ = 0;
  double decayed_steps_ = 0;
  double decayed_reports_ = 0;
};

// Of all runs of a plan. Thread-compatible.
class RunTrends {
 public:
  void Add(const v1::PlanStatus& status);
  // Null where nothing was heard of it. Valid until the next Add.
  const RunTrend* Find(const std::string& run) const;

 private:
  std::map<std::string, RunTrend> trends_;
};

}  // namespace distill

#endif  // CLI_PROGRESS_RUN_TRENDS_H_
