// What a teacher server does now, for the coordinator's status.
#ifndef TEACHER_SERVER_LOAD_METER_H_
#define TEACHER_SERVER_LOAD_METER_H_

#include <cstdint>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "common/clock/clock.h"
#include "proto/coordinator.pb.h"
#include "teacher_server/cache/label_cache.h"
#include "teacher_server/service/label_server.h"

namespace distill {

// Thread-safe. Hears what the next observer hears, which may be null; both and the clock
// outlive it.
//
//   LoadMeter meter(&metrics, &clock);
//   LabelServer server(..., &meter, ...);
//   ... and with each heartbeat:
//   *heartbeat.mutable_teacher_load() = meter.Take();
class LoadMeter final : public ServingObserver {
 public:
  LoadMeter(ServingObserver* next, Clock* clock);

  // Rates and shares of the time since the last Take, or since the start.
  v1::TeacherLoad Take() ABSL_LOCKS_EXCLUDED(mu_);

  void OnAnswered(absl::StatusCode code, int64_t examples, absl::Duration since_admitted) override
      ABSL_LOCKS_EXCLUDED(mu_);
  void OnBatch(BatchReason reason, int64_t examples, absl::Duration queue,
               absl::Duration compute) override ABSL_LOCKS_EXCLUDED(mu_);
  void OnFill(double fill, double padding) override;
  void OnShed(const char* reason) override;
  void OnCanary(bool passed, double deviation) override;
  void OnQueue(int64_t waiting_examples, size_t waiting_requests) override ABSL_LOCKS_EXCLUDED(mu_);
  void OnCache(const LabelCacheStats& stats) override ABSL_LOCKS_EXCLUDED(mu_);

 private:
  ServingObserver* const next_;
  Clock* const clock_;

  absl::Mutex mu_;
  absl::Duration since_ ABSL_GUARDED_BY(mu_);
  int64_t rows_ ABSL_GUARDED_BY(mu_) = 0;
  absl::Duration computed_ ABSL_GUARDED_BY(mu_);
  int64_t queue_rows_ ABSL_GUARDED_BY(mu_) = 0;
  int64_t queue_requests_ ABSL_GUARDED_BY(mu_) = 0;
  // Of all time; as they were at the last Take.
  LabelCacheStats cache_ ABSL_GUARDED_BY(mu_);
  LabelCacheStats cache_then_ ABSL_GUARDED_BY(mu_);
};

}  // namespace distill

#endif  // TEACHER_SERVER_LOAD_METER_H_
