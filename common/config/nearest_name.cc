#include "common/config/nearest_name.h"

#include <algorithm>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"

namespace distill {
namespace {

constexpr size_t kMaxNameBytes = 100;

}  // namespace

int EditDistance(std::string_view a, std::string_view b) {
  std::vector<int> two_back(b.size() + 1), back(b.size() + 1), row(b.size() + 1);
  for (size_t j = 0; j <= b.size(); ++j) row[j] = static_cast<int>(j);
  for (size_t i = 1; i <= a.size(); ++i) {
    two_back.swap(back);
    back.swap(row);
    row[0] = static_cast<int>(i);
    for (size_t j = 1; j <= b.size(); ++j) {
      const int replaced = back[j - 1] + (a[i - 1] == b[j - 1] ? 0 : 1);
      row[j] = std::min({back[j] + 1, row[j - 1] + 1, replaced});
      if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1]) {
        row[j] = std::min(row[j], two_back[j - 2] + 1);
      }
    }
  }
  return row[b.size()];
}

std::string NearestName(std::string_view name, std::span<const std::string> known) {
  if (name.size() > kMaxNameBytes) return "";
  const std::string lower = absl::AsciiStrToLower(std::string(name));
  std::string nearest;
  int nearest_distance = 0;
  for (const std::string& candidate : known) {
    if (candidate.size() > kMaxNameBytes) continue;
    const int distance = EditDistance(lower, absl::AsciiStrToLower(candidate));
    if (distance > std::max(1, static_cast<int>(candidate.size()) / 3)) continue;
    if (nearest.empty() || distance < nearest_distance) {
      nearest = candidate;
      nearest_distance = distance;
    }
  }
  return nearest;
}

std::string SuggestName(std::string_view name, std::span<const std::string> known) {
  const std::string nearest = NearestName(name, known);
  if (!nearest.empty()) return absl::StrCat("; did you mean ", nearest, "?");
  return known.empty() ? "" : absl::StrCat("; known are: ", absl::StrJoin(known, ", "));
}

}  // namespace distill
