// Where people see a plan go on: a table that is written over, lines, or JSON.
#ifndef CLI_PROGRESS_PLAN_VIEW_H_
#define CLI_PROGRESS_PLAN_VIEW_H_

#include <functional>
#include <memory>
#include <string>

#include "cli/terminal/terminal.h"
#include "common/clock/clock.h"
#include "common/clock/timer.h"
#include "proto/coordinator.pb.h"

namespace distill {

// Thread-safe.
class PlanView {
 public:
  // Closes it.
  virtual ~PlanView() = default;

  virtual void OnStatus(const v1::PlanStatus& status) = 0;
  // A line for people, which stays.
  virtual void Say(const std::string& line) = 0;
  // The process was told to stop and may end at any time: the cursor is shown. May be
  // called from ShutdownSignal's OnRequest.
  virtual void OnInterrupt() = 0;
  // Shows the last state; afterwards only Say shows something. Idempotent.
  virtual void Close() = 0;
};

struct LiveViewOptions {
  bool color = false;
  bool fleet_first = false;
  // A last line for this status, such as what bounds it; may read files. Null: none.
  std::function<std::string(const v1::PlanStatus&)> sentence;
};

// A table at the end of a live terminal (cli/progress/live_table.h), drawn anew after a status,
// a change of the terminal's size or a second, at most ten times a second. All pointers outlive
// it; `timers` is one whose closures may wait for the terminal.
std::unique_ptr<PlanView> MakeLiveView(Terminal* terminal, Clock* clock, TimerQueue* timers,
                                       LiveViewOptions options);

// Takes one line.
using LineSink = std::function<void(const std::string&)>;

// The lines of cli/progress/progress_log.h.
std::unique_ptr<PlanView> MakeLineView(LineSink say, Clock* clock);

// UpdateJson of cli/progress/progress.h to `print`: of each status, but at most one a second: the
// newest within a second of the one before, whether or not more comes. What people are told goes
// to `say`. `timers`: as of MakeLiveView; printing may wait for whoever reads.
std::unique_ptr<PlanView> MakeJsonView(LineSink print, LineSink say, Clock* clock,
                                       TimerQueue* timers);

}  // namespace distill

#endif  // CLI_PROGRESS_PLAN_VIEW_H_
