#include "cli/commands/plan_display.h"

#include <utility>

namespace distill {

PlanDisplay::PlanDisplay(Terminal* terminal, Clock* clock, LiveViewOptions options, LineSink say) {
  if (terminal->IsLive()) {
    timers_ = std::make_unique<ThreadTimerQueue>(clock);
    view_ = MakeLiveView(terminal, clock, timers_.get(), std::move(options));
  } else {
    view_ = MakeLineView(std::move(say), clock);
  }
}

PlanDisplay::PlanDisplay(Clock* clock, LineSink print, LineSink say)
    : timers_(std::make_unique<ThreadTimerQueue>(clock)),
      view_(MakeJsonView(std::move(print), std::move(say), clock, timers_.get())) {}

PlanDisplay::~PlanDisplay() {
  view_->Close();
  if (timers_ != nullptr) timers_->Stop();
}

}  // namespace distill
