// The comparison of a plan's models: rendered for people, kept for scripts.
#ifndef CLI_REPORT_REPORT_H_
#define CLI_REPORT_REPORT_H_

#include <array>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "proto/report.pb.h"

namespace distill {

// DIR/report.json with the field names of report.proto.
std::string ReportToJson(const v1::Report& report);
// INVALID_ARGUMENT names what does not fit; unknown fields are let pass, since a
// newer version may have written them.
absl::StatusOr<v1::Report> ReportFromJson(const std::string& json);

// The table's heading, then a row for each run of `run_order` that has a model report.
constexpr int kReportColumns = 7;
using ReportRow = std::array<std::string, kReportColumns>;
std::vector<ReportRow> ReportRows(const v1::Report& report,
                                  const std::vector<std::string>& run_order);
// Plan, seed, configuration and time, in a line.
std::string ReportSummary(const v1::Report& report);
// When and by what it was written, in a line; empty of a report that does not say so.
std::string ReportOrigin(const v1::Report& report);

// Rows in the order of `run_order`; runs without a model report are left out.
// ASCII, no line longer than 100 columns. Ends with each run's verdict, where it has one.
std::string RenderTable(const v1::Report& report, const std::vector<std::string>& run_order);
// The same as a Markdown document: DIR/report.md.
std::string RenderMarkdown(const v1::Report& report, const std::vector<std::string>& run_order);

}  // namespace distill

#endif  // CLI_REPORT_REPORT_H_
