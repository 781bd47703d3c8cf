#include "cli/report/html_report.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <nlohmann/json.hpp>
#include <string_view>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_replace.h"
#include "cli/report/page.h"
#include "cli/report/report.h"
#include "student_worker/accounting/phase_clock.h"
#include "third_party/uplot/uplot.h"

namespace distill {
namespace {

// More than a chart is wide, in pixels.
constexpr size_t kMaxPoints = 400;
// Colours of page.css; those from the first one on are for terms that are neither hard nor soft.
constexpr int kFirstFree = 4;
constexpr int kColours = 8;

std::string Escaped(std::string_view text) {
  return absl::StrReplaceAll(
      std::string(text),
      {{"&", "&amp;"}, {"<", "&lt;"}, {">", "&gt;"}, {"\"", "&quot;"}, {"'", "&#39;"}});
}

// A curve of a chart: its tag, what the legend calls it, and the colour that it has everywhere.
struct Line {
  std::string tag;
  std::string label;
  int colour = 1;
};
struct Chart {
  std::string title;
  std::vector<Line> lines;
};

std::vector<Chart> ChartsOf(const Curves& curves) {
  Chart losses{"loss, and its terms before weighting", {{"loss/total", "total", 1}}};
  int next = kFirstFree;
  for (const auto& [tag, points] : curves) {
    if (!tag.starts_with("loss/") || tag == "loss/total") continue;
    const std::string term = tag.substr(5);
    losses.lines.push_back({tag, term, term == "hard" ? 2 : term == "soft" ? 3 : next});
    if (losses.lines.back().colour == next) next = next == kColours ? kFirstFree : next + 1;
  }
  return {{"validation accuracy", {{"eval/validation_accuracy", "accuracy", 1}}},
          losses,
          {"temperature", {{"schedule/temperature", "temperature", 1}}},
          {"weights", {{"schedule/hard_weight", "hard", 2}, {"schedule/soft_weight", "soft", 3}}},
          {"learning rate", {{"schedule/learning_rate", "learning rate", 1}}},
          {"examples per second", {{"speed/examples_per_second", "examples/s", 1}}}};
}

// One row a step that any line has a point at; null where a line has none.
using Rows = std::vector<std::pair<int64_t, std::vector<double>>>;
constexpr double kNone = std::numeric_limits<double>::quiet_NaN();

Rows RowsOf(const Chart& chart, const Curves& curves) {
  std::map<int64_t, std::vector<double>> rows;
  for (size_t i = 0; i < chart.lines.size(); ++i) {
    const auto curve = curves.find(chart.lines[i].tag);
    if (curve == curves.end()) continue;
    for (const CurvePoint& point : curve->second) {
      std::vector<double>& row = rows[point.step];
      row.resize(chart.lines.size(), kNone);
      row[i] = point.value;
    }
  }
  return Rows(rows.begin(), rows.end());
}

// Neighbours joined to their means, at the step of the last.
Rows Thinned(const Rows& rows) {
  const size_t joined = (rows.size() + kMaxPoints - 1) / kMaxPoints;
  if (joined <= 1) return rows;
  Rows thinned;
  for (size_t begin = 0; begin < rows.size(); begin += joined) {
    const size_t end = std::min(rows.size(), begin + joined);
    std::vector<double> means(rows[begin].second.size(), kNone);
    for (size_t i = 0; i < means.size(); ++i) {
      double sum = 0;
      int count = 0;
      for (size_t at = begin; at < end; ++at) {
        if (!std::isfinite(rows[at].second[i])) continue;
        sum += rows[at].second[i];
        ++count;
      }
      if (count > 0) means[i] = sum / count;
    }
    thinned.emplace_back(rows[end - 1].first, std::move(means));
  }
  return thinned;
}

nlohmann::ordered_json JsonOf(const Chart& chart, const Rows& rows) {
  nlohmann::ordered_json json = {{"steps", nlohmann::json::array()},
                                 {"series", nlohmann::json::array()}};
  for (const auto& [step, values] : rows) json["steps"].push_back(step);
  for (size_t i = 0; i < chart.lines.size(); ++i) {
    nlohmann::json values = nlohmann::json::array();
    // Floats, of which six digits are enough to draw; what is not finite becomes null.
    for (const auto& [step, row] : rows) {
      values.push_back(std::isfinite(row[i])
                           ? nlohmann::json::parse(absl::StrFormat("%.6g", row[i]))
                           : nlohmann::json());
    }
    json["series"].push_back({{"label", chart.lines[i].label},
                              {"colour", chart.lines[i].colour},
                              {"values", std::move(values)}});
  }
  return json;
}

std::string TableOf(const v1::Report& report, const std::vector<std::string>& run_order) {
  std::string out = "<div class=\"wide\"><table class=\"models\">\n";
  const char* cell = "th";
  for (const auto& row : ReportRows(report, run_order)) {
    absl::StrAppend(&out, "<tr>");
    for (const std::string& text : row) {
      absl::StrAppend(&out, "<", cell, ">", Escaped(text), "</", cell, ">");
    }
    absl::StrAppend(&out, "</tr>\n");
    cell = "td";
  }
  return absl::StrCat(out, "</table></div>\n");
}

std::string PhasesOf(const RunAccounting& accounting) {
  if (accounting.wall <= absl::ZeroDuration()) return "";
  std::vector<std::pair<double, std::string>> shares;
  for (int phase = 0; phase < kPhases; ++phase) {
    const double share = absl::FDivDuration(accounting.phases[phase], accounting.wall);
    if (share < 0.0005) continue;
    shares.emplace_back(
        share,
        absl::StrReplaceAll(std::string(PhaseName(static_cast<Phase>(phase))), {{"_", " "}}));
  }
  std::stable_sort(shares.begin(), shares.end(),
                   [](const auto& a, const auto& b) { return a.first > b.first; });
  std::string out =
      "<div class=\"card\"><h3>where the time went, all ranks</h3><table class=\"phases\">\n";
  for (const auto& [share, name] : shares) {
    absl::StrAppendFormat(
        &out,
        "<tr><td>%s</td><td><div class=\"bar\" style=\"width: %.1f%%\"></div></td>"
        "<td>%.1f %%</td></tr>\n",
        Escaped(name), 100 * share, 100 * share);
  }
  return absl::StrCat(out, "</table></div>\n");
}

// The curves go into `charts`, which the page's elements name by index.
std::string SectionOf(const std::string& run, const v1::ModelReport& model,
                      const RunRecords* records, nlohmann::ordered_json& charts) {
  std::string out = absl::StrCat("<section>\n<h2>", Escaped(run), "</h2>\n");
  if (!model.verdict().empty()) absl::StrAppend(&out, "<p>", Escaped(model.verdict()), "</p>\n");
  if (records == nullptr) return absl::StrCat(out, "</section>\n");
  if (!records->missing.empty()) {
    absl::StrAppend(&out, "<p class=\"muted\">", Escaped(records->missing), "</p>\n");
  }
  absl::StrAppend(&out, "<div class=\"grid\">\n");
  for (const Chart& chart : ChartsOf(records->curves)) {
    const Rows rows = Thinned(RowsOf(chart, records->curves));
    if (rows.empty()) continue;
    absl::StrAppend(&out, "<div class=\"card\"><h3>", Escaped(chart.title),
                    "</h3><div class=\"plot\" data-chart=\"", charts.size(), "\"></div></div>\n");
    charts.push_back(JsonOf(chart, rows));
  }
  return absl::StrCat(out, PhasesOf(records->accounting), "</div>\n</section>\n");
}

// In XML, script and style are text like any other; in HTML they are not: both read this.
std::string Raw(std::string_view text) {
  return absl::StrCat("/*<![CDATA[*/\n", std::string(text), "\n/*]]>*/");
}

}  // namespace

std::map<std::string, RunRecords> ReadRecords(FileSystem& files, const std::string& run_dir,
                                              const v1::PlanConfig& plan) {
  std::map<std::string, RunRecords> all;
  for (const v1::RunConfig& run : plan.runs()) {
    const std::string folder = JoinPath(run_dir, run.name());
    RunRecords& records = all[run.name()];
    auto curves = ReadCurves(files, folder);
    if (curves.ok()) {
      records.curves = *std::move(curves);
    } else {
      records.missing = absl::StrCat("no curves: ", std::string(curves.status().message()));
    }
    for (uint32_t rank = 0; rank < run.training().world_size(); ++rank) {
      const absl::Status status =
          AddSteps(files, JoinPath(folder, absl::StrCat("metrics.rank", rank, ".jsonl")),
                   records.accounting);
      if (status.ok() || absl::IsNotFound(status)) continue;
      records.missing = absl::StrCat("not all records: ", std::string(status.message()));
    }
  }
  return all;
}

std::string RenderHtml(const v1::Report& report, const std::vector<std::string>& run_order,
                       const std::map<std::string, RunRecords>& records) {
  nlohmann::ordered_json charts = nlohmann::ordered_json::array();
  std::string sections;
  for (const std::string& run : run_order) {
    const auto model = report.models().find(run);
    if (model == report.models().end()) continue;
    const auto of_run = records.find(run);
    absl::StrAppend(
        &sections,
        SectionOf(run, model->second, of_run == records.end() ? nullptr : &of_run->second, charts));
  }
  // A "<" in a name could end the script that holds the curves, a "]]>" its XML.
  const std::string curves = absl::StrReplaceAll(
      charts.dump(-1, ' ', /*ensure_ascii=*/true, nlohmann::json::error_handler_t::replace),
      {{"<", "\\u003c"}, {">", "\\u003e"}, {"&", "\\u0026"}});
  const std::string title = Escaped(report.plan());
  const std::string origin = Escaped(ReportOrigin(report));
  return absl::StrCat(
      "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\"/>\n"
      "<meta name=\"viewport\" content=\"width=device-width\"/>\n<title>",
      title, "</title>\n<style>", Raw(kUplotCss), Raw(kPageCss), "</style>\n</head>\n<body>\n<h1>",
      title, "</h1>\n<p class=\"muted\">", Escaped(ReportSummary(report)),
      origin.empty() ? "" : "<br/>", origin, "</p>\n", TableOf(report, run_order), sections,
      "<script type=\"application/json\" id=\"curves\">", curves, "</script>\n<script>",
      Raw(absl::StrCat("/*\n", std::string(kUplotLicense), "*/\n", std::string(kUplotJs),
                       std::string(kPageJs))),
      "</script>\n</body>\n</html>\n");
}

}  // namespace distill
