#include "cli/terminal/live_area.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "cli/terminal/styled_text.h"

namespace distill {
namespace {

constexpr char kEraseBelow[] = "\x1b[J";
// Before the text: behind a text of the full width it would take its last character.
constexpr char kEraseLine[] = "\x1b[K";

}  // namespace

std::string LiveArea::Home(int columns) const {
  int rows = 0;
  for (const std::string& line : lines_) {
    const int width = VisibleWidth(line);
    rows += columns < 1 ? 1 : std::max(1, (width + columns - 1) / columns);
  }
  return rows == 0 ? "\r" : absl::StrCat("\r\x1b[", rows, "A");
}

std::string LiveArea::Draw() const {
  std::string bytes;
  for (const std::string& line : lines_) absl::StrAppend(&bytes, kEraseLine, line, "\n");
  return absl::StrCat(bytes, kEraseBelow);
}

std::string LiveArea::Frame(const std::vector<std::string>& lines, int columns) {
  const std::string home = Home(columns);
  lines_ = lines;
  return absl::StrCat(home, Draw());
}

std::string LiveArea::Above(const std::string& line, int columns) {
  if (lines_.empty()) return absl::StrCat(line, "\n");
  return absl::StrCat(Home(columns), kEraseBelow, line, "\n", Draw());
}

}  // namespace distill
