// The progress of a plan as lines for a file or a pipe. Pure.
#ifndef CLI_PROGRESS_PROGRESS_LOG_H_
#define CLI_PROGRESS_PROGRESS_LOG_H_

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "cli/progress/run_trends.h"
#include "proto/coordinator.pb.h"

namespace distill {

// Says which lines are due: one of the plan at the start and at the end; one of a run when its
// state or what it waits for changes, and while it trains after 30 s or 5 % of its steps,
// whichever is later; one of each fault of a teacher server. Complete lines of ASCII, without
// newlines. Thread-compatible.
class ProgressLog {
 public:
  // `now`: the monotonic clock when the status came.
  std::vector<std::string> OnStatus(const v1::PlanStatus& status, absl::Duration now);
  // The last line; none where no status ever came.
  std::vector<std::string> OnEnd(absl::Duration now) const;

 private:
  struct Said {
    std::string state;
    int64_t step = 0;
    absl::Duration at;
  };

  void AddRun(const v1::RunStatus& run, absl::Duration now, std::vector<std::string>& lines);
  void AddFault(const v1::MemberStatus& member, std::vector<std::string>& lines);

  bool begun_ = false;
  absl::Duration began_;
  v1::PlanStatus last_;
  RunTrends trends_;
  // By run.
  std::map<std::string, Said> said_;
  // By teacher server.
  std::map<std::string, std::string> faults_;
};

}  // namespace distill

#endif  // CLI_PROGRESS_PROGRESS_LOG_H_
