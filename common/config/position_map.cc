#include "common/config/position_map.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "common/status/error_id.h"

namespace distill {
namespace {

// "a.b[2].c" -> "a.b[2]" -> "a.b" -> "a" -> "".
std::string_view Parent(std::string_view path) {
  const size_t cut = path.find_last_of(".[");
  return cut == std::string_view::npos ? std::string_view() : path.substr(0, cut);
}

}  // namespace

std::string SourcePosition::ToString() const {
  return line == 0 ? file : absl::StrCat(file, ":", line, ":", column);
}

std::string ChildPath(std::string_view parent, std::string_view field) {
  return parent.empty() ? std::string(field)
                        : absl::StrCat(std::string(parent), ".", std::string(field));
}

std::string ElementPath(std::string_view repeated, int index) {
  return absl::StrCat(std::string(repeated), "[", index, "]");
}

void PositionMap::Set(std::string_view path, SourcePosition position) {
  positions_.insert_or_assign(std::string(path), std::move(position));
}

void PositionMap::Erase(std::string_view path) {
  auto it = positions_.lower_bound(path);
  while (it != positions_.end() && it->first.starts_with(path)) {
    const std::string_view rest = std::string_view(it->first).substr(path.size());
    const bool within = rest.empty() || path.empty() || rest[0] == '.' || rest[0] == '[';
    it = within ? positions_.erase(it) : std::next(it);
  }
}

const SourcePosition* PositionMap::PositionOf(std::string_view path) const {
  while (true) {
    const auto it = positions_.find(path);
    if (it != positions_.end()) return &it->second;
    if (path.empty()) return nullptr;
    path = Parent(path);
  }
}

const SourcePosition* PositionMap::Written(std::string_view path) const {
  const auto it = positions_.find(path);
  return it == positions_.end() ? nullptr : &it->second;
}

absl::Status ProblemsToStatus(const std::vector<FieldProblem>& problems,
                              const PositionMap& positions) {
  if (problems.empty()) return absl::OkStatus();
  std::string text;
  for (const FieldProblem& problem : problems) {
    if (!text.empty()) text += '\n';
    const SourcePosition* position = positions.PositionOf(problem.path);
    if (position != nullptr) absl::StrAppend(&text, position->ToString(), ": ");
    if (!problem.path.empty()) absl::StrAppend(&text, problem.path, ": ");
    text += problem.message;
  }
  return WithErrorId(absl::InvalidArgumentError(text), problems.front().id);
}

}  // namespace distill
