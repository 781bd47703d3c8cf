// What bounds a run's speed, from where its time went. Pure.
#ifndef STUDENT_WORKER_ACCOUNTING_VERDICT_H_
#define STUDENT_WORKER_ACCOUNTING_VERDICT_H_

#include <cstdint>
#include <string>

#include "student_worker/accounting/run_accounting.h"

namespace distill {

enum class Bound {
  kUnknown,      // nothing was recorded, or too much of the time has no name
  kTeacher,      // waits for labels, and the teacher's stages are most of an ask
  kNetwork,      // waits for labels, and most of an ask is spent outside the teacher
  kLabels,       // waits for labels, and which of the two was not recorded
  kInput,        // prepares examples
  kCoordinator,  // waits to be granted steps
  kKeeping,      // writes checkpoints and evaluates
  kStudent,      // none of these: forward, backward, all-reduce, optimizer
};

// Shares of the wall time from which something bounds the run; of several, the largest
// does. What is asked for ahead, labels and grants, costs nothing at all while its source
// has room: a tenth is beyond jitter and says that the source is slower than the student.
inline constexpr double kMinWaitShare = 0.10;
// What is done in line with the step always costs something. A quarter is worth a
// change before the student's own work is.
inline constexpr double kMinInlineShare = 0.25;
// Of an ask's time, for the teacher to be what is waited for.
inline constexpr double kMinTeacherShare = 0.5;
// Of the teacher's stages: an ask that comes while a batch computes waits for half of it
// on average, and then for its own, so a teacher that is never idle queues for a third.
inline constexpr double kFullQueueShare = 1.0 / 3;
// Of the student's own work, for it to be the fault of too many ranks.
inline constexpr double kMinAllReduceShare = 0.5;
// Of the wall time; above, the verdict says so.
inline constexpr double kMaxUnnamedShare = 0.03;

struct Verdict {
  Bound bound = Bound::kUnknown;
  // By how much the named phases (all but kOther) miss the wall time, over it.
  double unnamed = 0;
  // "teacher-bound: ...": what was measured and what would help. ASCII, no full stop.
  std::string sentence;
};

// What a label of the run is on its way, in bytes. No codec: not known. `smaller`: what would
// suit the run too, if anything.
struct LabelTraffic {
  std::string codec;
  uint64_t bytes = 0;
  std::string smaller;
  uint64_t smaller_bytes = 0;
};

Verdict Judge(const RunAccounting& run, const LabelTraffic& labels = {});

}  // namespace distill

#endif  // STUDENT_WORKER_ACCOUNTING_VERDICT_H_
