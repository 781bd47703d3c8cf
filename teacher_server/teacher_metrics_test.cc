#include "teacher_server/teacher_metrics.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "common/metrics/catalogue.h"

namespace distill {
namespace {

using ::testing::HasSubstr;

TEST(TeacherMetrics, AnswersAreCountedByHowTheyEnded) {
  MetricRegistry registry;
  TeacherMetrics metrics(&registry);
  metrics.OnAnswered(absl::StatusCode::kOk, 64, absl::Milliseconds(3));
  metrics.OnAnswered(absl::StatusCode::kOk, 32, absl::Milliseconds(3));
  metrics.OnAnswered(absl::StatusCode::kDataLoss, 16, absl::Milliseconds(3));
  const std::string text = registry.Serialize();
  EXPECT_THAT(text, HasSubstr("distill_teacher_requests_total{code=\"OK\"} 2"));
  EXPECT_THAT(text, HasSubstr("distill_teacher_requests_total{code=\"DATA_LOSS\"} 1"));
  EXPECT_THAT(text, HasSubstr("distill_teacher_requests_total{code=\"CANCELLED\"} 0"));
  EXPECT_THAT(text, HasSubstr("distill_teacher_items_total 96"));
  EXPECT_THAT(text, HasSubstr("distill_teacher_request_duration_seconds_count 3"));
}

TEST(TeacherMetrics, BatchesAreCountedByTheirReasonsFromZeroOn) {
  MetricRegistry registry;
  TeacherMetrics metrics(&registry);
  metrics.OnBatch(BatchReason::kFull, 256, absl::Milliseconds(1), absl::Milliseconds(250));
  metrics.OnBatch(BatchReason::kFull, 256, absl::Milliseconds(1), absl::Milliseconds(250));
  const std::string text = registry.Serialize();
  EXPECT_THAT(text, HasSubstr("distill_teacher_batches_total{reason=\"full\"} 2"));
  EXPECT_THAT(text, HasSubstr("distill_teacher_batches_total{reason=\"idle\"} 0"));
  EXPECT_THAT(text, HasSubstr("distill_teacher_device_busy_seconds_total{device=\"0\"} 0.5"));
}

TEST(TeacherMetrics, EveryMetricOfATeacherServerIsThereFromTheStart) {
  MetricRegistry registry;
  TeacherMetrics metrics(&registry);
  const std::string text = registry.Serialize();
  for (const MetricRow& row : Catalogue()) {
    if (row.owner != MetricOwner::kTeacherServer) continue;
    EXPECT_THAT(text, HasSubstr(std::string("# TYPE ") + row.name + " "));
  }
}

}  // namespace
}  // namespace distill
