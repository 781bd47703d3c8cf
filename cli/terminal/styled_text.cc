#include "cli/terminal/styled_text.h"

#include <algorithm>
#include <cstddef>

#include "absl/strings/str_cat.h"

namespace distill {
namespace {

constexpr char kEscape = '\x1b';

// Of "Select Graphic Rendition": only the eight colours that every terminal has.
const char* CodeOf(Style style) {
  switch (style) {
    case Style::kPlain:
      return "";
    case Style::kTitle:
      return "1";
    case Style::kFaint:
      return "2";
    case Style::kGood:
      return "32";
    case Style::kWarning:
      return "33";
    case Style::kBad:
      return "31";
  }
  return "";
}

}  // namespace

std::string Paint(std::string_view text, Style style, bool color) {
  const std::string code = CodeOf(style);
  if (!color || code.empty() || text.empty()) return std::string(text);
  return absl::StrCat("\x1b[", code, "m", std::string(text), "\x1b[0m");
}

std::string Printable(std::string_view text) {
  std::string line;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte >= 0x20 && byte < 0x7f) {
      line.push_back(c);
    } else if (c == '\n' || c == '\t' || c == '\r') {
      line.push_back(' ');
    } else if (byte < 0x80 || byte >= 0xc0) {  // the first byte of a character, in UTF-8
      line.push_back('?');
    }
  }
  return line;
}

std::string Cut(std::string_view text, int columns) {
  const size_t room = static_cast<size_t>(std::max(0, columns));
  if (text.size() <= room) return std::string(text);
  if (room <= 2) return std::string(text.substr(0, room));
  return absl::StrCat(std::string(text.substr(0, room - 2)), "..");
}

std::vector<std::string> Wrap(std::string_view text, int columns, int most) {
  const size_t room = static_cast<size_t>(std::max(1, columns));
  std::vector<std::string> lines;
  while (text.size() > room && static_cast<int>(lines.size()) + 1 < most) {
    const size_t blank = text.substr(0, room + 1).rfind(' ');
    const bool fits = blank != std::string_view::npos && blank > 0;
    lines.emplace_back(text.substr(0, fits ? blank : room));
    text.remove_prefix(fits ? blank + 1 : room);
  }
  if (!text.empty()) lines.push_back(Cut(text, static_cast<int>(room)));
  return lines;
}

int VisibleWidth(std::string_view painted) {
  int width = 0;
  for (size_t i = 0; i < painted.size(); ++i) {
    if (painted[i] == kEscape) {
      while (i < painted.size() && painted[i] != 'm') ++i;
    } else {
      ++width;
    }
  }
  return width;
}

}  // namespace distill
