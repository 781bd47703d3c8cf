#include "cli/plan_file/carets.h"

#include <algorithm>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/string_view.h"

namespace distill {
namespace {

constexpr size_t kMostShown = 100;
constexpr char kIndent[] = "    ";

// The line and a caret below `column`, which counts from 1.
std::string Shown(std::string line, size_t column) {
  size_t at = std::min(column - 1, line.size());
  std::replace_if(
      line.begin(), line.end(), [](unsigned char c) { return c < ' ' || c == 127; }, ' ');
  if (line.size() > kMostShown) {
    const size_t from = at > kMostShown / 2 ? at - kMostShown / 2 : 0;
    line = line.substr(from, kMostShown);
    at -= from;
  }
  return absl::StrCat("\n", kIndent, line, "\n", kIndent, std::string(at, ' '), "^");
}

}  // namespace

std::string WithCarets(std::string_view problems, std::string_view path, std::string_view text) {
  const std::vector<std::string> lines = absl::StrSplit(std::string(text), '\n');
  const std::string before = absl::StrCat(std::string(path), ":");
  std::string shown;
  for (const std::string& problem :
       std::vector<std::string>(absl::StrSplit(std::string(problems), '\n'))) {
    absl::StrAppend(&shown, shown.empty() ? "" : "\n", problem);
    if (problem.rfind(before, 0) != 0) continue;
    const std::vector<std::string> parts =
        absl::StrSplit(problem.substr(before.size()), absl::MaxSplits(':', 2));
    size_t line = 0, column = 0;
    if (parts.size() < 3 || !absl::SimpleAtoi(parts[0], &line) ||
        !absl::SimpleAtoi(parts[1], &column) || line < 1 || line > lines.size() || column < 1) {
      continue;
    }
    absl::StrAppend(&shown, Shown(lines[line - 1], column));
  }
  return shown;
}

}  // namespace distill
