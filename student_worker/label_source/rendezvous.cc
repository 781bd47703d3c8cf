#include "student_worker/label_source/rendezvous.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>
#include <optional>
#include <queue>
#include <utility>

#include "common/random/random.h"

namespace distill {
namespace {

constexpr double kMostLoad = 2;
constexpr double kAlike = 1.2;

// What a teacher holds, the one that ranks it least first.
using Held = std::priority_queue<std::pair<double, size_t>, std::vector<std::pair<double, size_t>>,
                                 std::greater<>>;

class Division {
 public:
  Division(std::span<const uint64_t> keys, std::span<const RendezvousTeacher> teachers)
      : teachers_(teachers), held_(teachers.size()), chosen_(keys.size(), -1) {
    weights_.reserve(keys.size() * teachers.size());
    for (const uint64_t key : keys) {
      for (const RendezvousTeacher& teacher : teachers) {
        // Never 0.
        const double draw = 1 - UniformReal(key, teacher.hash, 0);
        weights_.push_back(teacher.speed / std::max(-std::log(draw), 1e-300));
      }
    }
  }

  std::vector<int> Run() {
    for (size_t key = 0; key < chosen_.size(); ++key) {
      // Placing one may displace another, which is placed next.
      for (std::optional<size_t> next = key; next.has_value();) next = Place(*next);
    }
    return std::move(chosen_);
  }

 private:
  double Weight(size_t key, size_t teacher) const {
    return weights_[key * teachers_.size() + teacher];
  }

  // The key's next teacher after the one it had, -1 when there is none.
  int Next(size_t key) const {
    const int last = chosen_[key];
    int best = -1;
    for (size_t i = 0; i < teachers_.size(); ++i) {
      const int teacher = static_cast<int>(i);
      if (teacher == last || (last >= 0 && Before(key, teacher, last))) continue;
      if (best < 0 || Before(key, teacher, best)) best = teacher;
    }
    return best;
  }
  bool Before(size_t key, int a, int b) const {
    const double of_a = Weight(key, static_cast<size_t>(a));
    const double of_b = Weight(key, static_cast<size_t>(b));
    return of_a != of_b ? of_a > of_b : a < b;
  }

  // Gives the key that is without a teacher now, if one is that has teachers left to try.
  std::optional<size_t> Place(size_t key) {
    for (chosen_[key] = Next(key); chosen_[key] >= 0; chosen_[key] = Next(key)) {
      const size_t teacher = static_cast<size_t>(chosen_[key]);
      Held& held = held_[teacher];
      held.push({Weight(key, teacher), key});
      if (static_cast<int64_t>(held.size()) <= teachers_[teacher].room) return std::nullopt;
      const size_t out = held.top().second;
      held.pop();
      if (out != key) return out;
    }
    return std::nullopt;
  }

  const std::span<const RendezvousTeacher> teachers_;
  std::vector<double> weights_;
  std::vector<Held> held_;
  // The last teacher tried.
  std::vector<int> chosen_;
};

}  // namespace

uint64_t LabelKeyHash(uint64_t example, uint64_t view_seed) { return Mix(example, view_seed, 1); }

uint64_t TeacherHash(std::string_view name) {
  uint64_t hash = 14695981039346656037u;  // FNV-1a
  for (const unsigned char c : name) hash = (hash ^ c) * 1099511628211u;
  return hash;
}

std::vector<int> DivideByRendezvous(std::span<const uint64_t> keys,
                                    std::span<const RendezvousTeacher> teachers) {
  return Division(keys, teachers).Run();
}

void SetSpeedsAndRoom(std::span<const TeacherCandidate> candidates, int64_t examples,
                      std::span<RendezvousTeacher> teachers) {
  const bool any_known = std::ranges::any_of(candidates, [](const TeacherCandidate& candidate) {
    return !candidate.half_open && candidate.load->Known();
  });
  const auto usual = [&](const TeacherCandidate& candidate) {
    return !candidate.half_open && (candidate.load->Known() || !any_known);
  };
  double fastest = std::numeric_limits<double>::infinity();
  double slowest = 0;
  auto work = static_cast<double>(examples);
  for (const TeacherCandidate& candidate : candidates) {
    if (!usual(candidate)) continue;
    const double each = candidate.load->SteadySecondsPerExample().value_or(0);
    fastest = std::min(fastest, each);
    slowest = std::max(slowest, each);
    work += static_cast<double>(candidate.load->outstanding());
  }
  const bool alike = slowest <= fastest * kAlike;
  double speeds = 0;
  for (size_t i = 0; i < candidates.size(); ++i) {
    const TeacherLoad& load = *candidates[i].load;
    teachers[i].speed = 1;
    if (!usual(candidates[i])) continue;
    // In units of the slowest.
    if (!alike) teachers[i].speed = slowest / std::max(*load.SteadySecondsPerExample(), 1e-12);
    speeds += teachers[i].speed;
  }
  const auto all = static_cast<int64_t>(candidates.size());
  for (size_t i = 0; i < candidates.size(); ++i) {
    const TeacherLoad& load = *candidates[i].load;
    if (!usual(candidates[i])) {
      teachers[i].room = load.asks() == 0 ? (examples + all - 1) / all : 0;
      continue;
    }
    const double share = work * teachers[i].speed / speeds;
    const auto most = static_cast<int64_t>(std::ceil(kMostLoad * share - 1e-9));
    teachers[i].room = std::clamp<int64_t>(most - load.outstanding(), 0, examples);
  }
}

}  // namespace distill
