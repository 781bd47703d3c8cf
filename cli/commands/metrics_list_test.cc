#include "cli/commands/metrics_list.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

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
  EXPECT_EQ(MetricsMarkdown(kRows), R"(## Of every process

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
  const auto list = nlohmann::json::parse(MetricsJson(kRows));
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

TEST(MetricsList, TheProductsTableIsListedWhole) {
  const std::string text = MetricsText(Catalogue());
  const std::string page = MetricsMarkdown(Catalogue());
  for (const MetricRow& row : Catalogue()) {
    EXPECT_THAT(text, HasSubstr(row.name));
    EXPECT_THAT(page, HasSubstr(std::string("| `") + row.name + "` | "));
  }
  EXPECT_EQ(nlohmann::json::parse(MetricsJson(Catalogue())).size(), Catalogue().size());
}

}  // namespace
}  // namespace distill
