// Measures several ways of doing one work against each other on a machine that is not
// quiet: in turns within one run, so that what disturbs one disturbs all, and compared
// round by round.
#ifndef BENCHMARKS_SUPPORT_INTERLEAVED_H_
#define BENCHMARKS_SUPPORT_INTERLEAVED_H_

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "common/clock/clock.h"

namespace distill {

// What the process has used so far, all its threads.
struct ResourceUsage {
  double cpu_seconds = 0;
  double page_faults = 0;  // Minor ones: memory that the kernel had to hand out.
};

// One way. `run` works for a while and says how many units it did.
struct Variant {
  std::string name;
  std::function<absl::StatusOr<double>()> run;
};

// A Variant::run that takes about `turn`: `work` does as many units as it is told. How
// many that is is found out at the first call (up to `turn` more) and kept.
std::function<absl::StatusOr<double>()> Sized(std::function<absl::Status(int64_t units)> work,
                                              absl::Duration turn, Clock* clock);

// What was measured of one variant, an element for each round.
struct Series {
  std::string name;
  std::vector<double> rate;                      // Units per second of wall time.
  std::vector<double> cpu_seconds_per_thousand;  // Per 1,000 units.
  std::vector<double> page_faults_per_thousand;
};

// Runs every variant once unmeasured, then `rounds` rounds of all of them, each round
// beginning with another one. The first failure ends the measurement.
absl::StatusOr<std::vector<Series>> MeasureInterleaved(const std::vector<Variant>& variants,
                                                       int rounds, Clock* clock,
                                                       const std::function<ResourceUsage()>& usage);

// Of this process.
ResourceUsage UsageOfThisProcess();

// The middle value, or the mean of the two middle ones; crashes when there is none.
double Median(std::vector<double> values);

struct Ratio {
  double median = 0;
  double least = 0;
  double most = 0;
};
// Of `over` to `under`, round by round; crashes unless both have the same rounds.
Ratio RatioOf(const std::vector<double>& over, const std::vector<double>& under);

// The median, and between which values that of all possible rounds lies in 95 of 100 runs,
// whatever the distribution: order statistics about n/2 +- 0.98 sqrt(n). With fewer than
// seven values all of them. Crashes when there is none.
Ratio MedianInterval(std::vector<double> values);

}  // namespace distill

#endif  // BENCHMARKS_SUPPORT_INTERLEAVED_H_
