#include "teacher_server/cache_metrics.h"

#include <cstdint>

namespace distill {
namespace {

void AddRise(Counter* counter, uint64_t before, uint64_t now) {
  if (now > before) counter->Add(static_cast<double>(now - before));
}

}  // namespace

CacheMetrics::Tier::Tier(MetricRegistry* registry, const std::string& name)
    : hits(registry->AddCounter("distill_teacher_cache_hits_total", "Rows found in the label cache",
                                {{"tier", name}})),
      misses(registry->AddCounter("distill_teacher_cache_misses_total",
                                  "Rows looked for in the label cache and not found",
                                  {{"tier", name}})),
      evictions(registry->AddCounter("distill_teacher_cache_evictions_total",
                                     "Rows that left the label cache for want of room",
                                     {{"tier", name}})),
      bytes(registry->AddGauge("distill_teacher_cache_bytes", "Size of the label cache",
                               {{"tier", name}})) {}

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
      damaged_(registry->AddCounter("distill_teacher_cache_damaged_total",
                                    "Records of the label cache on disk found torn or changed")),
      dropped_(registry->AddCounter("distill_teacher_cache_dropped_total",
                                    "Rows not written to the label cache on disk")) {}

void CacheMetrics::Tell(const LabelCacheStats& stats) {
  AddRise(damaged_, disk_.told.damaged, stats.disk.damaged);
  AddRise(dropped_, disk_.told.dropped, stats.disk.dropped);
  memory_.Tell(stats.memory);
  disk_.Tell(stats.disk);
}

}  // namespace distill
