#include "cli/report/report.h"

#include <google/protobuf/util/json_util.h>
#include <google/protobuf/util/time_util.h>

#include <algorithm>
#include <array>
#include <map>
#include <nlohmann/json.hpp>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"

namespace distill {
namespace {

using ::google::protobuf::util::TimeUtil;

constexpr size_t kMaxLine = 100;

// 12345678 -> "12,345,678".
std::string Grouped(uint64_t value) {
  std::string digits = absl::StrCat(value);
  for (int at = static_cast<int>(digits.size()) - 3; at > 0; at -= 3) digits.insert(at, 1, ',');
  return digits;
}

// (run, what bounded it) where that was judged.
std::vector<std::pair<std::string, std::string>> Verdicts(
    const v1::Report& report, const std::vector<std::string>& run_order) {
  std::vector<std::pair<std::string, std::string>> verdicts;
  for (const std::string& run : run_order) {
    const auto it = report.models().find(run);
    if (it == report.models().end() || it->second.verdict().empty()) continue;
    verdicts.emplace_back(run, it->second.verdict());
  }
  return verdicts;
}

// Lines of at most kMaxLine columns, all but the first indented. A longer word is kept.
std::string Wrapped(const std::string& text) {
  std::string out;
  size_t column = 0;
  for (const auto word : absl::StrSplit(text, ' ')) {
    if (column > 0 && column + 1 + word.size() > kMaxLine) {
      absl::StrAppend(&out, "\n  ", word);
      column = 2 + word.size();
    } else {
      absl::StrAppend(&out, column > 0 ? " " : "", word);
      column += (column > 0 ? 1 : 0) + word.size();
    }
  }
  return out;
}

}  // namespace

std::vector<ReportRow> ReportRows(const v1::Report& report,
                                  const std::vector<std::string>& run_order) {
  std::vector<ReportRow> rows = {{"model", "test accuracy",
                                  absl::StrCat("agrees with ", report.reference()), "parameters",
                                  "multiply-adds", "file bytes", "latency (ms)"}};
  for (const std::string& run : run_order) {
    const auto it = report.models().find(run);
    if (it == report.models().end()) continue;
    const v1::ModelReport& model = it->second;
    rows.push_back({run, absl::StrFormat("%.4f", model.test_accuracy()),
                    absl::StrFormat("%.4f", model.agreement()), Grouped(model.parameters()),
                    // Not known of a model from a file.
                    model.multiply_adds() == 0 ? "-" : Grouped(model.multiply_adds()),
                    Grouped(model.file_bytes()), absl::StrFormat("%.3f", model.latency_ms())});
  }
  return rows;
}

std::string ReportSummary(const v1::Report& report) {
  return absl::StrFormat("plan %s, seed %d, configuration %.12s, %.0f s", report.plan(),
                         report.seed(), report.config_digest(), report.job_seconds());
}

std::string ReportOrigin(const v1::Report& report) {
  if (!report.has_written_at()) return "";
  return absl::StrCat("written ", TimeUtil::ToString(report.written_at()), " by distillery ",
                      report.written_by());
}

// By hand, because protobuf writes 64-bit integers as strings, which no script expects.
std::string ReportToJson(const v1::Report& report) {
  nlohmann::ordered_json models = nlohmann::ordered_json::object();
  const std::map<std::string, v1::ModelReport> sorted(report.models().begin(),
                                                      report.models().end());
  for (const auto& [run, model] : sorted) {
    models[run] = {{"test_accuracy", model.test_accuracy()},
                   {"agreement", model.agreement()},
                   {"parameters", model.parameters()},
                   {"multiply_adds", model.multiply_adds()},
                   {"file_bytes", model.file_bytes()},
                   {"latency_ms", model.latency_ms()},
                   {"fingerprint", model.fingerprint()},
                   {"steps", model.steps()},
                   {"export_max_difference", model.export_max_difference()},
                   {"verdict", model.verdict()}};
  }
  const nlohmann::ordered_json json = {{"job_seconds", report.job_seconds()},
                                       {"seed", report.seed()},
                                       {"plan", report.plan()},
                                       {"config_digest", report.config_digest()},
                                       {"reference", report.reference()},
                                       {"written_at", TimeUtil::ToString(report.written_at())},
                                       {"written_by", report.written_by()},
                                       {"models", models}};
  return json.dump(2) + "\n";
}

absl::StatusOr<v1::Report> ReportFromJson(const std::string& json) {
  google::protobuf::util::JsonParseOptions options;
  options.ignore_unknown_fields = true;
  v1::Report report;
  const auto status = google::protobuf::util::JsonStringToMessage(json, &report, options);
  if (!status.ok()) return absl::InvalidArgumentError(status.ToString());
  return report;
}

std::string RenderTable(const v1::Report& report, const std::vector<std::string>& run_order) {
  const std::vector<ReportRow> rows = ReportRows(report, run_order);
  std::array<size_t, kReportColumns> widths{};
  for (const ReportRow& row : rows) {
    for (int c = 0; c < kReportColumns; ++c) widths[c] = std::max(widths[c], row[c].size());
  }
  std::string table;
  for (const ReportRow& row : rows) {
    std::string line = absl::StrFormat("%-*s", static_cast<int>(widths[0]), row[0]);
    for (int c = 1; c < kReportColumns; ++c) {
      absl::StrAppendFormat(&line, "  %*s", static_cast<int>(widths[c]), row[c]);
    }
    absl::StrAppend(&table, line, "\n");
  }
  absl::StrAppend(&table, ReportSummary(report), "\n");
  for (const auto& [run, verdict] : Verdicts(report, run_order)) {
    absl::StrAppend(&table, Wrapped(absl::StrCat(run, ": ", verdict)), "\n");
  }
  return table;
}

std::string RenderMarkdown(const v1::Report& report, const std::vector<std::string>& run_order) {
  const std::vector<ReportRow> rows = ReportRows(report, run_order);
  std::string out = absl::StrCat("# ", report.plan(), "\n\n", ReportSummary(report), "\n\n");
  if (const std::string origin = ReportOrigin(report); !origin.empty()) {
    absl::StrAppend(&out, origin, "\n\n");
  }
  absl::StrAppend(&out, "| ", absl::StrJoin(rows[0], " | "), " |\n|---");
  for (int c = 1; c < kReportColumns; ++c) absl::StrAppend(&out, "|---:");
  absl::StrAppend(&out, "|\n");
  for (size_t i = 1; i < rows.size(); ++i) {
    absl::StrAppend(&out, "| ", absl::StrJoin(rows[i], " | "), " |\n");
  }
  const auto verdicts = Verdicts(report, run_order);
  if (!verdicts.empty()) absl::StrAppend(&out, "\n");
  for (const auto& [run, verdict] : verdicts) {
    absl::StrAppend(&out, "* **", run, "**: ", verdict, "\n");
  }
  return out;
}

}  // namespace distill
