#include "common/metrics/metric_registry.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <latch>
#include <limits>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/str_cat.h"

namespace distill {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

TEST(MetricRegistry, ACounterIsServedFromZeroAndAddsUp) {
  MetricRegistry registry;
  Counter* requests = registry.AddCounter("distill_x_requests_total", "Requests.");
  EXPECT_THAT(registry.Serialize(), HasSubstr("# HELP distill_x_requests_total Requests.\n"
                                              "# TYPE distill_x_requests_total counter\n"
                                              "distill_x_requests_total 0\n"));
  requests->Add();
  requests->Add(2.5);
  EXPECT_THAT(registry.Serialize(), HasSubstr("\ndistill_x_requests_total 3.5\n"));
}

TEST(MetricRegistry, ACounterIgnoresWhatIsNotAboveZero) {
  MetricRegistry registry;
  Counter* counter = registry.AddCounter("distill_x_total", "h");
  counter->Add(2);
  counter->Add(-1);
  counter->Add(std::nan(""));
  EXPECT_THAT(registry.Serialize(), HasSubstr("\ndistill_x_total 2\n"));
}

TEST(MetricRegistry, AGaugeShowsTheLastValueSet) {
  MetricRegistry registry;
  Gauge* gauge = registry.AddGauge("distill_x_items", "h", {{"model", "a"}});
  gauge->Set(7);
  gauge->Set(-0.25);
  EXPECT_THAT(registry.Serialize(), HasSubstr("# TYPE distill_x_items gauge\n"
                                              "distill_x_items{model=\"a\"} -0.25\n"));
}

TEST(MetricRegistry, AHistogramCountsUpToAndWithEachBound) {
  MetricRegistry registry;
  Histogram* histogram = registry.AddHistogram("distill_x_seconds", "h", {}, {1, 2.5});
  for (double v : {0.5, 1.0, 2.0, 9.0, std::nan("")}) histogram->Observe(v);
  EXPECT_THAT(registry.Serialize(), HasSubstr("# TYPE distill_x_seconds histogram\n"
                                              "distill_x_seconds_count 4\n"
                                              "distill_x_seconds_sum 12.5\n"
                                              "distill_x_seconds_bucket{le=\"1\"} 2\n"
                                              "distill_x_seconds_bucket{le=\"2.5\"} 3\n"
                                              "distill_x_seconds_bucket{le=\"+Inf\"} 4\n"));
}

TEST(MetricRegistry, TheSameNameAndLabelsGiveTheSameHandle) {
  MetricRegistry registry;
  EXPECT_EQ(registry.AddCounter("c_total", "h", {{"a", "1"}, {"b", "2"}}),
            registry.AddCounter("c_total", "other", {{"b", "2"}, {"a", "1"}}));
  EXPECT_NE(registry.AddCounter("c_total", "h", {{"a", "1"}}),
            registry.AddCounter("c_total", "h", {{"a", "2"}}));
  EXPECT_EQ(registry.AddGauge("g", "h"), registry.AddGauge("g", "h"));
  EXPECT_EQ(registry.AddHistogram("s", "h", {}, {1, 2}),
            registry.AddHistogram("s", "h", {}, {1, 2}));
}

TEST(MetricRegistry, LabelValuesAreEscaped) {
  MetricRegistry registry;
  registry.AddGauge("g", "h", {{"model", "a\"b\\c\nd"}});
  EXPECT_THAT(registry.Serialize(), HasSubstr("g{model=\"a\\\"b\\\\c\\nd\"} 0\n"));
}

TEST(MetricRegistryDeathTest, BrokenInvariantsNameTheMetric) {
  MetricRegistry registry;
  registry.AddCounter("used", "h");
  registry.AddHistogram("sized", "h", {}, {1, 2});
  EXPECT_DEATH(registry.AddGauge("used", "h"), "'used': is already there as another kind");
  EXPECT_DEATH(registry.AddHistogram("used", "h", {}, {1}), "'used': is already there as another");
  EXPECT_DEATH(registry.AddHistogram("sized", "h", {{"a", "b"}}, {1, 3}), "with other bounds");
  EXPECT_DEATH(registry.AddGauge("a-b", "h"), "'a-b': is not a name that Prometheus allows");
  EXPECT_DEATH(registry.AddGauge("a", "h", {{"b-c", ""}}), "has a label that");
  EXPECT_DEATH(registry.AddGauge("a", "h", {{"le", ""}}), "has a label that");
  EXPECT_DEATH(registry.AddGauge("process_open_fds", "h"), "registry's own");
  const double inf = std::numeric_limits<double>::infinity();
  for (const std::vector<double>& bounds :
       {std::vector<double>{}, {1, 1}, {2, 1}, {1, inf}, {std::nan("")}}) {
    EXPECT_DEATH(registry.AddHistogram("a", "h", {}, bounds), "needs finite bounds that rise");
  }
}

TEST(MetricRegistry, BuildInfoIsThereWhenGiven) {
  EXPECT_THAT(MetricRegistry().Serialize(), Not(HasSubstr("distill_build_info")));
  EXPECT_THAT(MetricRegistry({.version = "1.2", .role = "coordinator"}).Serialize(),
              HasSubstr("distill_build_info{role=\"coordinator\",version=\"1.2\"} 1\n"));
}

TEST(MetricRegistry, ProcessMetricsAreThoseOfTheMoment) {
  const std::string page = MetricRegistry().Serialize();
  for (const char* line :
       {"# TYPE process_cpu_seconds_total counter\nprocess_cpu_seconds_total ",
        "# TYPE process_resident_memory_bytes gauge\n", "# TYPE process_open_fds gauge\n",
        "# TYPE process_start_time_seconds gauge\n"}) {
    EXPECT_THAT(page, HasSubstr(line));
  }
}

TEST(MetricRegistry, WithoutProcTheRestIsServed) {
  MetricRegistry registry({.proc = "/nowhere"});
  registry.AddGauge("g", "h")->Set(1);
  EXPECT_EQ(registry.Serialize(), "# HELP g h\n# TYPE g gauge\ng 1\n");
}

TEST(MetricRegistry, ThreadsMayAddCountAndServeAtOnce) {
  MetricRegistry registry({.proc = "/nowhere"});
  std::latch start(4);
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&registry, &start, t] {
      start.arrive_and_wait();
      for (int i = 0; i < 500; ++i) {
        registry.AddCounter("all_total", "h")->Add();
        registry.AddCounter("own_total", "h", {{"t", absl::StrCat(t)}, {"i", absl::StrCat(i)}})
            ->Add();
        registry.AddHistogram("s", "h", {}, {1, 2})->Observe(1);
        if (i % 100 == 0) registry.Serialize();
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  const std::string page = registry.Serialize();
  EXPECT_THAT(page, HasSubstr("\nall_total 2000\n"));
  EXPECT_THAT(page, HasSubstr("own_total{i=\"499\",t=\"3\"} 1\n"));
  EXPECT_THAT(page, HasSubstr("s_count 2000\n"));
}

TEST(MetricBuckets, DurationsAreSixteenFromHalfAMillisecondToAMinute) {
  const std::vector<double> bounds = DurationBuckets();
  ASSERT_EQ(bounds.size(), 16u);
  EXPECT_EQ(bounds.front(), 0.0005);
  EXPECT_EQ(bounds.back(), 60);
  for (size_t i = 1; i < bounds.size(); ++i) {
    EXPECT_GE(bounds[i] / bounds[i - 1], 1.99);
    EXPECT_LE(bounds[i] / bounds[i - 1], 2.51);
  }
}

TEST(MetricBuckets, SizesArePowersOfTwoUpTo4096) {
  const std::vector<double> bounds = SizeBuckets();
  ASSERT_EQ(bounds.size(), 13u);
  for (int i = 0; i < 13; ++i) EXPECT_EQ(bounds[i], 1 << i);
}

}  // namespace
}  // namespace distill
