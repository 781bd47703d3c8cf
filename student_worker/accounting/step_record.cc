#include "student_worker/accounting/step_record.h"

#include <charconv>
#include <cmath>
#include <nlohmann/json.hpp>
#include <string_view>

#include "absl/strings/str_cat.h"
#include "absl/time/time.h"

namespace distill {
namespace {

// ,"<name><suffix>":<value>. Written by hand, since a step waits for its record: a JSON
// object that is built first takes several times as long.
void AppendNumber(std::string& line, std::string_view name, double value,
                  std::string_view suffix = "") {
  line.push_back(',');
  if (name.find_first_of("\"\\") == std::string_view::npos) {
    line.push_back('"');
    line.append(name);
  } else {
    line.append(nlohmann::json(name).dump());
    line.pop_back();
  }
  line.append(suffix);
  line.append("\":");
  if (!std::isfinite(value)) {
    line.append("null");
    return;
  }
  // The shortest that reads back as this value; 24 characters at most.
  char digits[32];
  const std::to_chars_result written = std::to_chars(digits, digits + sizeof(digits), value);
  const std::string_view number(digits, written.ptr - digits);
  line.append(number);
  if (number.find_first_of(".e") == std::string_view::npos) line.append(".0");
}

}  // namespace

AnswerTimes& AnswerTimes::operator+=(const AnswerTimes& other) {
  count += other.count;
  total += other.total;
  queue += other.queue;
  assemble += other.assemble;
  infer += other.infer;
  encode += other.encode;
  return *this;
}

std::string ToJsonLine(const StepRecord& record) {
  std::string line = absl::StrCat("{\"step\":", record.step);
  line.reserve(1024);
  AppendNumber(line, "loss", record.loss);
  for (const auto& [term, value] : record.loss_terms) AppendNumber(line, term, value);
  AppendNumber(line, "temperature", record.temperature);
  AppendNumber(line, "hard_weight", record.hard_weight);
  AppendNumber(line, "soft_weight", record.soft_weight);
  AppendNumber(line, "learning_rate", record.learning_rate);
  for (int phase = 0; phase < kPhases; ++phase) {
    AppendNumber(line, PhaseName(static_cast<Phase>(phase)),
                 absl::ToDoubleSeconds(record.phases[phase]), "_seconds");
  }
  AppendNumber(line, "wall_seconds", absl::ToDoubleSeconds(Total(record.phases)));
  if (record.answers.count > 0) {
    absl::StrAppend(&line, ",\"answers\":{\"count\":", record.answers.count);
    AppendNumber(line, "total", record.answers.total);
    AppendNumber(line, "queue", record.answers.queue);
    AppendNumber(line, "assemble", record.answers.assemble);
    AppendNumber(line, "infer", record.answers.infer);
    AppendNumber(line, "encode", record.answers.encode);
    line.push_back('}');
  }
  line.push_back('}');
  return line;
}

}  // namespace distill
