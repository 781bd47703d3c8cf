#include "teacher_server/teacher_metrics.h"

#include "absl/status/status.h"
#include "absl/time/time.h"

namespace distill {
namespace {

constexpr char kStage[] = "distill_teacher_stage_duration_seconds";
constexpr char kShed[] = "distill_teacher_shed_requests_total";
constexpr char kShedHelp[] = "Requests refused or dropped for lack of time or room, by why";
constexpr char kCanaries[] = "distill_teacher_canaries_total";
constexpr char kCanariesHelp[] = "Questions with recorded answers, by how the model did";
constexpr char kStageHelp[] = "Time of a batch in each stage";

}  // namespace

TeacherMetrics::TeacherMetrics(MetricRegistry* registry)
    : registry_(registry),
      items_(registry->AddCounter("distill_teacher_items_total", "Examples labelled")),
      batch_items_(registry->AddHistogram("distill_teacher_batch_items", "Examples of a batch", {},
                                          SizeBuckets())),
      batch_fill_(registry->AddHistogram("distill_teacher_batch_fill_ratio",
                                         "Examples of a batch over the most it holds", {},
                                         {0.125, 0.25, 0.375, 0.5, 0.625, 0.75, 0.875, 1})),
      batch_padding_(registry->AddHistogram("distill_teacher_batch_padding_ratio",
                                            "Share of a batch's elements that are padding", {},
                                            {0, 0.025, 0.05, 0.1, 0.15, 0.2, 0.25})),
      request_seconds_(registry->AddHistogram("distill_teacher_request_duration_seconds",
                                              "From admission to the answer", {},
                                              DurationBuckets())),
      queue_seconds_(
          registry->AddHistogram(kStage, kStageHelp, {{"stage", "queue"}}, DurationBuckets())),
      infer_seconds_(
          registry->AddHistogram(kStage, kStageHelp, {{"stage", "infer"}}, DurationBuckets())),
      busy_seconds_(registry->AddCounter("distill_teacher_device_busy_seconds_total",
                                         "Time the device computed", {{"device", "0"}})),
      queue_items_(registry->AddGauge("distill_teacher_queue_items", "Examples that wait")),
      queue_requests_(registry->AddGauge("distill_teacher_queue_requests", "Requests that wait")),
      canaries_passed_(registry->AddCounter(kCanaries, kCanariesHelp, {{"result", "passed"}})),
      canaries_failed_(registry->AddCounter(kCanaries, kCanariesHelp, {{"result", "failed"}})),
      canary_deviation_(registry->AddGauge("distill_teacher_canary_deviation_ratio",
                                           "Worst deviation of the last, over what is allowed")),
      cache_(registry) {
  for (const BatchReason reason : {BatchReason::kFull, BatchReason::kExact, BatchReason::kDeadline,
                                   BatchReason::kIdle, BatchReason::kDelay, BatchReason::kDrain}) {
    batches_[reason] =
        registry_->AddCounter("distill_teacher_batches_total", "Batches, by why they were sent",
                              {{"reason", BatchReasonName(reason)}});
  }
  for (const ShedReason reason : {ShedReason::kQueueFull, ShedReason::kStreamQuota,
                                  ShedReason::kTooLate, ShedReason::kExpired}) {
    registry_->AddCounter(kShed, kShedHelp, {{"reason", ShedReasonName(reason)}});
  }
  registry_->AddCounter(kShed, kShedHelp, {{"reason", LabelServer::kShedMemory}});
}

void TeacherMetrics::OnAnswered(absl::StatusCode code, int64_t examples,
                                absl::Duration since_admitted) {
  Counter*& requests = requests_[code];
  if (requests == nullptr) {
    requests =
        registry_->AddCounter("distill_teacher_requests_total", "Requests, by how they ended",
                              {{"code", absl::StatusCodeToString(code)}});
  }
  requests->Add();
  if (code == absl::StatusCode::kOk) items_->Add(static_cast<double>(examples));
  request_seconds_->Observe(absl::ToDoubleSeconds(since_admitted));
}

void TeacherMetrics::OnBatch(BatchReason reason, int64_t examples, absl::Duration queue,
                             absl::Duration compute) {
  batches_.at(reason)->Add();
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
  registry_->AddCounter(kShed, kShedHelp, {{"reason", reason}})->Add();
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
