#include "student_worker/accounting/step_record.h"

#include <nlohmann/json.hpp>

#include "absl/time/time.h"

namespace distill {

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
  nlohmann::ordered_json line;
  line["step"] = record.step;
  line["loss"] = record.loss;
  for (const auto& [term, value] : record.loss_terms) line[term] = value;
  line["temperature"] = record.temperature;
  line["hard_weight"] = record.hard_weight;
  line["soft_weight"] = record.soft_weight;
  line["learning_rate"] = record.learning_rate;
  for (int phase = 0; phase < kPhases; ++phase) {
    const std::string name(PhaseName(static_cast<Phase>(phase)));
    line[name + "_seconds"] = absl::ToDoubleSeconds(record.phases[phase]);
  }
  line["wall_seconds"] = absl::ToDoubleSeconds(Total(record.phases));
  if (record.answers.count > 0) {
    line["answers"] = {{"count", record.answers.count}, {"total", record.answers.total},
                       {"queue", record.answers.queue}, {"assemble", record.answers.assemble},
                       {"infer", record.answers.infer}, {"encode", record.answers.encode}};
  }
  return line.dump();
}

}  // namespace distill
