#include "student_worker/accounting/run_accounting.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <optional>

#include "common/status/status_macros.h"

namespace distill {
namespace {

// A file is read in pieces, since one of a long run is larger than what it says.
constexpr uint64_t kPieceBytes = uint64_t{1} << 20;
// Much longer than any record.
constexpr size_t kMaxLineBytes = size_t{1} << 20;

double Number(const nlohmann::json& object, const std::string& field) {
  const auto it = object.find(field);
  return it == object.end() || !it->is_number() ? 0 : it->get<double>();
}

}  // namespace

bool AddStep(std::string_view line, RunAccounting& sum) {
  const auto json = nlohmann::json::parse(line, nullptr, /*allow_exceptions=*/false);
  if (!json.is_object() || !json.contains("step")) return false;
  ++sum.steps;
  for (int phase = 0; phase < kPhases; ++phase) {
    const std::string name(PhaseName(static_cast<Phase>(phase)));
    sum.phases[phase] += absl::Seconds(Number(json, name + "_seconds"));
  }
  sum.wall += absl::Seconds(Number(json, "wall_seconds"));
  const auto answers = json.find("answers");
  if (answers == json.end() || !answers->is_object()) return true;
  AnswerTimes times;
  times.count = static_cast<int64_t>(Number(*answers, "count"));
  times.total = Number(*answers, "total");
  times.queue = Number(*answers, "queue");
  times.assemble = Number(*answers, "assemble");
  times.infer = Number(*answers, "infer");
  times.encode = Number(*answers, "encode");
  sum.answers += times;
  return true;
}

absl::Status AddSteps(FileSystem& files, const std::string& path, RunAccounting& sum) {
  ASSIGN_OR_RETURN(const uint64_t size, files.Size(path));
  std::optional<std::string> first;
  bool more = false;
  std::string rest;
  for (uint64_t at = 0; at < size; at += kPieceBytes) {
    ASSIGN_OR_RETURN(const std::string piece,
                     files.ReadRange(path, at, std::min(kPieceBytes, size - at)));
    rest += piece;
    size_t begin = 0;
    for (size_t end = rest.find('\n'); end != std::string::npos; end = rest.find('\n', begin)) {
      const std::string_view line(rest.data() + begin, end - begin);
      if (!first.has_value()) {
        first = std::string(line);
      } else {
        more = AddStep(line, sum) || more;
      }
      begin = end + 1;
    }
    rest.erase(0, begin);
    if (rest.size() > kMaxLineBytes) rest.clear();
  }
  if (first.has_value() && !more) AddStep(*first, sum);
  return absl::OkStatus();
}

}  // namespace distill
