// What a student worker tells Prometheus; docs/metrics.md lists it.
#ifndef STUDENT_WORKER_STUDENT_METRICS_H_
#define STUDENT_WORKER_STUDENT_METRICS_H_

#include <string>

#include "common/clock/clock.h"
#include "common/metrics/metric_registry.h"
#include "student_worker/worker/run_session.h"

namespace distill {

// Confined to the training thread. Both pointers outlive it.
class StudentMetrics final : public SessionObserver {
 public:
  StudentMetrics(MetricRegistry* registry, Clock* clock) : registry_(registry), clock_(clock) {}

  void OnStep(const std::string& run_id, const StepRecord& record, int64_t examples) override;
  void OnValidation(const std::string& run_id, double accuracy) override;
  void OnCheckpoint(const std::string& run_id, absl::Duration time) override;

 private:
  void SetGauge(const std::string& name, const std::string& help, const std::string& run_id,
                double value);

  MetricRegistry* const registry_;
  Clock* const clock_;
};

}  // namespace distill

#endif  // STUDENT_WORKER_STUDENT_METRICS_H_
