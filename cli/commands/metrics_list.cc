#include "cli/commands/metrics_list.h"

#include <nlohmann/json.hpp>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "cli/progress/text_table.h"

namespace distill {
namespace {

const char* OwnerName(MetricOwner owner) {
  switch (owner) {
    case MetricOwner::kEveryProcess:
      return "every process";
    case MetricOwner::kCoordinator:
      return "coordinator";
    case MetricOwner::kTeacherServer:
      return "teacher server";
    case MetricOwner::kStudentWorker:
      return "student worker";
  }
  return "";
}

std::string Heading(MetricOwner owner) {
  const char* article = owner == MetricOwner::kEveryProcess  ? ""
                        : owner == MetricOwner::kCoordinator ? "the "
                                                             : "a ";
  return absl::StrCat("## Of ", article, OwnerName(owner));
}

std::string Code(const std::string& text) { return absl::StrCat("`", text, "`"); }

std::string MarkdownRow(const MetricRow& row) {
  std::vector<std::string> labels;
  for (const std::string& label : LabelNames(row)) labels.push_back(Code(label));
  std::string text = row.help;
  if (*row.more != '\0') {
    if (text.back() == '.') text.pop_back();
    absl::StrAppend(&text, ": ", row.more);
  }
  return absl::StrCat("| ", Code(row.name), " | ", MetricKindName(row.kind), " | ",
                      absl::StrJoin(labels, ", "), " | ", row.unit, " | ", text, " |\n");
}

}  // namespace

std::string MetricsText(std::span<const MetricRow> rows) {
  std::string text;
  for (const MetricRow& row : rows) {
    const std::vector<std::string> labels = LabelNames(row);
    absl::StrAppend(&text, row.name);
    if (!labels.empty()) absl::StrAppend(&text, "{", absl::StrJoin(labels, ","), "}");
    absl::StrAppend(&text, "  ", MetricKindName(row.kind), " of ",
                    row.owner == MetricOwner::kEveryProcess ? "" : "a ", OwnerName(row.owner));
    if (*row.unit != '\0') absl::StrAppend(&text, ", in ", row.unit);
    absl::StrAppend(&text, "\n    ", row.help, "\n");
  }
  return text;
}

std::string MetricsTable(std::span<const MetricRow> rows, int width, bool wide, bool headers) {
  std::vector<TableColumn> columns = {{"NAME"}, {"TYPE", 3}, {"OF", 2}};
  if (wide) columns.insert(columns.end(), {{"UNIT"}, {"LABELS"}});
  columns.push_back({"MEANING", 1, false, 10});
  std::vector<TableRow> table;
  for (const MetricRow& row : rows) {
    TableRow& line = table.emplace_back();
    line.cells = {{row.name}, {MetricKindName(row.kind)}, {OwnerName(row.owner)}};
    if (wide) {
      line.cells.insert(line.cells.end(), {{row.unit}, {absl::StrJoin(LabelNames(row), ",")}});
    }
    line.cells.push_back({row.help});
  }
  std::vector<std::string> lines = LayOut(columns, table, width, /*color=*/false);
  if (!headers) lines.erase(lines.begin());
  return absl::StrCat(absl::StrJoin(lines, "\n"), "\n");
}

std::string MetricsNames(std::span<const MetricRow> rows) {
  std::string text;
  for (const MetricRow& row : rows) absl::StrAppend(&text, row.name, "\n");
  return text;
}

std::string MetricsJson(std::span<const MetricRow> rows) {
  nlohmann::ordered_json list = nlohmann::ordered_json::array();
  for (const MetricRow& row : rows) {
    nlohmann::ordered_json entry = {{"name", row.name},
                                    {"type", MetricKindName(row.kind)},
                                    {"of", OwnerName(row.owner)},
                                    {"labels", LabelNames(row)},
                                    {"unit", row.unit}};
    if (!row.bounds.empty()) {
      entry["buckets"] = std::vector<double>(row.bounds.begin(), row.bounds.end());
    }
    entry["help"] = row.help;
    entry["more"] = row.more;
    list.push_back(std::move(entry));
  }
  return nlohmann::ordered_json{{"version", 1}, {"metrics", std::move(list)}}.dump(2) + "\n";
}

std::string MetricsMarkdown(std::span<const MetricRow> rows) {
  std::string text =
      "# Metrics of each process\n\n<!-- Printed by `distillctl metrics list -o markdown` from "
      "common/metrics/catalogue.cc; do not edit. -->\n\nHow they are served, what to look at "
      "first, "
      "and how to add one: [metrics](metrics.md).\n";
  for (const MetricOwner owner : {MetricOwner::kEveryProcess, MetricOwner::kCoordinator,
                                  MetricOwner::kTeacherServer, MetricOwner::kStudentWorker}) {
    absl::StrAppend(&text, "\n", Heading(owner),
                    "\n\n| name | type | labels | unit | |\n| --- | --- | --- | --- | --- |\n");
    for (const MetricRow& row : rows) {
      if (row.owner == owner) absl::StrAppend(&text, MarkdownRow(row));
    }
  }
  return text;
}

}  // namespace distill
