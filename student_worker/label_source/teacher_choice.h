// How the examples of a step are divided among teachers, by when each would have answered.
#ifndef STUDENT_WORKER_LABEL_SOURCE_TEACHER_CHOICE_H_
#define STUDENT_WORKER_LABEL_SOURCE_TEACHER_CHOICE_H_

#include <cstdint>
#include <functional>
#include <optional>
#include <span>

#include "absl/time/time.h"

namespace distill {

// What one student has outstanding at one teacher, and a moving estimate of how fast that
// teacher works for it. Thread-compatible. Points in time are readings of one monotonic clock.
class TeacherLoad {
 public:
  // kOvertaken: given up after some time, since another teacher was first or it was late.
  enum class End { kAnswered, kOvertaken, kFailed };

  void Asked(int64_t examples, absl::Duration now);
  void Ended(End how, int64_t examples, absl::Duration asked_at, absl::Duration now);

  int asks() const { return asks_; }
  // Examples.
  int64_t outstanding() const { return outstanding_; }
  // Examples asked so far; of two equal teachers the one with fewer is asked.
  int64_t asked() const { return asked_; }
  // A newcomer makes up for no more than `most` examples.
  void CatchUp(int64_t asked_by_others, int64_t most);

  // Time with something outstanding over examples answered meanwhile, older answers
  // weighing less: batches, and a queue that others fill as well, are in it.
  std::optional<double> SecondsPerExample() const;
  // The same over the last hundred answers or so: where some labels come from a cache and
  // others are computed, ten say little.
  std::optional<double> SteadySecondsPerExample() const;
  bool Known() const { return examples_ > 0; }
  // Nothing was asked for so long that the estimate is old: the next answer replaces it.
  bool Old(absl::Duration now) const;
  // Seconds until it has answered what is outstanding. `seconds_per_example` as estimated.
  double Backlog(double seconds_per_example, absl::Duration now) const;

 private:
  int asks_ = 0;
  int64_t outstanding_ = 0;
  int64_t asked_ = 0;
  // Since something is outstanding, or since the last end.
  absl::Duration mark_;
  // Weighted sums.
  double busy_seconds_ = 0;
  double examples_ = 0;
  double steady_busy_seconds_ = 0;
  double steady_examples_ = 0;
  bool renew_ = true;
  absl::Duration known_at_;
  absl::Duration last_latency_;
};

struct TeacherCandidate {
  const TeacherLoad* load = nullptr;
  // May have one ask outstanding, of one piece: its breaker is half-open.
  bool half_open = false;
  // Out: the estimate that counts; and the examples it is to be asked for.
  double seconds_per_example = 0;
  int64_t share = 0;
};

// Fills in `seconds_per_example`. Those that are unknown or half-open (what they took when
// they failed tells nothing) are taken for average ones; 0 where no other is known.
void EstimateAll(std::span<TeacherCandidate> candidates);

// Seconds until this teacher, its share included, has answered `examples` more.
double PredictSeconds(const TeacherCandidate& candidate, int64_t examples, absl::Duration now);

// Into how many pieces a step is cut for teachers as in EstimateAll, so that every one has
// one piece to work on and one on its way while the slowest of them works on one, and
// `window_steps` steps hold all of these: 2 (sum of rates / least rate) / window_steps,
// rounded up; at most 16.
int PiecesOfStep(std::span<const TeacherCandidate> candidates, int window_steps);

// Adds `examples` to the shares, `piece` at a time, each to the candidate with the least
// predicted time; within a fifth of it, to the one asked for least so far. Of more than 16,
// four are drawn for each piece, the faster ones more often, and compared (Mitzenmacher, "The
// power of two choices in randomized load balancing", 2001): otherwise all students would
// choose the same one. An idle teacher whose estimate is old, or that has none, gets a piece
// first; one without an estimate, beside one with, no more before it has answered.
// Returns what nobody may be asked for now.
// `random` gives numbers in [0, 1).
int64_t DivideExamples(std::span<TeacherCandidate> candidates, int64_t examples, int64_t piece,
                       absl::Duration now, const std::function<double()>& random);

}  // namespace distill

#endif  // STUDENT_WORKER_LABEL_SOURCE_TEACHER_CHOICE_H_
