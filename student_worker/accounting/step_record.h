// One line of DIR/<run>/metrics.rank<r>.jsonl.
#ifndef STUDENT_WORKER_ACCOUNTING_STEP_RECORD_H_
#define STUDENT_WORKER_ACCOUNTING_STEP_RECORD_H_

#include <cstdint>
#include <map>
#include <string>

#include "student_worker/accounting/phase_clock.h"

namespace distill {

// Of the answers that came in a while, used or not: seconds, summed over them. What
// `total` holds beyond the teacher's stages went into the way there and back, and
// into reading the answer here.
struct AnswerTimes {
  int64_t count = 0;
  // From sending the ask to having its labels.
  double total = 0;
  // The teacher's stages, as it said with each answer.
  double queue = 0;
  double assemble = 0;
  double infer = 0;
  double encode = 0;

  AnswerTimes& operator+=(const AnswerTimes& other);
};

struct StepRecord {
  int64_t step = 0;
  // The values this step used: equal on all ranks.
  double temperature = 1;
  double hard_weight = 0;
  double soft_weight = 0;
  double learning_rate = 0;
  // By term name: the mean over the global batch before weighting. A term without
  // an example in this step is absent.
  std::map<std::string, double> loss_terms;
  double loss = 0;
  // Of this rank; they add up to wall_seconds.
  PhaseDurations phases{};
  // Those that came during this step, of all teacher roles; mostly labels of later steps.
  AnswerTimes answers;
};

// JSON with keys in a fixed order, without a newline: "step", "loss", one
// "<term>" per loss term, the schedule values, "<phase>_seconds" for every phase,
// "wall_seconds", and where answers came "answers": an object of "count" and, in seconds,
// "total", "queue", "assemble", "infer", "encode". Numbers that JSON cannot hold (NaN, infinities)
// become null.
std::string ToJsonLine(const StepRecord& record);

}  // namespace distill

#endif  // STUDENT_WORKER_ACCOUNTING_STEP_RECORD_H_
