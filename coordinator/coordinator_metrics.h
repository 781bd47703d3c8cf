// What the coordinator tells Prometheus; docs/metrics.md lists it.
#ifndef COORDINATOR_COORDINATOR_METRICS_H_
#define COORDINATOR_COORDINATOR_METRICS_H_

#include <cstdint>
#include <map>
#include <string>

#include "common/metrics/metric_registry.h"
#include "coordinator/service/driver.h"
#include "proto/coordinator.pb.h"

namespace distill {

// Follows the plan. Confined to the driver's executor; the registry outlives it.
class CoordinatorMetrics final : public PlanWatcher {
 public:
  CoordinatorMetrics(MetricRegistry* registry, uint64_t fence);

  bool Offer(const v1::PlanStatus& status) override;
  bool Gone() override { return false; }

 private:
  struct RunSeries {
    RunSeries(MetricRegistry* registry, const std::string& run_id);
    void Tell(const v1::RunStatus& run);

    std::map<v1::RunStatus::RunState, Gauge*> states;
    Gauge* const generation;
    Gauge* const planned_steps;
    Gauge* const reached_steps;
  };

  MetricRegistry* const registry_;
  // By role and state.
  std::map<std::pair<v1::Role, v1::MemberStatus::MemberState>, Gauge*> members_;
  // Of every plan that this process has seen; those of a former plan are all 0.
  std::map<std::string, RunSeries> runs_;
};

}  // namespace distill

#endif  // COORDINATOR_COORDINATOR_METRICS_H_
