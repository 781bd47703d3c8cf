#include "coordinator/coordinator_metrics.h"

#include <gmock/gmock.h>
#include <google/protobuf/text_format.h>
#include <gtest/gtest.h>

#include <string>

#include "common/metrics/catalogue.h"

namespace distill {
namespace {

using ::testing::HasSubstr;

v1::PlanStatus Status(const std::string& text) {
  v1::PlanStatus status;
  EXPECT_TRUE(google::protobuf::TextFormat::ParseFromString(text, &status));
  return status;
}

TEST(CoordinatorMetrics, MembersOfEveryRoleAndStateAreThereFromTheStart) {
  MetricRegistry registry;
  CoordinatorMetrics metrics(&registry, 3);
  std::string text = registry.Serialize();
  EXPECT_THAT(text, HasSubstr("distill_coordinator_generation 3\n"));
  EXPECT_THAT(text, HasSubstr("members{role=\"teacher_server\",state=\"gone\"} 0\n"));
  metrics.Offer(Status(R"(members { role: TEACHER_SERVER state: ALIVE }
                          members { role: TEACHER_SERVER state: ALIVE }
                          members { role: STUDENT_WORKER state: SUSPECT })"));
  text = registry.Serialize();
  EXPECT_THAT(text, HasSubstr("members{role=\"teacher_server\",state=\"alive\"} 2\n"));
  EXPECT_THAT(text, HasSubstr("members{role=\"student_worker\",state=\"suspect\"} 1\n"));
  EXPECT_THAT(text, HasSubstr("members{role=\"student_worker\",state=\"alive\"} 0\n"));
}

TEST(CoordinatorMetrics, ARunIsInOneStateAndHasReachedWhatWasReportedLast) {
  MetricRegistry registry;
  CoordinatorMetrics metrics(&registry, 1);
  metrics.Offer(Status(R"(runs { run_id: "a" state: ACTIVE generation: 2 steps: 200
                                 progress { step: 150 } last_checkpoint { step: 100 } })"));
  std::string text = registry.Serialize();
  EXPECT_THAT(text, HasSubstr("run_state{run=\"a\",state=\"active\"} 1\n"));
  EXPECT_THAT(text, HasSubstr("run_state{run=\"a\",state=\"done\"} 0\n"));
  EXPECT_THAT(text, HasSubstr("run_generation{run=\"a\"} 2\n"));
  EXPECT_THAT(text, HasSubstr("run_planned_steps{run=\"a\"} 200\n"));
  EXPECT_THAT(text, HasSubstr("run_reached_steps{run=\"a\"} 150\n"));
  // The next world has reported nothing yet.
  metrics.Offer(Status(R"(runs { run_id: "a" state: WAITING generation: 2 steps: 200
                                 last_checkpoint { step: 100 } })"));
  EXPECT_THAT(registry.Serialize(), HasSubstr("run_reached_steps{run=\"a\"} 100\n"));
  metrics.Offer(Status(R"(runs { run_id: "a" state: DONE generation: 2 steps: 200
                                 progress { step: 199 } last_checkpoint { step: 100 } })"));
  text = registry.Serialize();
  EXPECT_THAT(text, HasSubstr("run_state{run=\"a\",state=\"active\"} 0\n"));
  EXPECT_THAT(text, HasSubstr("run_reached_steps{run=\"a\"} 200\n"));
}

TEST(CoordinatorMetrics, ARunOfAFormerPlanIsInNoState) {
  MetricRegistry registry;
  CoordinatorMetrics metrics(&registry, 1);
  metrics.Offer(Status(R"(runs { run_id: "a" state: BROKEN steps: 7 })"));
  EXPECT_TRUE(metrics.Offer(Status(R"(runs { run_id: "b" state: ACTIVE steps: 9 })")));
  const std::string text = registry.Serialize();
  EXPECT_THAT(text, HasSubstr("run_state{run=\"a\",state=\"broken\"} 0\n"));
  EXPECT_THAT(text, HasSubstr("run_state{run=\"b\",state=\"active\"} 1\n"));
}

TEST(CoordinatorMetrics, EveryMetricOfACoordinatorIsThereOnceAPlanIs) {
  MetricRegistry registry;
  CoordinatorMetrics metrics(&registry, 1);
  metrics.Offer(Status(R"(runs { run_id: "a" })"));
  const std::string text = registry.Serialize();
  for (const MetricRow& row : Catalogue()) {
    if (row.owner != MetricOwner::kCoordinator) continue;
    EXPECT_THAT(text, HasSubstr(std::string("# TYPE ") + row.name + " "));
  }
}

}  // namespace
}  // namespace distill
