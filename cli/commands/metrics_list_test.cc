#include "cli/commands/metrics_list.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>
#include <string>

namespace distill {
namespace {

using ::testing::HasSubstr;

constexpr double kBounds[] = {0.5, 2};
constexpr MetricRow kRows[] = {
    {.name = "distill_x_info", .labels = {"role", "version"}, .help = "1."},
    {.name = "distill_teacher_wait_seconds",
     .kind = MetricKind::kHistogram,
     .owner = MetricOwner::kTeacherServer,
     .unit = "seconds",
     .bounds = kBounds,
     .help = "Waits.",
     .more = "`queue` only"}};

TEST(MetricsList, MarkdownHasATableForEachKindOfProcess) {
  EXPECT_EQ(MetricsMarkdown(kRows), R"(# Metrics of each process

<!-- Printed by `distillctl metrics list -o markdown` from common/metrics/catalogue.cc; do not edit. -->

How they are served, what to look at first, and how to add one: [metrics](metrics.md).

## Of every process

| name | type | labels | unit | |
| --- | --- | --- | --- | --- |
| `distill_x_info` | gauge | `role`, `version` |  | 1. |

## Of the coordinator

| name | type | labels | unit | |
| --- | --- | --- | --- | --- |

## Of a teacher server

| name | type | labels | unit | |
| --- | --- | --- | --- | --- |
| `distill_teacher_wait_seconds` | histogram |  | seconds | Waits: `queue` only |

## Of a student worker

| name | type | labels | unit | |
| --- | --- | --- | --- | --- |
)");
}

TEST(MetricsList, JsonHasEveryFieldAndBucketsOfHistogramsOnly) {
  const auto list = nlohmann::json::parse(MetricsJson(kRows))["metrics"];
  ASSERT_EQ(list.size(), 2u);
  EXPECT_EQ(list[0], nlohmann::json({{"name", "distill_x_info"},
                                     {"type", "gauge"},
                                     {"of", "every process"},
                                     {"labels", {"role", "version"}},
                                     {"unit", ""},
                                     {"help", "1."},
                                     {"more", ""}}));
  EXPECT_EQ(list[1]["buckets"], nlohmann::json({0.5, 2.0}));
  EXPECT_EQ(list[1]["type"], "histogram");
  EXPECT_EQ(list[1]["labels"], nlohmann::json::array());
}

TEST(MetricsList, TextSaysWhatAPersonAsksFirst) {
  EXPECT_EQ(MetricsText(kRows), R"(distill_x_info{role,version}  gauge of every process
    1.
distill_teacher_wait_seconds  histogram of a teacher server, in seconds
    Waits.
)");
}

TEST(MetricsList, ATableIsCutToItsWidthAndAWideOneHasLabelsAndUnits) {
  EXPECT_EQ(MetricsTable(kRows, 200, false, true),
            R"(NAME                          TYPE       OF              MEANING
distill_x_info                gauge      every process   1.
distill_teacher_wait_seconds  histogram  teacher server  Waits.
)");
  EXPECT_EQ(MetricsTable(kRows, 50, false, true),
            R"(NAME                          MEANING
distill_x_info                1.
distill_teacher_wait_seconds  Waits.
)");
  EXPECT_THAT(MetricsTable(Catalogue(), 80, false, true), HasSubstr("MEANING"));
  EXPECT_EQ(MetricsTable(kRows, 200, true, false),
            R"(distill_x_info                gauge      every process            role,version  1.
distill_teacher_wait_seconds  histogram  teacher server  seconds                Waits.
)");
  EXPECT_EQ(MetricsNames(kRows), "distill_x_info\ndistill_teacher_wait_seconds\n");
}

TEST(MetricsList, TheProductsTableIsListedWhole) {
  const std::string text = MetricsTable(Catalogue(), 1000, false, true);
  const std::string page = MetricsMarkdown(Catalogue());
  for (const MetricRow& row : Catalogue()) {
    EXPECT_THAT(text, HasSubstr(row.name));
    EXPECT_THAT(page, HasSubstr(std::string("| `") + row.name + "` | "));
  }
  EXPECT_EQ(nlohmann::json::parse(MetricsJson(Catalogue()))["metrics"].size(), Catalogue().size());
}

TEST(MetricsList, ThePageInDocsIsTheOnePrinted) {
  std::ifstream in("docs/metrics_list.md");
  std::stringstream text;
  text << in.rdbuf();
  EXPECT_TRUE(text.str() == MetricsMarkdown(Catalogue()))
      << "docs/metrics_list.md is not what common/metrics/catalogue.cc says; write it anew:\n"
      << "  distillctl metrics list -o markdown > docs/metrics_list.md";
}

}  // namespace
}  // namespace distill
