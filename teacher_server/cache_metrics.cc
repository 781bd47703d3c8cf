#include "teacher_server/cache_metrics.h"

#include <cstdint>

#include "common/metrics/catalogue.h"

namespace distill {
namespace {

void AddRise(Counter* counter, uint64_t before, uint64_t now) {
  if (now > before) counter->Add(static_cast<double>(now - before));
}

}  // namespace

CacheMetrics::Tier::Tier(MetricRegistry* registry, const std::string& name)
    : hits(registry->AddCounter(Metric::kTeacherCacheHits, {{"tier", name}})),
      misses(registry->AddCounter(Metric::kTeacherCacheMisses, {{"tier", name}})),
      evictions(registry->AddCounter(Metric::kTeacherCacheEvictions, {{"tier", name}})),
      bytes(registry->AddGauge(Metric::kTeacherCacheBytes, {{"tier", name}})) {}

void CacheMetrics::Tier::Tell(const TierStats& stats) {
  AddRise(hits, told.hits, stats.hits);
  AddRise(misses, told.misses, stats.misses);
  AddRise(evictions, told.evictions, stats.evictions);
  bytes->Set(static_cast<double>(stats.bytes));
  told = stats;
}

CacheMetrics::CacheMetrics(MetricRegistry* registry)
    : memory_(registry, "memory"),
      disk_(registry, "disk"),
      damaged_(registry->AddCounter(Metric::kTeacherCacheDamaged)),
      dropped_(registry->AddCounter(Metric::kTeacherCacheDropped)) {}

void CacheMetrics::Tell(const LabelCacheStats& stats) {
  AddRise(damaged_, disk_.told.damaged, stats.disk.damaged);
  AddRise(dropped_, disk_.told.dropped, stats.disk.dropped);
  memory_.Tell(stats.memory);
  disk_.Tell(stats.disk);
}

}  // namespace distill
