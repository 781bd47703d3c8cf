#include "teacher_server/load_meter.h"

#include <gtest/gtest.h>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "common/clock/fake_clock.h"
#include "proto/coordinator.pb.h"
#include "teacher_server/batching/batcher.h"
#include "teacher_server/cache/label_cache.h"

namespace distill {
namespace {

// Counts what it hears.
class Listener final : public ServingObserver {
 public:
  void OnAnswered(absl::StatusCode, int64_t, absl::Duration) override { ++heard; }
  void OnBatch(BatchReason, int64_t, absl::Duration, absl::Duration) override { ++heard; }
  void OnFill(double, double) override { ++heard; }
  void OnShed(const char*) override { ++heard; }
  void OnCanary(bool, double) override { ++heard; }
  void OnQueue(int64_t, size_t) override { ++heard; }
  void OnCache(const LabelCacheStats&) override { ++heard; }
  int heard = 0;
};

TEST(LoadMeterTest, RatesAndSharesAreOfTheTimeSinceTheLastTake) {
  FakeClock clock;
  LoadMeter meter(nullptr, &clock);
  meter.OnAnswered(absl::StatusCode::kOk, 64, absl::Seconds(1));
  meter.OnAnswered(absl::StatusCode::kOk, 36, absl::Seconds(1));
  meter.OnAnswered(absl::StatusCode::kUnavailable, 1000, absl::Seconds(1));
  meter.OnBatch(BatchReason::kFull, 64, absl::ZeroDuration(), absl::Milliseconds(500));
  clock.Advance(absl::Seconds(2));
  const v1::TeacherLoad first = meter.Take();
  EXPECT_DOUBLE_EQ(first.rows_per_second(), 50);
  EXPECT_DOUBLE_EQ(first.busy_ratio(), 0.25);
  clock.Advance(absl::Seconds(1));
  const v1::TeacherLoad second = meter.Take();
  EXPECT_DOUBLE_EQ(second.rows_per_second(), 0);
  EXPECT_DOUBLE_EQ(second.busy_ratio(), 0);
}

TEST(LoadMeterTest, ABatchThatBeganBeforeIsNoMoreThanAllTheTime) {
  FakeClock clock;
  LoadMeter meter(nullptr, &clock);
  meter.OnBatch(BatchReason::kFull, 64, absl::ZeroDuration(), absl::Seconds(5));
  clock.Advance(absl::Seconds(1));
  EXPECT_DOUBLE_EQ(meter.Take().busy_ratio(), 1);
}

TEST(LoadMeterTest, TheQueueIsAsItIsNow) {
  FakeClock clock;
  LoadMeter meter(nullptr, &clock);
  meter.OnQueue(640, 10);
  meter.OnQueue(128, 2);
  meter.Take();
  const v1::TeacherLoad load = meter.Take();
  EXPECT_EQ(load.queue_rows(), 128);
  EXPECT_EQ(load.queue_requests(), 2);
}

TEST(LoadMeterTest, TheCachesShareCountsRowsFoundInEitherTierAndIsAbsentWhereNoneWasLookedUp) {
  FakeClock clock;
  LoadMeter meter(nullptr, &clock);
  EXPECT_FALSE(meter.Take().has_cache_hit_ratio());
  LabelCacheStats stats;
  stats.memory.hits = 20;
  stats.memory.misses = 80;
  stats.disk.hits = 30;
  meter.OnCache(stats);
  EXPECT_DOUBLE_EQ(meter.Take().cache_hit_ratio(), 0.5);
  EXPECT_FALSE(meter.Take().has_cache_hit_ratio());
  stats.memory.hits = 120;
  meter.OnCache(stats);
  EXPECT_DOUBLE_EQ(meter.Take().cache_hit_ratio(), 1);
}

TEST(LoadMeterTest, TheNextObserverHearsEverything) {
  FakeClock clock;
  Listener next;
  LoadMeter meter(&next, &clock);
  meter.OnAnswered(absl::StatusCode::kOk, 1, absl::ZeroDuration());
  meter.OnBatch(BatchReason::kFull, 1, absl::ZeroDuration(), absl::ZeroDuration());
  meter.OnFill(1, 0);
  meter.OnShed("memory");
  meter.OnCanary(true, 0);
  meter.OnQueue(0, 0);
  meter.OnCache({});
  EXPECT_EQ(next.heard, 7);
}

}  // namespace
}  // namespace distill
