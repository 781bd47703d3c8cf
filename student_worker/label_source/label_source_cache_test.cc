// A fleet of teachers with caches, asked by example: one cache of all of them.
#include <gtest/gtest.h>

#include <iostream>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/random/random.h"
#include "common/random/test_seed.h"
#include "student_worker/label_source/label_source.h"
#include "student_worker/label_source/label_source_fleet.h"
#include "student_worker/label_source/rendezvous.h"

namespace distill {
namespace {

// Of an epoch.
constexpr int64_t kSteps = 400;

// Every epoch all examples, in another order.
std::vector<uint64_t> KeysOf(int64_t step) {
  static std::vector<uint64_t> order;
  static int64_t epoch = -1;
  if (step / kSteps != epoch) {
    epoch = step / kSteps;
    order = Permutation(7, static_cast<uint64_t>(epoch), kSteps * kExamples);
  }
  std::vector<uint64_t> keys;
  for (int64_t i = 0; i < kExamples; ++i) {
    keys.push_back(LabelKeyHash(order[static_cast<size_t>(step % kSteps * kExamples + i)], 0));
  }
  return keys;
}

LabelSourceOptions Options(bool by_example = true) {
  LabelSourceOptions options;
  options.end_step = 1'000'000;
  options.examples_per_step = kExamples;
  options.keys_of = by_example ? KeysOf : nullptr;
  return options;
}

Speed Steps(double per_second, double noise = 0, absl::Duration hit = absl::ZeroDuration()) {
  Speed speed;
  speed.examples_per_second = per_second * kExamples;
  speed.noise = noise;
  speed.hit = hit;
  return speed;
}

void JoinAll(Fleet& fleet, const std::vector<Speed>& speeds) {
  for (size_t i = 0; i < speeds.size(); ++i) fleet.Join(absl::StrCat("t", i), speeds[i]);
}

// Until the first student has taken so many steps.
void RunSteps(Fleet& fleet, int64_t steps) {
  const int64_t end = fleet.taken() + steps;
  while (fleet.taken() < end) fleet.RunFor(kMs);
}

double HitRateOfSteps(Fleet& fleet, int64_t steps) {
  const int64_t hits = fleet.hits();
  const int64_t misses = fleet.misses();
  RunSteps(fleet, steps);
  const auto found = static_cast<double>(fleet.hits() - hits);
  return found / (found + static_cast<double>(fleet.misses() - misses));
}

constexpr absl::Duration kHit = absl::Microseconds(20);

TEST(LabelSourceCache, AfterItsFirstEpochAFleetOfFourComputesHardlyAnythingAgain) {
  for (const double noise : {0., 0.3}) {
    Fleet fleet(TestSeed(), Options(), 1, KeysOf);
    JoinAll(fleet, std::vector<Speed>(4, Steps(12.5, noise, kHit)));
    const double first = HitRateOfSteps(fleet, kSteps);
    const double second = HitRateOfSteps(fleet, kSteps);
    const double third = HitRateOfSteps(fleet, kSteps);
    // What the others lack at the start, when the first one to open is asked for everything; and
    // hedges, and the shares of a teacher that rests after some.
    std::cout << "noise " << noise << ": hit rate " << first << ", " << second << ", " << third
              << ", " << fleet.counters().hedges << " hedges, " << fleet.counters().breaker_openings
              << " openings of " << fleet.counters().asks << "\n";
    EXPECT_LE(first, 0.05);
    EXPECT_GE(second, 0.92);
    EXPECT_GE(third, 0.96);
  }
}

TEST(LabelSourceCache, WithoutOneOfFourItsShareIsComputedAgainAndNoMore) {
  Fleet fleet(TestSeed(), Options(), 1, KeysOf);
  JoinAll(fleet, std::vector<Speed>(4, Steps(12.5, 0.3, kHit)));
  RunSteps(fleet, 3 * kSteps);
  fleet.Kill("t2");
  const double after = HitRateOfSteps(fleet, kSteps);
  const double later = HitRateOfSteps(fleet, kSteps);
  std::cout << "hit rate in the epoch after the kill " << after << ", then " << later << "\n";
  EXPECT_GE(after, 0.73);
  EXPECT_GE(later, 0.95);
}

TEST(LabelSourceCache, AnExactRunDividesNoStepByExample) {
  LabelSourceOptions options = Options();
  options.exact = true;
  Fleet fleet(TestSeed(), options, 1, KeysOf);
  JoinAll(fleet, std::vector<Speed>(4, Steps(12.5)));
  RunSteps(fleet, 20);
  // One for each step of the window and those taken.
  EXPECT_EQ(fleet.counters().asks - fleet.counters().hedges, fleet.taken() + 4);
}

// As a guard: what the first test would see of teachers chosen by predicted time.
TEST(LabelSourceCache, ByPredictedTimeEveryTeacherComputesEveryLabelItself) {
  Fleet fleet(TestSeed(), Options(/*by_example=*/false), 1, KeysOf);
  JoinAll(fleet, std::vector<Speed>(4, Steps(12.5, 0.3, kHit)));
  RunSteps(fleet, kSteps);
  EXPECT_LE(HitRateOfSteps(fleet, kSteps), 0.5);
}

double RateOf(uint64_t seed, const std::vector<Speed>& speeds, int students) {
  Fleet fleet(seed, Options(), students);
  JoinAll(fleet, speeds);
  fleet.RunFor(2 * kSecond);
  // Long enough that the noise of a few hundred steps does not decide.
  return fleet.Rate(30 * kSecond);
}

double OverSum(uint64_t seed, const std::vector<Speed>& speeds, int students) {
  double sum = 0;
  for (const Speed& speed : speeds) sum += RateOf(seed, {speed}, students);
  const double ratio = RateOf(seed, speeds, students) / sum;
  std::cout << speeds.size() << " teachers, " << students << " students: " << ratio
            << " of the sum\n";
  return ratio;
}

// Nothing is found in these: teachers whose labels are all new give all they can.
TEST(LabelSourceCache, UnequalTeachersTogetherStillGiveWhatEachGivesAlone) {
  const uint64_t seed = TestSeed();
  for (const int students : {1, 4}) {
    for (const double noise : {0., 0.3}) {
      const std::vector<Speed> unequal = {Steps(50, noise), Steps(12.5, noise), Steps(12.5, noise),
                                          Steps(12.5, noise)};
      EXPECT_GE(OverSum(seed, unequal, students), 0.95);
      EXPECT_GE(OverSum(seed, std::vector<Speed>(4, Steps(12.5, noise)), students), 0.95);
    }
  }
}

}  // namespace
}  // namespace distill
