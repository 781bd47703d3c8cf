#include "student_worker/student_metrics.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "common/clock/fake_clock.h"
#include "common/metrics/catalogue.h"

namespace distill {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

StepRecord Step(double loss) {
  StepRecord record;
  record.loss = loss;
  record.phases[static_cast<int>(Phase::kForward)] = absl::Milliseconds(250);
  record.phases[static_cast<int>(Phase::kWaitTeacher)] = absl::Milliseconds(500);
  return record;
}

TEST(StudentMetrics, StepsOfARunAddUpAndThoseOfAnotherAreApart) {
  MetricRegistry registry;
  FakeClock clock;
  StudentMetrics metrics(&registry, &clock, [](const std::string&) {});
  metrics.OnStep("a", Step(3), 64);
  metrics.OnStep("a", Step(2), 64);
  metrics.OnStep("b", Step(7), 32);
  const std::string text = registry.Serialize();
  EXPECT_THAT(text, HasSubstr("distill_student_steps_total{run=\"a\"} 2"));
  EXPECT_THAT(text, HasSubstr("distill_student_items_total{run=\"a\"} 128"));
  EXPECT_THAT(text,
              HasSubstr("distill_student_phase_seconds_total{phase=\"forward\",run=\"a\"} 0.5"));
  EXPECT_THAT(text, HasSubstr("distill_student_starved_seconds_total{run=\"a\"} 1"));
  EXPECT_THAT(text, HasSubstr("distill_student_loss{run=\"a\",term=\"total\"} 2"));
  EXPECT_THAT(text, HasSubstr("distill_student_steps_total{run=\"b\"} 1"));
  EXPECT_THAT(text, HasSubstr("distill_student_step_duration_seconds_count{run=\"b\"} 1"));
}

TEST(StudentMetrics, ATermThatComesLaterHasItsGauge) {
  MetricRegistry registry;
  FakeClock clock;
  StudentMetrics metrics(&registry, &clock, [](const std::string&) {});
  metrics.OnStep("a", Step(3), 64);
  EXPECT_THAT(registry.Serialize(), Not(HasSubstr("term=\"hard\"")));
  StepRecord record = Step(2);
  record.loss_terms = {{"hard", 1.5}};
  metrics.OnStep("a", record, 64);
  record.loss_terms = {{"hard", 1.25}};
  metrics.OnStep("a", record, 64);
  EXPECT_THAT(registry.Serialize(),
              HasSubstr("distill_student_loss{run=\"a\",term=\"hard\"} 1.25"));
}

TEST(StudentMetrics, BeforeTheFirstCheckpointWhatHasBeenDoneSinceTheFirstStepWouldBeLost) {
  MetricRegistry registry;
  FakeClock clock;
  StudentMetrics metrics(&registry, &clock, [](const std::string&) {});
  clock.JumpWall(absl::FromUnixSeconds(1000) - clock.WallNow());
  metrics.OnStep("a", Step(3), 64);
  clock.Advance(absl::Seconds(60));
  metrics.OnStep("a", Step(2), 64);
  const std::string since = "distill_student_last_checkpoint_timestamp_seconds{run=\"a\"} ";
  EXPECT_THAT(registry.Serialize(), HasSubstr(since + "1000\n"));
  metrics.OnCheckpoint("a", absl::Seconds(1));
  EXPECT_THAT(registry.Serialize(), HasSubstr(since + "1060\n"));
}

TEST(StudentMetrics, ASessionThatResumesARunHasNothingToLoseBeforeItsFirstStep) {
  MetricRegistry registry;
  FakeClock clock;
  StudentMetrics metrics(&registry, &clock, [](const std::string&) {});
  clock.JumpWall(absl::FromUnixSeconds(1000) - clock.WallNow());
  metrics.OnSession("a");
  metrics.OnStep("a", Step(3), 64);
  // The world ends, the next one forms after an hour and waits for its teachers.
  clock.Advance(absl::Hours(1));
  metrics.OnSession("a");
  const std::string since = "distill_student_last_checkpoint_timestamp_seconds{run=\"a\"} ";
  EXPECT_THAT(registry.Serialize(), HasSubstr(since + "1000\n"));
  clock.Advance(absl::Seconds(5));
  metrics.OnStep("a", Step(2), 64);
  clock.Advance(absl::Seconds(5));
  metrics.OnStep("a", Step(1), 64);
  EXPECT_THAT(registry.Serialize(), HasSubstr(since + "4605\n"));
}

TEST(StudentMetrics, EveryMetricOfAStudentWorkerIsThereOnceARunIsUnderWay) {
  MetricRegistry registry;
  FakeClock clock;
  StudentMetrics metrics(&registry, &clock, [](const std::string&) {});
  metrics.OnStep("a", Step(3), 64);
  EXPECT_THAT(registry.Serialize(),
              HasSubstr("distill_student_checkpoint_duration_seconds_count{run=\"a\"} 0"));
  metrics.OnLabels("a", "teacher", {}, {}, false);
  metrics.OnCheckpoint("a", absl::Seconds(1));
  metrics.OnValidation("a", 0.5);
  const std::string text = registry.Serialize();
  for (const MetricRow& row : Catalogue()) {
    if (row.owner != MetricOwner::kStudentWorker) continue;
    EXPECT_THAT(text, HasSubstr(std::string("# TYPE ") + row.name + " "));
  }
}

}  // namespace
}  // namespace distill
