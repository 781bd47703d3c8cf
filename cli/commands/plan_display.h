// Which view of a plan suits an output, and what it stands on.
#ifndef CLI_COMMANDS_PLAN_DISPLAY_H_
#define CLI_COMMANDS_PLAN_DISPLAY_H_

#include <memory>

#include "cli/progress/plan_view.h"
#include "cli/terminal/terminal.h"
#include "common/clock/clock.h"
#include "common/clock/thread_timer_queue.h"

namespace distill {

// Thread-compatible; its view is thread-safe, and goes with it.
class PlanDisplay {
 public:
  // A table where the terminal is live, else lines to `say`. Both pointers outlive it.
  PlanDisplay(Terminal* terminal, Clock* clock, LiveViewOptions options, LineSink say);
  // JSON, a line an update, to `print`.
  PlanDisplay(Clock* clock, LineSink print, LineSink say);
  ~PlanDisplay();
  PlanDisplay(const PlanDisplay&) = delete;
  PlanDisplay& operator=(const PlanDisplay&) = delete;

  PlanView& view() { return *view_; }

 private:
  // Null where nothing is shown later than it comes.
  std::unique_ptr<ThreadTimerQueue> timers_;
  std::unique_ptr<PlanView> view_;
};

}  // namespace distill

#endif  // CLI_COMMANDS_PLAN_DISPLAY_H_
