// What a teacher server's label cache tells Prometheus; docs/metrics.md lists it.
#ifndef TEACHER_SERVER_CACHE_METRICS_H_
#define TEACHER_SERVER_CACHE_METRICS_H_

#include <string>

#include "common/metrics/metric_registry.h"
#include "teacher_server/cache/disk_tier.h"
#include "teacher_server/cache/label_cache.h"

namespace distill {

// Thread-compatible. The registry outlives it.
class CacheMetrics {
 public:
  explicit CacheMetrics(MetricRegistry* registry);

  // Everything since the start; never less than before.
  void Tell(const LabelCacheStats& stats);

 private:
  struct Tier {
    Tier(MetricRegistry* registry, const std::string& name);
    void Tell(const TierStats& stats);

    Counter* const hits;
    Counter* const misses;
    Counter* const evictions;
    Gauge* const bytes;
    TierStats told;
  };

  Tier memory_;
  Tier disk_;
  Counter* const damaged_;
  Counter* const dropped_;
};

}  // namespace distill

#endif  // TEACHER_SERVER_CACHE_METRICS_H_
