// When an ask that is late is asked of a second teacher as well.
#ifndef STUDENT_WORKER_LABEL_SOURCE_HEDGING_H_
#define STUDENT_WORKER_LABEL_SOURCE_HEDGING_H_

#include <cstddef>
#include <optional>
#include <vector>

#include "absl/time/time.h"

namespace distill {

struct HedgingOptions {
  // Hedges per ask, at most, over any prefix of a run. 0: never.
  double budget = 0.05;
  // Hedges that may be saved up; and how many of them are kept for asks that are late four
  // times over: noise must not use up what a teacher that hangs will need.
  double burst = 16;
  double reserve = 8;
  // Late: beyond this quantile of the recent answers, and `margin` times the prediction at
  // least, so that a fleet without a tail does no work twice.
  double quantile = 0.95;
  double margin = 2;
};

// "Hedged requests" of Dean and Barroso, "The tail at scale", CACM 2013. Recent answers are
// kept as time over predicted time, since asks differ in size and queues in length.
// Thread-compatible.
class Hedging {
 public:
  explicit Hedging(const HedgingOptions& options);

  // An ask that is no hedge: it earns its share of one.
  void Asked();
  // An answer, or the time after which another teacher was first.
  void Answered(absl::Duration predicted, absl::Duration actual);

  // How long an ask may take before it is hedged. None: there is no budget, or too few
  // answers are known to say.
  std::optional<absl::Duration> LateAfter(absl::Duration predicted) const;
  // For one hedge. Crashes when there is no budget.
  void Spend();

 private:
  const HedgingOptions options_;
  double tokens_ = 0;
  // The last kRecent, a ring; and its quantile.
  std::vector<double> recent_;
  size_t next_ = 0;
  double late_ = 0;
};

}  // namespace distill

#endif  // STUDENT_WORKER_LABEL_SOURCE_HEDGING_H_
