#include "teacher_server/teacher_metrics.h"

#include <array>
#include <cstddef>
#include <string>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "common/metrics/catalogue.h"

namespace distill {
namespace {

template <size_t kCodes>
std::array<Counter*, kCodes> RequestCounters(MetricRegistry* registry) {
  std::array<Counter*, kCodes> counters;
  for (size_t code = 0; code < kCodes; ++code) {
    const std::string name = absl::StatusCodeToString(static_cast<absl::StatusCode>(code));
    counters[code] = registry->AddCounter(Metric::kTeacherRequests, {{"code", name}});
  }
  return counters;
}

template <size_t kReasons>
std::array<Counter*, kReasons> BatchCounters(MetricRegistry* registry) {
  std::array<Counter*, kReasons> counters;
  for (size_t reason = 0; reason < kReasons; ++reason) {
    const std::string name = BatchReasonName(static_cast<BatchReason>(reason));
    counters[reason] = registry->AddCounter(Metric::kTeacherBatches, {{"reason", name}});
  }
  return counters;
}

}  // namespace

TeacherMetrics::TeacherMetrics(MetricRegistry* registry)
    : items_(registry->AddCounter(Metric::kTeacherItems)),
      request_seconds_(registry->AddHistogram(Metric::kTeacherRequestDuration)),
      queue_items_(registry->AddGauge(Metric::kTeacherQueueItems)),
      queue_requests_(registry->AddGauge(Metric::kTeacherQueueRequests)),
      requests_(RequestCounters<kStatusCodes>(registry)),
      batches_(BatchCounters<kBatchReasons>(registry)),
      batch_items_(registry->AddHistogram(Metric::kTeacherBatchItems)),
      batch_fill_(registry->AddHistogram(Metric::kTeacherBatchFill)),
      batch_padding_(registry->AddHistogram(Metric::kTeacherBatchPadding)),
      queue_seconds_(registry->AddHistogram(Metric::kTeacherStageDuration, {{"stage", "queue"}})),
      infer_seconds_(registry->AddHistogram(Metric::kTeacherStageDuration, {{"stage", "infer"}})),
      busy_seconds_(registry->AddCounter(Metric::kTeacherDeviceBusy, {{"device", "0"}})),
      canaries_passed_(registry->AddCounter(Metric::kTeacherCanaries, {{"result", "passed"}})),
      canaries_failed_(registry->AddCounter(Metric::kTeacherCanaries, {{"result", "failed"}})),
      canary_deviation_(registry->AddGauge(Metric::kTeacherCanaryDeviation)),
      registry_(registry),
      cache_(registry) {
  for (const ShedReason reason : {ShedReason::kQueueFull, ShedReason::kStreamQuota,
                                  ShedReason::kTooLate, ShedReason::kExpired}) {
    registry_->AddCounter(Metric::kTeacherShed, {{"reason", ShedReasonName(reason)}});
  }
  registry_->AddCounter(Metric::kTeacherShed, {{"reason", LabelServer::kShedMemory}});
}

void TeacherMetrics::OnAnswered(absl::StatusCode code, int64_t examples,
                                absl::Duration since_admitted) {
  requests_.at(static_cast<size_t>(code))->Add();
  if (code == absl::StatusCode::kOk) items_->Add(static_cast<double>(examples));
  request_seconds_->Observe(absl::ToDoubleSeconds(since_admitted));
}

void TeacherMetrics::OnBatch(BatchReason reason, int64_t examples, absl::Duration queue,
                             absl::Duration compute) {
  batches_.at(static_cast<size_t>(reason))->Add();
  batch_items_->Observe(static_cast<double>(examples));
  queue_seconds_->Observe(absl::ToDoubleSeconds(queue));
  infer_seconds_->Observe(absl::ToDoubleSeconds(compute));
  busy_seconds_->Add(absl::ToDoubleSeconds(compute));
}

void TeacherMetrics::OnFill(double fill, double padding) {
  batch_fill_->Observe(fill);
  batch_padding_->Observe(padding);
}

void TeacherMetrics::OnShed(const char* reason) {
  registry_->AddCounter(Metric::kTeacherShed, {{"reason", reason}})->Add();
}

void TeacherMetrics::OnCanary(bool passed, double deviation) {
  (passed ? canaries_passed_ : canaries_failed_)->Add();
  canary_deviation_->Set(deviation);
}

void TeacherMetrics::OnQueue(int64_t waiting_examples, size_t waiting_requests) {
  queue_items_->Set(static_cast<double>(waiting_examples));
  queue_requests_->Set(static_cast<double>(waiting_requests));
}

}  // namespace distill
