// Requests that come when they come, as from students that know nothing of each other, and
// how long each waits. A closed loop asks less while the server is slow and so misses what
// everybody waits for then; here a request that could not even be sent has begun to wait.
#ifndef BENCHMARKS_SUPPORT_OPEN_LOOP_H_
#define BENCHMARKS_SUPPORT_OPEN_LOOP_H_

#include <cstdint>
#include <memory>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "benchmarks/support/load.h"
#include "common/clock/clock.h"

namespace distill {

// The arrivals of a Poisson process of `per_second` during `time`, ascending, from 0; the same
// for the same seed.
std::vector<absl::Duration> PoissonArrivals(uint64_t seed, double per_second, absl::Duration time);

// The least of `values` that `share` of them do not exceed; crashes when there is none.
absl::Duration Quantile(std::vector<absl::Duration> values, double share);

class OpenLoop {
 public:
  // Streams of so many students; options.answered is its own. Errors as Load::Open.
  static absl::StatusOr<std::unique_ptr<OpenLoop>> Open(LoadOptions options, int students,
                                                        Clock* clock);

  // Makes a request at each of the times from now on, the students in turns, and returns when
  // all are answered: how long each took since it should have been made.
  absl::StatusOr<std::vector<absl::Duration>> Run(const std::vector<absl::Duration>& arrivals);

 private:
  // Of one student.
  struct Waiting {
    // By request id, the first being 1.
    std::vector<absl::Duration> since;
  };

  explicit OpenLoop(Clock* clock) : clock_(clock) {}
  void OnAnswered(size_t student, uint64_t request_id) ABSL_LOCKS_EXCLUDED(mu_);

  Clock* const clock_;
  absl::Mutex mu_;
  std::vector<Waiting> waiting_ ABSL_GUARDED_BY(mu_);
  std::vector<absl::Duration> took_ ABSL_GUARDED_BY(mu_);
  // Last, so that no answer comes to what is gone.
  std::vector<std::unique_ptr<Load>> loads_;
};

}  // namespace distill

#endif  // BENCHMARKS_SUPPORT_OPEN_LOOP_H_
