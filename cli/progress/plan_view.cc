#include "cli/progress/plan_view.h"

#include <algorithm>
#include <optional>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "cli/progress/live_table.h"
#include "cli/progress/progress.h"
#include "cli/progress/progress_log.h"
#include "cli/progress/run_trends.h"
#include "cli/terminal/live_area.h"

namespace distill {
namespace {

// Ten times a second at most.
constexpr absl::Duration kMinInterval = absl::Milliseconds(100);
// Time goes on also where nothing else does.
constexpr absl::Duration kMaxInterval = absl::Seconds(1);
constexpr absl::Duration kJsonInterval = absl::Seconds(1);

// Shared with the timers' closures, which may come late.
class LiveScreen : public std::enable_shared_from_this<LiveScreen> {
 public:
  LiveScreen(Terminal* terminal, Clock* clock, TimerQueue* timers, LiveViewOptions options)
      : terminal_(terminal),
        clock_(clock),
        timers_(timers),
        options_(std::move(options)),
        began_(clock->MonotonicNow()) {}

  void Add(const v1::PlanStatus& status) ABSL_LOCKS_EXCLUDED(mu_) {
    absl::MutexLock lock(&mu_);
    status_ = status;
    trends_.Add(status);
    DrawBy(clock_->MonotonicNow());
  }

  void OnResize() ABSL_LOCKS_EXCLUDED(mu_) {
    absl::MutexLock lock(&mu_);
    DrawBy(clock_->MonotonicNow());
  }

  void Say(const std::string& line) ABSL_LOCKS_EXCLUDED(drawing_, mu_) {
    absl::MutexLock drawing(&drawing_);
    terminal_->Write(area_.Above(line, terminal_->Size().columns));
  }

  // The table stays; what is written next comes below it.
  void Close() ABSL_LOCKS_EXCLUDED(drawing_, mu_) {
    {
      absl::MutexLock lock(&mu_);
      if (closed_) return;
      closed_ = true;
      if (timer_.has_value()) timers_->Cancel(timer_->id);
    }
    absl::MutexLock drawing(&drawing_);
    DrawNow();
    area_ = LiveArea();
    terminal_->ShowCursor();
  }

 private:
  struct Timer {
    TimerQueue::TimerId id;
    absl::Duration at;
  };

  // Sees to it that the table is drawn at `time`, or as soon after as it may.
  void DrawBy(absl::Duration time) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) {
    if (closed_ || !status_.has_value()) return;
    if (drawn_.has_value()) time = std::max(time, *drawn_ + kMinInterval);
    if (timer_.has_value()) {
      if (timer_->at <= time) return;
      timers_->Cancel(timer_->id);
      timer_.reset();
    }
    const auto id = timers_->ScheduleAt(time, [weak = weak_from_this()] {
      if (const std::shared_ptr<LiveScreen> self = weak.lock()) self->OnTimer();
    });
    if (id.ok()) timer_ = Timer{*id, time};  // else the timers have stopped, and all with them
  }

  void OnTimer() ABSL_LOCKS_EXCLUDED(drawing_, mu_) {
    absl::MutexLock drawing(&drawing_);
    {
      absl::MutexLock lock(&mu_);
      timer_.reset();
      if (closed_) return;
      drawn_ = clock_->MonotonicNow();
    }
    DrawNow();
    absl::MutexLock lock(&mu_);
    DrawBy(clock_->MonotonicNow() + kMaxInterval);
  }

  void DrawNow() ABSL_EXCLUSIVE_LOCKS_REQUIRED(drawing_) ABSL_LOCKS_EXCLUDED(mu_) {
    v1::PlanStatus status;
    RunTrends trends;
    {
      absl::MutexLock lock(&mu_);
      if (!status_.has_value()) return;
      status = *status_;
      trends = trends_;
    }
    const TerminalSize size = terminal_->Size();
    LiveTableOptions table;
    table.width = size.columns;
    table.height = size.rows - 1;  // the cursor's
    table.color = options_.color;
    table.fleet_first = options_.fleet_first;
    table.elapsed = clock_->MonotonicNow() - began_;
    if (options_.sentence) table.sentence = options_.sentence(status);
    terminal_->Write(area_.Frame(LiveTable(status, trends, table), size.columns));
  }

  Terminal* const terminal_;
  Clock* const clock_;
  TimerQueue* const timers_;
  const LiveViewOptions options_;
  const absl::Duration began_;

  // Held while something is written, which a terminal may delay.
  absl::Mutex drawing_ ABSL_ACQUIRED_BEFORE(mu_);
  LiveArea area_ ABSL_GUARDED_BY(drawing_);

  absl::Mutex mu_;
  std::optional<v1::PlanStatus> status_ ABSL_GUARDED_BY(mu_);
  RunTrends trends_ ABSL_GUARDED_BY(mu_);
  std::optional<absl::Duration> drawn_ ABSL_GUARDED_BY(mu_);
  std::optional<Timer> timer_ ABSL_GUARDED_BY(mu_);
  bool closed_ ABSL_GUARDED_BY(mu_) = false;
};

class LiveView final : public PlanView {
 public:
  LiveView(Terminal* terminal, Clock* clock, TimerQueue* timers, LiveViewOptions options)
      : terminal_(terminal),
        screen_(std::make_shared<LiveScreen>(terminal, clock, timers, std::move(options))) {
    terminal_->HideCursor();
    terminal_->OnResize([screen = screen_] { screen->OnResize(); });
  }
  ~LiveView() override { Close(); }

  void OnStatus(const v1::PlanStatus& status) override { screen_->Add(status); }
  void Say(const std::string& line) override { screen_->Say(line); }
  void OnInterrupt() override { terminal_->ShowCursor(); }
  void Close() override {
    terminal_->OnResize(nullptr);
    screen_->Close();
  }

 private:
  Terminal* const terminal_;
  const std::shared_ptr<LiveScreen> screen_;
};

class LineView final : public PlanView {
 public:
  LineView(LineSink say, Clock* clock) : say_(std::move(say)), clock_(clock) {}
  ~LineView() override { Close(); }

  void OnStatus(const v1::PlanStatus& status) override {
    absl::MutexLock lock(&mu_);
    if (closed_) return;
    SayAll(log_.OnStatus(status, clock_->MonotonicNow()));
  }
  void Say(const std::string& line) override {
    absl::MutexLock lock(&mu_);
    say_(line);
  }
  void OnInterrupt() override {}
  void Close() override {
    absl::MutexLock lock(&mu_);
    if (!std::exchange(closed_, true)) SayAll(log_.OnEnd(clock_->MonotonicNow()));
  }

 private:
  void SayAll(const std::vector<std::string>& lines) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) {
    for (const std::string& line : lines) say_(line);
  }

  const LineSink say_;
  Clock* const clock_;
  // Held while something is said, so that lines come whole and in order.
  absl::Mutex mu_;
  ProgressLog log_ ABSL_GUARDED_BY(mu_);
  bool closed_ ABSL_GUARDED_BY(mu_) = false;
};

// Shared with the timer's closure, which may come late.
class JsonUpdates : public std::enable_shared_from_this<JsonUpdates> {
 public:
  JsonUpdates(LineSink print, Clock* clock, TimerQueue* timers)
      : print_(std::move(print)), clock_(clock), timers_(timers) {}

  void Add(const v1::PlanStatus& status) ABSL_LOCKS_EXCLUDED(mu_) {
    absl::MutexLock lock(&mu_);
    if (closed_) return;
    trends_.Add(status);
    unsaid_ = status;
    const absl::Duration now = clock_->MonotonicNow();
    if (!said_.has_value() || now - *said_ >= kJsonInterval) {
      Print();
    } else if (!timer_.has_value()) {
      // Nothing more may come for long: what is held back now is then the state that is.
      const auto id = timers_->ScheduleAt(*said_ + kJsonInterval, [weak = weak_from_this()] {
        if (const std::shared_ptr<JsonUpdates> self = weak.lock()) self->OnTimer();
      });
      if (id.ok()) timer_ = *id;  // else the timers have stopped, and Close is near
    }
  }

  void Close() ABSL_LOCKS_EXCLUDED(mu_) {
    absl::MutexLock lock(&mu_);
    if (std::exchange(closed_, true)) return;
    if (timer_.has_value()) timers_->Cancel(*timer_);
    Print();
  }

 private:
  void OnTimer() ABSL_LOCKS_EXCLUDED(mu_) {
    absl::MutexLock lock(&mu_);
    timer_.reset();
    if (!closed_) Print();
  }

  void Print() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) {
    if (!unsaid_.has_value()) return;
    said_ = clock_->MonotonicNow();
    print_(UpdateJson(*unsaid_, trends_));
    unsaid_.reset();
  }

  const LineSink print_;
  Clock* const clock_;
  TimerQueue* const timers_;
  // Held while something is printed, so that lines come whole and in order.
  absl::Mutex mu_;
  RunTrends trends_ ABSL_GUARDED_BY(mu_);
  std::optional<v1::PlanStatus> unsaid_ ABSL_GUARDED_BY(mu_);
  std::optional<absl::Duration> said_ ABSL_GUARDED_BY(mu_);
  std::optional<TimerQueue::TimerId> timer_ ABSL_GUARDED_BY(mu_);
  bool closed_ ABSL_GUARDED_BY(mu_) = false;
};

class JsonView final : public PlanView {
 public:
  JsonView(LineSink print, LineSink say, Clock* clock, TimerQueue* timers)
      : say_(std::move(say)),
        updates_(std::make_shared<JsonUpdates>(std::move(print), clock, timers)) {}
  ~JsonView() override { Close(); }

  void OnStatus(const v1::PlanStatus& status) override { updates_->Add(status); }
  void Say(const std::string& line) override { say_(line); }
  void OnInterrupt() override {}
  void Close() override { updates_->Close(); }

 private:
  const LineSink say_;
  const std::shared_ptr<JsonUpdates> updates_;
};

}  // namespace

std::unique_ptr<PlanView> MakeLiveView(Terminal* terminal, Clock* clock, TimerQueue* timers,
                                       LiveViewOptions options) {
  return std::make_unique<LiveView>(terminal, clock, timers, std::move(options));
}

std::unique_ptr<PlanView> MakeLineView(LineSink say, Clock* clock) {
  return std::make_unique<LineView>(std::move(say), clock);
}

std::unique_ptr<PlanView> MakeJsonView(LineSink print, LineSink say, Clock* clock,
                                       TimerQueue* timers) {
  return std::make_unique<JsonView>(std::move(print), std::move(say), clock, timers);
}

}  // namespace distill
