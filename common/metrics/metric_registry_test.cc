#include "common/metrics/metric_registry.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <latch>
#include <limits>
#include <span>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/metrics/catalogue.h"

namespace distill {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

constexpr double kBounds[] = {1, 2.5};
constexpr MetricRow kRows[] = {
    {.name = "distill_x_requests_total", .kind = MetricKind::kCounter, .help = "Requests."},
    {.name = "distill_x_items", .labels = {"model"}, .help = "h"},
    {.name = "distill_x_seconds", .kind = MetricKind::kHistogram, .bounds = kBounds, .help = "h"},
    {.name = "distill_x_own_total",
     .kind = MetricKind::kCounter,
     .labels = {"a", "b"},
     .help = "h"},
};
constexpr Metric kRequests{0}, kItems{1}, kSeconds{2}, kOwn{3};

// Serves what `rows` say, and nothing of the process.
MetricRegistryOptions Of(std::span<const MetricRow> rows = kRows) {
  return {.proc = "/nowhere", .catalogue = rows};
}

TEST(MetricRegistry, ACounterIsServedFromZeroAndAddsUp) {
  MetricRegistry registry(Of());
  Counter* requests = registry.AddCounter(kRequests);
  EXPECT_THAT(registry.Serialize(), HasSubstr("# HELP distill_x_requests_total Requests.\n"
                                              "# TYPE distill_x_requests_total counter\n"
                                              "distill_x_requests_total 0\n"));
  requests->Add();
  requests->Add(2.5);
  for (int page = 0; page < 2; ++page) {
    EXPECT_THAT(registry.Serialize(), HasSubstr("\ndistill_x_requests_total 3.5\n"));
  }
  requests->Add(std::numeric_limits<double>::infinity());
  for (int page = 0; page < 2; ++page) {
    EXPECT_THAT(registry.Serialize(), HasSubstr("\ndistill_x_requests_total +Inf\n"));
  }
}

TEST(MetricRegistry, ACounterIgnoresWhatIsNotAboveZero) {
  MetricRegistry registry(Of());
  Counter* counter = registry.AddCounter(kRequests);
  counter->Add(2);
  counter->Add(-1);
  counter->Add(std::nan(""));
  EXPECT_THAT(registry.Serialize(), HasSubstr("\ndistill_x_requests_total 2\n"));
}

TEST(MetricRegistry, AGaugeShowsTheLastValueSet) {
  MetricRegistry registry(Of());
  Gauge* gauge = registry.AddGauge(kItems, {{"model", "a"}});
  gauge->Set(7);
  gauge->Set(-0.25);
  EXPECT_THAT(registry.Serialize(), HasSubstr("# TYPE distill_x_items gauge\n"
                                              "distill_x_items{model=\"a\"} -0.25\n"));
}

TEST(MetricRegistry, AHistogramCountsUpToAndWithEachBound) {
  MetricRegistry registry(Of());
  Histogram* histogram = registry.AddHistogram(kSeconds);
  for (double v : {0.5, 1.0, 2.0, 9.0, std::nan("")}) histogram->Observe(v);
  EXPECT_THAT(registry.Serialize(), HasSubstr("# TYPE distill_x_seconds histogram\n"
                                              "distill_x_seconds_count 4\n"
                                              "distill_x_seconds_sum 12.5\n"
                                              "distill_x_seconds_bucket{le=\"1\"} 2\n"
                                              "distill_x_seconds_bucket{le=\"2.5\"} 3\n"
                                              "distill_x_seconds_bucket{le=\"+Inf\"} 4\n"));
}

TEST(MetricRegistry, APageHasEveryObservationHoweverManyThereWereSinceTheLast) {
  MetricRegistry registry(Of());
  Histogram* histogram = registry.AddHistogram(kSeconds);
  int observed = 0;
  for (int more = 0; more <= 40; ++more) {
    for (int i = 0; i < more; ++i) histogram->Observe(1);
    observed += more;
    EXPECT_THAT(registry.Serialize(),
                HasSubstr(absl::StrCat("distill_x_seconds_count ", observed, "\n",
                                       "distill_x_seconds_sum ", observed, "\n")));
  }
}

TEST(MetricRegistry, TheSameMetricAndLabelsGiveTheSameHandle) {
  MetricRegistry registry(Of());
  EXPECT_EQ(registry.AddCounter(kOwn, {{"a", "1"}, {"b", "2"}}),
            registry.AddCounter(kOwn, {{"b", "2"}, {"a", "1"}}));
  EXPECT_NE(registry.AddCounter(kOwn, {{"a", "1"}, {"b", "2"}}),
            registry.AddCounter(kOwn, {{"a", "1"}, {"b", "3"}}));
  EXPECT_EQ(registry.AddGauge(kItems, {{"model", "a"}}),
            registry.AddGauge(kItems, {{"model", "a"}}));
  EXPECT_EQ(registry.AddHistogram(kSeconds), registry.AddHistogram(kSeconds));
}

TEST(MetricRegistry, LabelValuesAreEscaped) {
  MetricRegistry registry(Of());
  registry.AddGauge(kItems, {{"model", "a\"b\\c\nd"}});
  EXPECT_THAT(registry.Serialize(), HasSubstr("distill_x_items{model=\"a\\\"b\\\\c\\nd\"} 0\n"));
}

TEST(MetricRegistryDeathTest, WhatIsNotAsInTheCatalogueNamesTheMetric) {
  MetricRegistry registry(Of());
  EXPECT_DEATH(registry.AddGauge(kRequests), "'distill_x_requests_total': is of another kind");
  EXPECT_DEATH(registry.AddHistogram(kRequests), "'distill_x_requests_total': is of another kind");
  EXPECT_DEATH(registry.AddCounter(kRequests, {{"a", ""}}),
               "'distill_x_requests_total': has other");
  EXPECT_DEATH(registry.AddGauge(kItems), "'distill_x_items': has other labels");
  EXPECT_DEATH(registry.AddGauge(kItems, {{"modul", ""}}), "'distill_x_items': has other labels");
  EXPECT_DEATH(registry.AddGauge(Metric{4}), "'4': is not in the catalogue");
  EXPECT_DEATH(MetricRegistry().AddGauge(Metric::kProcessOpenFds), "by the registry itself");
}

TEST(MetricRegistryDeathTest, RowsThatPrometheusDoesNotAllowNameTheMetric) {
  static constexpr MetricRow kBad[] = {
      {.name = "a-b"}, {.name = "a", .labels = {"b-c"}}, {.name = "a", .labels = {"le"}}};
  MetricRegistry registry(Of(kBad));
  EXPECT_DEATH(registry.AddGauge(Metric{0}), "'a-b': is not a name that Prometheus allows");
  EXPECT_DEATH(registry.AddGauge(Metric{1}, {{"b-c", ""}}), "has a label that");
  EXPECT_DEATH(registry.AddGauge(Metric{2}, {{"le", ""}}), "has a label that");
  const double inf = std::numeric_limits<double>::infinity();
  for (const std::vector<double>& bounds :
       {std::vector<double>{}, {1, 1}, {2, 1}, {1, inf}, {std::nan("")}}) {
    const MetricRow row{.name = "a", .kind = MetricKind::kHistogram, .bounds = bounds};
    MetricRegistry one(Of({&row, 1}));
    EXPECT_DEATH(one.AddHistogram(Metric{0}), "needs finite bounds that rise");
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
  MetricRegistry registry(Of());
  registry.AddCounter(kRequests)->Add();
  EXPECT_EQ(registry.Serialize(),
            "# HELP distill_x_requests_total Requests.\n"
            "# TYPE distill_x_requests_total counter\n"
            "distill_x_requests_total 1\n");
}

TEST(MetricRegistry, ThreadsMayAddCountAndServeAtOnce) {
  MetricRegistry registry(Of());
  std::latch start(4);
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&registry, &start, t] {
      start.arrive_and_wait();
      for (int i = 0; i < 500; ++i) {
        registry.AddCounter(kRequests)->Add();
        registry.AddCounter(kOwn, {{"a", absl::StrCat(t)}, {"b", absl::StrCat(i)}})->Add();
        registry.AddHistogram(kSeconds)->Observe(1);
        if (i % 100 == 0) registry.Serialize();
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  const std::string page = registry.Serialize();
  EXPECT_THAT(page, HasSubstr("\ndistill_x_requests_total 2000\n"));
  EXPECT_THAT(page, HasSubstr("own_total{a=\"3\",b=\"499\"} 1\n"));
  EXPECT_THAT(page, HasSubstr("distill_x_seconds_count 2000\n"));
}

}  // namespace
}  // namespace distill
