#include "cli/report/report.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace distill {
namespace {

using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::Not;

v1::Report Example() {
  v1::Report report;
  report.set_job_seconds(201.4);
  report.set_seed(3);
  report.set_plan("fashion_mnist");
  report.set_reference("teacher");
  report.set_config_digest("0123456789abcdef");
  v1::ModelReport& teacher = (*report.mutable_models())["teacher"];
  teacher.set_test_accuracy(0.9042);
  teacher.set_agreement(1);
  teacher.set_parameters(74194);
  v1::ModelReport& student = (*report.mutable_models())["distilled"];
  student.set_test_accuracy(0.8712);
  student.set_latency_ms(0.0931);
  return report;
}

TEST(Report, JsonKeepsTheFieldNamesAndComesBack) {
  const std::string json = ReportToJson(Example());
  EXPECT_THAT(json, HasSubstr("\"job_seconds\": 201.4"));
  EXPECT_THAT(json, HasSubstr("\"test_accuracy\": 0.9042"));
  const auto again = ReportFromJson(json);
  ASSERT_TRUE(again.ok()) << again.status();
  EXPECT_EQ(again->models().at("teacher").parameters(), 74194u);
}

TEST(Report, JsonOfANewerVersionIsReadAndRubbishIsNot) {
  EXPECT_TRUE(ReportFromJson("{\"seed\": 1, \"new_field\": 2}").ok());
  EXPECT_EQ(ReportFromJson("{\"seed\": }").status().code(), absl::StatusCode::kInvalidArgument);
}

TEST(Report, TheTableHasARowPerModelInPlanOrderWithinAHundredColumns) {
  const std::string table = RenderTable(Example(), {"teacher", "alone", "distilled"});
  EXPECT_LT(table.find("teacher "), table.find("distilled "));
  EXPECT_THAT(table, HasSubstr("74,194"));
  EXPECT_THAT(table, HasSubstr("0.093"));
  EXPECT_THAT(table, Not(HasSubstr("alone")));
  EXPECT_THAT(table, HasSubstr("seed 3, configuration 0123456789ab, 201 s"));
  EXPECT_LE(table.find('\n'), 100u);
}

TEST(Report, EveryFormHasTheVerdictsAndTheTableEndsWithThem) {
  v1::Report report = Example();
  const std::string verdict = "teacher-bound: " + std::string(90, 'x') + " and what would help";
  (*report.mutable_models())["distilled"].set_verdict(verdict);
  EXPECT_EQ(ReportFromJson(ReportToJson(report))->models().at("distilled").verdict(), verdict);
  const std::string table = RenderTable(report, {"teacher", "distilled"});
  EXPECT_THAT(table, EndsWith(" s\ndistilled: teacher-bound:\n  " + std::string(90, 'x') +
                              " and\n  what would help\n"));
  EXPECT_THAT(table, Not(HasSubstr("teacher: ")));
  EXPECT_THAT(RenderMarkdown(report, {"teacher", "distilled"}),
              EndsWith(" |\n\n* **distilled**: " + verdict + "\n"));
}

TEST(Report, WithoutAVerdictTheTableEndsWithTheSummary) {
  EXPECT_THAT(RenderTable(Example(), {"teacher"}), EndsWith(" 201 s\n"));
  EXPECT_THAT(RenderMarkdown(Example(), {"teacher"}), EndsWith(" |\n"));
}

TEST(Report, DocumentsSayWhenAndByWhatTheyWereWritten) {
  v1::Report report = Example();
  report.mutable_written_at()->set_seconds(1772366400);
  report.set_written_by("0.1.0 (0123abc)");
  EXPECT_THAT(
      RenderMarkdown(report, {"teacher"}),
      HasSubstr("201 s\n\nwritten 2026-03-01T12:00:00Z by distillery 0.1.0 (0123abc)\n\n|"));
  const auto again = ReportFromJson(ReportToJson(report));
  EXPECT_EQ(ReportOrigin(*again), ReportOrigin(report));
  // What an older version wrote has neither.
  EXPECT_THAT(RenderMarkdown(Example(), {"teacher"}), HasSubstr("201 s\n\n|"));
}

TEST(Report, MarkdownHasTheSameNumbers) {
  const std::string text = RenderMarkdown(Example(), {"teacher", "distilled"});
  EXPECT_THAT(text, HasSubstr("| distilled | 0.8712 |"));
}

}  // namespace
}  // namespace distill
