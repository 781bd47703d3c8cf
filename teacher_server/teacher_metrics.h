// What a teacher server tells Prometheus; docs/metrics.md lists it.
#ifndef TEACHER_SERVER_TEACHER_METRICS_H_
#define TEACHER_SERVER_TEACHER_METRICS_H_

#include <array>
#include <cstddef>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "common/metrics/metric_registry.h"
#include "teacher_server/batching/batcher.h"
#include "teacher_server/cache_metrics.h"
#include "teacher_server/service/label_server.h"

namespace distill {

// Confined to the server's control thread. The registry outlives it.
class alignas(64) TeacherMetrics final : public ServingObserver {
 public:
  explicit TeacherMetrics(MetricRegistry* registry);

  void OnAnswered(absl::StatusCode code, int64_t examples, absl::Duration since_admitted) override;
  void OnBatch(BatchReason reason, int64_t examples, absl::Duration queue,
               absl::Duration compute) override;
  void OnFill(double fill, double padding) override;
  void OnShed(const char* reason) override;
  void OnCanary(bool passed, double deviation) override;
  void OnQueue(int64_t waiting_examples, size_t waiting_requests) override;
  void OnCache(const LabelCacheStats& stats) override { cache_.Tell(stats); }

 private:
  static constexpr size_t kStatusCodes =
      static_cast<size_t>(absl::StatusCode::kUnauthenticated) + 1;

  // What every answer needs first, in one cache line, and in the order in which the handles lie
  // together. The registry searches, so the counters by code and by reason are here.
  Counter* const items_;
  Histogram* const request_seconds_;
  Gauge* const queue_items_;
  Gauge* const queue_requests_;
  const std::array<Counter*, kStatusCodes> requests_;
  const std::array<Counter*, kBatchReasons> batches_;
  Histogram* const batch_items_;
  Histogram* const batch_fill_;
  Histogram* const batch_padding_;
  Histogram* const queue_seconds_;
  Histogram* const infer_seconds_;
  Counter* const busy_seconds_;
  Counter* const canaries_passed_;
  Counter* const canaries_failed_;
  Gauge* const canary_deviation_;
  MetricRegistry* const registry_;
  CacheMetrics cache_;
};

}  // namespace distill

#endif  // TEACHER_SERVER_TEACHER_METRICS_H_
