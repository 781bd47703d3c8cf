// What a student worker tells Prometheus, which docs/metrics.md lists, and its log.
#ifndef STUDENT_WORKER_STUDENT_METRICS_H_
#define STUDENT_WORKER_STUDENT_METRICS_H_

#include <array>
#include <functional>
#include <map>
#include <string>
#include <utility>

#include "common/clock/clock.h"
#include "common/metrics/metric_registry.h"
#include "student_worker/accounting/phase_clock.h"
#include "student_worker/label_source/label_source.h"
#include "student_worker/worker/run_session.h"

namespace distill {

// Confined to the training thread. Both pointers outlive it; `log` takes a line for people.
class StudentMetrics final : public SessionObserver {
 public:
  StudentMetrics(MetricRegistry* registry, Clock* clock,
                 std::function<void(const std::string&)> log)
      : registry_(registry), clock_(clock), log_(std::move(log)) {}

  void OnSession(const std::string& run_id) override;
  void OnStep(const std::string& run_id, const StepRecord& record, int64_t examples) override;
  void OnValidation(const std::string& run_id, double accuracy) override;
  void OnCheckpoint(const std::string& run_id, absl::Duration time) override;
  void OnLabels(const std::string& run_id, const std::string& role,
                const LabelSource::Counters& more, const LabelSource::Counters& all,
                bool ended) override;

 private:
  // What changes with every step of a run; looked up once.
  struct StepSeries {
    StepSeries(MetricRegistry* registry, const std::string& run_id);
    Gauge* LossOf(const std::string& term);

    MetricRegistry* const registry;
    const std::string run_id;
    Counter* const steps;
    Counter* const items;
    Histogram* const duration;
    std::array<Counter*, kPhases> phases{};
    Counter* const starved;
    Gauge* const loss;
    Gauge* const learning_rate;
    Gauge* const temperature;
    Gauge* const soft_weight;
    Gauge* const last_step;
    std::map<std::string, Gauge*> terms;
  };

  MetricRegistry* const registry_;
  Clock* const clock_;
  const std::function<void(const std::string&)> log_;
  std::map<std::string, StepSeries> steps_;
  // One session after another: whether the present one has made no step yet.
  bool before_first_step_ = true;
};

}  // namespace distill

#endif  // STUDENT_WORKER_STUDENT_METRICS_H_
