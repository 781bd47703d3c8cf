// The state of a plan as a table for a terminal. Pure.
//
//   plan small-2  running  1 of 2 runs done  0:42
//   RUN        STEP     DONE  STEPS/S  WAIT  ETA    LOSS
//   teacher    done
//   distilled  131/250   52%     96.1    3%  1-2 s  hard 0.912 soft 1.204
//   STUDENT    RUN        STEP  STEPS/S  WAIT   LOSS
//   student-0  distilled   131     96.1    3%  1.871
//   TEACHER    STATE  ROWS/S  QUEUE  BUSY  CACHE  MODEL
//   teacher-0  ready    3072    128   61%    87%  teacher
#ifndef CLI_PROGRESS_LIVE_TABLE_H_
#define CLI_PROGRESS_LIVE_TABLE_H_

#include <optional>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "cli/progress/run_trends.h"
#include "proto/coordinator.pb.h"

namespace distill {

struct LiveTableOptions {
  // What the lines must fit into. Above the height, the least telling rows are left out, and
  // the last line counts them.
  int width = 80;
  int height = 24;
  bool color = false;
  // The processes before the runs, as `distillctl top` has them.
  bool fleet_first = false;
  // Everything that is known, also of processes that are gone: notes have a column of their
  // own, and so have checkpoints, process ids and addresses.
  bool wide = false;
  // Without it neither the plan's line nor the titles.
  bool headers = true;
  // Since the watcher began; nothing: nobody watches.
  std::optional<absl::Duration> elapsed;
  // The last lines, a quarter of the height at most, e.g. what bounds the run. Empty: none.
  std::string sentence;
};

// Lines of printable ASCII, painted where options.color says so; without it no escape sequence.
std::vector<std::string> LiveTable(const v1::PlanStatus& status, const RunTrends& trends,
                                   const LiveTableOptions& options);

// "12 s", "3-5 min", "50 s-2 min".
std::string TimeLeftText(const TimeLeft& left);
// "0:42", "1:02:03".
std::string ElapsedText(absl::Duration elapsed);

}  // namespace distill

#endif  // CLI_PROGRESS_LIVE_TABLE_H_
