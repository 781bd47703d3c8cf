// When `distillctl logs --follow` has nothing more to wait for.
#ifndef CLI_COMMANDS_END_OF_LOGS_H_
#define CLI_COMMANDS_END_OF_LOGS_H_

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "cli/run_directory/run_directory.h"
#include "common/clock/clock.h"
#include "common/lifecycle/shutdown_signal.h"

namespace distill {

// Thread-safe. All pointers outlive it.
class EndOfLogs {
 public:
  // From the plan's end to that of its processes, which drain and still say something.
  static constexpr absl::Duration kDrainGrace = absl::Minutes(1);

  EndOfLogs(Clock* clock, const ShutdownSignal* shutdown, const RunDirectory* directory)
      : clock_(clock), shutdown_(shutdown), directory_(directory) {}

  // As PlanWatch says it: OK when the plan has ended. Without its coordinator nothing goes on
  // here, so that any other end is the end at once.
  void OnPlanEnd(const absl::Status& status) ABSL_LOCKS_EXCLUDED(mu_);

  // The command was told to stop, no process is listed any more, or the plan's end is long past.
  bool Reached() ABSL_LOCKS_EXCLUDED(mu_);

 private:
  Clock* const clock_;
  const ShutdownSignal* const shutdown_;
  const RunDirectory* const directory_;
  absl::Mutex mu_;
  absl::Duration deadline_ ABSL_GUARDED_BY(mu_) = absl::InfiniteDuration();
};

}  // namespace distill

#endif  // CLI_COMMANDS_END_OF_LOGS_H_
