// Where the time of a whole run went: the step records of its ranks, added up.
#ifndef STUDENT_WORKER_ACCOUNTING_RUN_ACCOUNTING_H_
#define STUDENT_WORKER_ACCOUNTING_RUN_ACCOUNTING_H_

#include <cstdint>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "common/files/file_system.h"
#include "student_worker/accounting/phase_clock.h"
#include "student_worker/accounting/step_record.h"

namespace distill {

// Sums over steps and ranks.
struct RunAccounting {
  int64_t steps = 0;
  PhaseDurations phases{};
  absl::Duration wall;
  AnswerTimes answers;
};

// Adds one line of metrics.rank<r>.jsonl (step_record.h). False, and nothing is added, for
// what is no whole record, as a torn last line. Fields that are absent or null count as 0.
bool AddStep(std::string_view line, RunAccounting& sum);

// Adds all steps of one rank's file but the first, in which streams are opened and
// memory is touched for the first time; a file of one step counts as it is. Errors of
// FileSystem: `sum` may then hold a part of the file.
absl::Status AddSteps(FileSystem& files, const std::string& path, RunAccounting& sum);

}  // namespace distill

#endif  // STUDENT_WORKER_ACCOUNTING_RUN_ACCOUNTING_H_
