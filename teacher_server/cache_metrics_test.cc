#include "teacher_server/cache_metrics.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

namespace distill {
namespace {

using ::testing::HasSubstr;

TEST(CacheMetricsTest, EverySeriesIsThereFromTheStartAndCountersRiseByWhatIsNew) {
  MetricRegistry registry;
  CacheMetrics metrics(&registry);
  for (const char* tier : {"memory", "disk"}) {
    for (const char* name : {"hits_total", "misses_total", "evictions_total", "bytes"}) {
      EXPECT_THAT(registry.Serialize(), HasSubstr(std::string("distill_teacher_cache_") + name +
                                                  "{tier=\"" + tier + "\"} 0\n"));
    }
  }
  LabelCacheStats stats;
  stats.memory = {.hits = 3, .misses = 4, .evictions = 5, .bytes = 600};
  stats.disk = {.hits = 7, .damaged = 1, .dropped = 2};
  metrics.Tell(stats);
  stats.memory.hits = 10;
  stats.memory.bytes = 500;
  metrics.Tell(stats);
  const std::string text = registry.Serialize();
  for (const char* line : {"hits_total{tier=\"memory\"} 10", "misses_total{tier=\"memory\"} 4",
                           "evictions_total{tier=\"memory\"} 5", "bytes{tier=\"memory\"} 500",
                           "hits_total{tier=\"disk\"} 7", "damaged_total 1", "dropped_total 2"}) {
    EXPECT_THAT(text, HasSubstr(std::string("distill_teacher_cache_") + line + "\n"));
  }
}

}  // namespace
}  // namespace distill
