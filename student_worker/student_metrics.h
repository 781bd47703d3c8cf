// What a student worker tells Prometheus, which docs/metrics.md lists, and its log.
#ifndef STUDENT_WORKER_STUDENT_METRICS_H_
#define STUDENT_WORKER_STUDENT_METRICS_H_

#include <functional>
#include <string>
#include <utility>

#include "common/clock/clock.h"
#include "common/metrics/metric_registry.h"
#include "student_worker/label_source/label_source.h"
#include "student_worker/worker/run_session.h"

namespace distill {

// Confined to the training thread. Both pointers outlive it; `log` takes a line for people.
class StudentMetrics final : public SessionObserver {
 public:
  StudentMetrics(MetricRegistry* registry, Clock* clock,
                 std::function<void(const std::string&)> log)
      : registry_(registry), clock_(clock), log_(std::move(log)) {}

  void OnStep(const std::string& run_id, const StepRecord& record, int64_t examples) override;
  void OnValidation(const std::string& run_id, double accuracy) override;
  void OnCheckpoint(const std::string& run_id, absl::Duration time) override;
  void OnLabels(const std::string& run_id, const std::string& role,
                const LabelSource::Counters& more, const LabelSource::Counters& all,
                bool ended) override;

 private:
  void SetGauge(const std::string& name, const std::string& help, const std::string& run_id,
                double value);

  MetricRegistry* const registry_;
  Clock* const clock_;
  const std::function<void(const std::string&)> log_;
};

}  // namespace distill

#endif  // STUDENT_WORKER_STUDENT_METRICS_H_
