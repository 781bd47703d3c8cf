#include "cli/progress/run_trends.h"

#include <algorithm>
#include <cmath>

namespace distill {
namespace {

// Of a new report in a smoothed loss.
constexpr double kNewest = 0.3;
// Of what is known in what will be known with the next report.
constexpr double kDecay = 0.9;
// Reports until the variance counts as known.
constexpr int kMinReports = 5;
// Standard deviations on each side.
constexpr double kSpread = 2;
// A time to go that is longer is not worth a figure.
constexpr double kMaxSeconds = 365.0 * 24 * 3600;

}  // namespace

void RunTrend::Add(const v1::RunStatus& run) {
  const v1::Progress& progress = run.progress();
  if (run.generation() != generation_) {
    *this = RunTrend();
    generation_ = run.generation();
  }
  steps_ = run.steps();
  if (progress.step() == step_ || progress.step() == 0) return;
  const double rate = progress.steps_per_second();
  const double steps = static_cast<double>(progress.step() - step_);
  const bool first = reports_ == 0;  // how many steps it speaks of is not known
  step_ = progress.step();
  ++reports_;
  for (const auto& [term, value] : progress.loss_terms()) {
    if (!std::isfinite(value)) continue;
    const auto [it, added] = loss_terms_.emplace(term, value);
    if (!added) it->second += kNewest * (value - it->second);
  }
  if (!(rate > 0) || !std::isfinite(rate)) return;
  const double pace = 1 / rate;
  const double counted = first ? 1 : std::max(1.0, steps);
  const double weight = counted * pace;
  weight_ = kDecay * weight_ + weight;
  weight_squares_ = kDecay * kDecay * weight_squares_ + weight * weight;
  pace_ = kDecay * pace_ + weight * pace;
  pace_squares_ = kDecay * pace_squares_ + weight * pace * pace;
  decayed_steps_ = kDecay * decayed_steps_ + counted;
  decayed_reports_ = kDecay * decayed_reports_ + 1;
}

double RunTrend::steps_per_second() const { return weight_ > 0 ? decayed_steps_ / weight_ : 0; }

std::optional<TimeLeft> RunTrend::time_left() const {
  if (!(weight_ > 0)) return std::nullopt;
  const double left = static_cast<double>(std::max<int64_t>(0, steps_ - step_));
  const double expected = left * weight_ / decayed_steps_;
  double half = 0;
  if (reports_ >= kMinReports && left > 0) {
    const double mean = pace_ / weight_;
    const double variance = std::max(0.0, pace_squares_ / weight_ - mean * mean);
    const double heard = weight_ * weight_ / weight_squares_;
    // What is to come scatters too, not only what was.
    const double to_come = std::max(1.0, left * decayed_reports_ / decayed_steps_);
    half = kSpread * left * std::sqrt(variance * (1 / heard + 1 / to_come));
  }
  TimeLeft time;
  time.low = absl::Seconds(std::clamp(expected - half, 0.0, kMaxSeconds));
  time.high = absl::Seconds(std::clamp(expected + half, 0.0, kMaxSeconds));
  return time;
}

void RunTrends::Add(const v1::PlanStatus& status) {
  for (const v1::RunStatus& run : status.runs()) trends_[run.run_id()].Add(run);
}

const RunTrend* RunTrends::Find(const std::string& run) const {
  const auto it = trends_.find(run);
  return it == trends_.end() ? nullptr : &it->second;
}

}  // namespace distill
