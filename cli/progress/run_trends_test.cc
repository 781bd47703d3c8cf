#include "cli/progress/run_trends.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <limits>
#include <optional>
#include <vector>

#include "absl/time/time.h"
#include "proto/coordinator.pb.h"

namespace distill {
namespace {

v1::RunStatus Report(int64_t step, double rate, double loss = 1, uint64_t generation = 1) {
  v1::RunStatus run;
  run.set_run_id("r");
  run.set_generation(generation);
  run.set_steps(1000);
  run.mutable_progress()->set_step(step);
  run.mutable_progress()->set_steps_per_second(rate);
  (*run.mutable_progress()->mutable_loss_terms())["hard"] = loss;
  return run;
}

// Of reports of 10 steps each, at these rates in turn.
RunTrend TrendOf(const std::vector<double>& rates, int reports) {
  RunTrend trend;
  for (int i = 0; i < reports; ++i) {
    trend.Add(Report(10 * (i + 1), rates[static_cast<size_t>(i) % rates.size()]));
  }
  return trend;
}

TEST(RunTrendTest, NothingIsKnownBeforeTheFirstReport) {
  RunTrend trend;
  trend.Add(Report(0, 0));
  EXPECT_FALSE(trend.time_left().has_value());
  EXPECT_EQ(trend.steps_per_second(), 0);
}

TEST(RunTrendTest, ASteadyRunHasOneTimeLeft) {
  const std::optional<TimeLeft> left = TrendOf({10}, 20).time_left();
  ASSERT_TRUE(left.has_value());
  EXPECT_NEAR(absl::ToDoubleSeconds(left->low), 80, 0.1);
  EXPECT_NEAR(absl::ToDoubleSeconds(left->high), 80, 0.1);
}

TEST(RunTrendTest, TheTimeLeftIsARangeOnceTheVarianceIsKnown) {
  const TimeLeft early = *TrendOf({5, 20}, 4).time_left();
  EXPECT_EQ(early.low, early.high);
  const TimeLeft later = *TrendOf({5, 20}, 20).time_left();
  EXPECT_LT(later.low, later.high);
  // 800 steps, of which half take 0.2 s and half 0.05 s: 100 s.
  EXPECT_LT(later.low, absl::Seconds(100));
  EXPECT_GT(later.high, absl::Seconds(100));
  EXPECT_GT(later.low, absl::Seconds(40));
  EXPECT_LT(later.high, absl::Seconds(160));
}

TEST(RunTrendTest, TheRateIsThatOfTheLastReportsMostly) {
  RunTrend trend;
  for (int i = 1; i <= 100; ++i) trend.Add(Report(10 * i, i <= 50 ? 10 : 40));
  EXPECT_NEAR(trend.steps_per_second(), 40, 2);
}

TEST(RunTrendTest, TheSameReportAgainChangesNothing) {
  RunTrend once = TrendOf({5, 20}, 10);
  RunTrend again;
  for (int i = 0; i < 10; ++i) {
    for (int j = 0; j < 3; ++j) again.Add(Report(10 * (i + 1), i % 2 == 0 ? 5 : 20));
  }
  EXPECT_EQ(once.steps_per_second(), again.steps_per_second());
  EXPECT_EQ(once.time_left()->high, again.time_left()->high);
}

TEST(RunTrendTest, LossesAreSmoothedAndNumbersThatAreNoneLeftOut) {
  RunTrend trend;
  trend.Add(Report(1, 10, 2));
  trend.Add(Report(2, 10, 1));
  EXPECT_DOUBLE_EQ(trend.loss_terms().at("hard"), 1.7);
  trend.Add(Report(3, 10, std::numeric_limits<double>::quiet_NaN()));
  EXPECT_DOUBLE_EQ(trend.loss_terms().at("hard"), 1.7);
}

TEST(RunTrendTest, ANewWorldBeginsAnew) {
  RunTrend trend = TrendOf({10}, 20);
  trend.Add(Report(100, 50, 9, 2));
  EXPECT_DOUBLE_EQ(trend.steps_per_second(), 50);
  EXPECT_DOUBLE_EQ(trend.loss_terms().at("hard"), 9);
  EXPECT_NEAR(absl::ToDoubleSeconds(trend.time_left()->low), 18, 0.1);
}

TEST(RunTrendsTest, RunsAreKeptApart) {
  v1::PlanStatus status;
  *status.add_runs() = Report(10, 10);
  *status.add_runs() = Report(10, 20);
  status.mutable_runs(1)->set_run_id("s");
  RunTrends trends;
  trends.Add(status);
  EXPECT_DOUBLE_EQ(trends.Find("r")->steps_per_second(), 10);
  EXPECT_DOUBLE_EQ(trends.Find("s")->steps_per_second(), 20);
  EXPECT_EQ(trends.Find("t"), nullptr);
}

}  // namespace
}  // namespace distill
