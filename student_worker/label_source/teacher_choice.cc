#include "student_worker/label_source/teacher_choice.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>
#include <vector>

#include "absl/base/internal/raw_logging.h"

namespace distill {
namespace {

// Weight of what was known before, at each answer: about the last ten count.
constexpr double kDecay = 0.9;
constexpr double kSteadyDecay = 0.995;
// An estimate without news is old after the longer of these: so one that is slow costs at most
// a fifth of its time to be tried again.
constexpr absl::Duration kOld = absl::Milliseconds(250);
constexpr int kOldLatencies = 4;

constexpr int kMaxPieces = 16;
constexpr double kAsksPerTeacher = 2;
constexpr size_t kCompareAll = 16;
constexpr int kDraws = 4;
constexpr double kAlike = 1.2;

// One of `candidates`, in proportion to their speeds.
TeacherCandidate* Draw(const std::vector<TeacherCandidate*>& candidates, double random) {
  const auto speed = [](const TeacherCandidate* candidate) {
    return 1 / std::max(candidate->seconds_per_example, 1e-12);
  };
  double sum = 0;
  for (const TeacherCandidate* candidate : candidates) sum += speed(candidate);
  double left = random * sum;
  for (TeacherCandidate* candidate : candidates) {
    left -= speed(candidate);
    if (left < 0) return candidate;
  }
  return candidates.back();
}

TeacherCandidate* Soonest(const std::vector<TeacherCandidate*>& candidates, int64_t examples,
                          absl::Duration now) {
  double least = std::numeric_limits<double>::infinity();
  for (const TeacherCandidate* candidate : candidates) {
    least = std::min(least, PredictSeconds(*candidate, examples, now));
  }
  TeacherCandidate* best = nullptr;
  const auto asked = [](const TeacherCandidate* one) { return one->load->asked() + one->share; };
  for (TeacherCandidate* candidate : candidates) {
    if (PredictSeconds(*candidate, examples, now) > least * kAlike) continue;
    if (best == nullptr || asked(candidate) < asked(best)) best = candidate;
  }
  return best;
}

}  // namespace

void TeacherLoad::Asked(int64_t examples, absl::Duration now) {
  if (asks_ == 0) {
    renew_ = !Known() || Old(now);
    mark_ = now;
  }
  ++asks_;
  outstanding_ += examples;
  asked_ += examples;
}

void TeacherLoad::Ended(End how, int64_t examples, absl::Duration asked_at, absl::Duration now) {
  ABSL_RAW_CHECK(asks_ > 0 && outstanding_ >= examples, "an ask ended that was not outstanding");
  const double span = absl::ToDoubleSeconds(now - mark_);
  --asks_;
  outstanding_ -= examples;
  mark_ = now;
  if (how == End::kFailed) return;  // how soon it fails says nothing of how fast it works
  if (how == End::kAnswered || !Known()) {
    steady_busy_seconds_ *= kSteadyDecay;
    steady_examples_ = steady_examples_ * kSteadyDecay + static_cast<double>(examples);
  }
  steady_busy_seconds_ += span;
  const bool first = std::exchange(renew_, false);
  if (first) {
    // The first news, or the first for long; of one that was given up, a lower bound.
    busy_seconds_ = 0;
    examples_ = 0;
  }
  if (how == End::kAnswered || first) {
    busy_seconds_ *= kDecay;
    examples_ = examples_ * kDecay + static_cast<double>(examples);
  }
  busy_seconds_ += span;
  known_at_ = now;
  last_latency_ = now - asked_at;
}

void TeacherLoad::CatchUp(int64_t asked_by_others, int64_t most) {
  asked_ = std::max(asked_, asked_by_others - most);
}

std::optional<double> TeacherLoad::SecondsPerExample() const {
  if (!Known()) return std::nullopt;
  return busy_seconds_ / examples_;
}

std::optional<double> TeacherLoad::SteadySecondsPerExample() const {
  if (!Known()) return std::nullopt;
  return steady_busy_seconds_ / steady_examples_;
}

bool TeacherLoad::Old(absl::Duration now) const {
  return Known() && asks_ == 0 && now - known_at_ > std::max(kOld, kOldLatencies * last_latency_);
}

double TeacherLoad::Backlog(double seconds_per_example, absl::Duration now) const {
  if (asks_ == 0) return 0;
  // One that is late will take as long again, for all that is known: it looks the worse the
  // longer it is silent.
  return std::abs(static_cast<double>(outstanding_) * seconds_per_example -
                  absl::ToDoubleSeconds(now - mark_));
}

void EstimateAll(std::span<TeacherCandidate> candidates) {
  const auto known = [](const TeacherCandidate& candidate) {
    return candidate.load->Known() && !candidate.half_open;
  };
  double sum = 0;
  int count = 0;
  for (const TeacherCandidate& candidate : candidates) {
    if (!known(candidate)) continue;
    sum += *candidate.load->SecondsPerExample();
    ++count;
  }
  const double mean = count > 0 ? sum / count : 0;
  for (TeacherCandidate& candidate : candidates) {
    candidate.seconds_per_example = known(candidate) ? *candidate.load->SecondsPerExample() : mean;
  }
}

double PredictSeconds(const TeacherCandidate& candidate, int64_t examples, absl::Duration now) {
  return candidate.load->Backlog(candidate.seconds_per_example, now) +
         static_cast<double>(candidate.share + examples) * candidate.seconds_per_example;
}

int PiecesOfStep(std::span<const TeacherCandidate> candidates, int window_steps) {
  double slowest = 0;
  for (const TeacherCandidate& candidate : candidates) {
    slowest = std::max(slowest, candidate.seconds_per_example);
  }
  double while_slowest = 0;
  for (const TeacherCandidate& candidate : candidates) {
    while_slowest +=
        candidate.seconds_per_example > 0 ? slowest / candidate.seconds_per_example : 1;
  }
  const double pieces = std::ceil(kAsksPerTeacher * while_slowest / window_steps);
  return static_cast<int>(std::clamp(pieces, 1., static_cast<double>(kMaxPieces)));
}

int64_t DivideExamples(std::span<TeacherCandidate> candidates, int64_t examples, int64_t piece,
                       absl::Duration now, const std::function<double()>& random) {
  const bool any_known = std::ranges::any_of(candidates, [](const TeacherCandidate& candidate) {
    return !candidate.half_open && candidate.load->Known();
  });
  std::vector<TeacherCandidate*> usual, tried_first;
  for (TeacherCandidate& candidate : candidates) {
    const TeacherLoad& load = *candidate.load;
    const bool one_ask = candidate.half_open || (any_known && !load.Known());
    if (!one_ask) usual.push_back(&candidate);
    if ((one_ask && load.asks() == 0) || load.Old(now)) tried_first.push_back(&candidate);
  }
  while (examples > 0) {
    const int64_t next = std::min(examples, piece);
    TeacherCandidate* chosen = nullptr;
    if (!tried_first.empty()) {
      chosen = tried_first.back();
      tried_first.pop_back();
    } else if (usual.empty()) {
      break;
    } else if (usual.size() <= kCompareAll) {
      chosen = Soonest(usual, next, now);
    } else {
      std::vector<TeacherCandidate*> drawn;
      for (int i = 0; i < kDraws; ++i) drawn.push_back(Draw(usual, random()));
      chosen = Soonest(drawn, next, now);
    }
    chosen->share += next;
    examples -= next;
  }
  return examples;
}

}  // namespace distill
