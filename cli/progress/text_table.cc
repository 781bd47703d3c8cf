#include "cli/progress/text_table.h"

#include <algorithm>
#include <cstddef>

#include "absl/strings/str_cat.h"

namespace distill {
namespace {

constexpr int kGap = 2;

// A column that is shown: which, and how wide.
struct Shown {
  size_t at = 0;
  int width = 0;
};

// The widest text of a column; its title counts where there is any.
int NaturalWidth(const std::vector<TableColumn>& columns, const std::vector<TableRow>& rows,
                 size_t at) {
  size_t width = 0;
  for (const TableRow& row : rows) {
    if (at < row.cells.size()) width = std::max(width, row.cells[at].text.size());
  }
  return static_cast<int>(width == 0 && at > 0 ? 0 : std::max(width, columns[at].title.size()));
}

int Total(const std::vector<Shown>& shown) {
  int total = 0;
  for (const Shown& column : shown) total += column.width + kGap;
  return std::max(0, total - kGap);
}

std::vector<Shown> Fit(const std::vector<TableColumn>& columns, const std::vector<TableRow>& rows,
                       int width) {
  std::vector<Shown> shown;
  int wanted = 0;  // of the flexible column
  for (size_t at = 0; at < columns.size(); ++at) {
    int natural = NaturalWidth(columns, rows, at);
    if (natural == 0) continue;
    if (columns[at].min_width > 0) {
      wanted = natural;
      natural = std::min(natural, columns[at].min_width);
    }
    shown.push_back({at, natural});
  }
  while (Total(shown) > width) {
    const auto first =
        std::max_element(shown.begin(), shown.end(), [&](const Shown& a, const Shown& b) {
          return columns[a.at].dropped < columns[b.at].dropped;
        });
    if (first == shown.end() || columns[first->at].dropped == 0) break;
    shown.erase(first);
  }
  if (shown.empty()) return shown;
  Shown& last = shown.back();
  if (columns[last.at].min_width > 0) {
    last.width = std::min(wanted, last.width + std::max(0, width - Total(shown)));
  }
  if (const int over = Total(shown) - width; over > 0) {
    shown.front().width = std::max(1, shown.front().width - over);
  }
  return shown;
}

// A text in its column; without blanks behind it where nothing follows.
std::string Padded(const TableCell& cell, int width, bool right, bool last, bool color) {
  const std::string text = Cut(cell.text, width);
  const std::string blanks(static_cast<size_t>(width) - text.size(), ' ');
  const std::string painted = Paint(text, cell.style, color);
  if (right) return absl::StrCat(blanks, painted);
  return last ? painted : absl::StrCat(painted, blanks);
}

std::string LineOf(const TableRow& row, const std::vector<TableColumn>& columns,
                   const std::vector<Shown>& shown, int width, bool color) {
  std::string line;
  // Up to the last cell that has a text.
  size_t end = 0;
  for (size_t i = 0; i < shown.size(); ++i) {
    if (shown[i].at < row.cells.size() && !row.cells[shown[i].at].text.empty()) end = i + 1;
  }
  // A note stands behind the first column, where that leaves it room.
  const int used = shown.empty() ? 0 : shown[0].width + kGap;
  const bool noted = !row.note.text.empty() && used < width;
  if (!row.note.text.empty()) end = std::min<size_t>(1, shown.size());
  for (size_t i = 0; i < end; ++i) {
    const TableColumn& column = columns[shown[i].at];
    if (i > 0) line.append(kGap, ' ');
    const TableCell cell = shown[i].at < row.cells.size() ? row.cells[shown[i].at] : TableCell();
    const bool last = i + 1 == end && !noted;
    absl::StrAppend(&line, Padded(cell, shown[i].width, column.right_aligned, last, color));
  }
  if (noted) {
    line.append(kGap, ' ');
    absl::StrAppend(&line, Paint(Cut(row.note.text, width - used), row.note.style, color));
  }
  return line;
}

}  // namespace

std::vector<std::string> LayOut(const std::vector<TableColumn>& columns,
                                const std::vector<TableRow>& rows, int width, bool color) {
  const std::vector<Shown> shown = Fit(columns, rows, width);
  TableRow titles;
  for (const TableColumn& column : columns) titles.cells.push_back({column.title, Style::kFaint});
  std::vector<std::string> lines = {LineOf(titles, columns, shown, width, color)};
  for (const TableRow& row : rows) lines.push_back(LineOf(row, columns, shown, width, color));
  return lines;
}

}  // namespace distill
