// What students get out of a fleet of teachers.
#include "student_worker/label_source/label_source_fleet.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <iostream>
#include <map>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/random/test_seed.h"
#include "student_worker/label_source/label_source.h"

namespace distill {
namespace {

LabelSourceOptions Options(int window = 4) {
  LabelSourceOptions options;
  options.end_step = 1'000'000;
  options.window_steps = window;
  options.examples_per_step = kExamples;
  return options;
}

// So many steps a second.
Speed Steps(double per_second, double noise = 0) {
  Speed speed;
  speed.examples_per_second = per_second * kExamples;
  speed.noise = noise;
  return speed;
}

void JoinAll(Fleet& fleet, const std::vector<Speed>& speeds) {
  for (size_t i = 0; i < speeds.size(); ++i) fleet.Join(absl::StrCat("t", i), speeds[i]);
  fleet.RunFor(2 * kSecond);
}

double RateOf(uint64_t seed, const LabelSourceOptions& options, const std::vector<Speed>& speeds,
              int students) {
  Fleet fleet(seed, options, students);
  JoinAll(fleet, speeds);
  return fleet.Rate(10 * kSecond);
}

// What they give together over the sum of what each gives alone.
double OverSum(uint64_t seed, const LabelSourceOptions& options, const std::vector<Speed>& speeds,
               int students = 1) {
  double sum = 0;
  for (const Speed& speed : speeds) sum += RateOf(seed, options, {speed}, students);
  const double ratio = RateOf(seed, options, speeds, students) / sum;
  std::cout << speeds.size() << " teachers, " << students << " students, window "
            << options.window_steps << ": " << ratio << " of the sum\n";
  return ratio;
}

std::vector<Speed> FourToOne(double noise = 0) {
  return {Steps(50, noise), Steps(12.5, noise), Steps(12.5, noise), Steps(12.5, noise)};
}

TEST(LabelSourceFleet, UnequalTeachersTogetherGiveWhatEachGivesAlone) {
  const uint64_t seed = TestSeed();
  for (const int students : {1, 4}) {
    EXPECT_GE(OverSum(seed, Options(), FourToOne(), students), 0.95);
    EXPECT_GE(OverSum(seed, Options(), FourToOne(/*noise=*/0.3), students), 0.95);
  }
  std::vector<Speed> far = FourToOne();
  for (Speed& speed : far) speed.network = 5 * kMs;
  EXPECT_GE(OverSum(seed, Options(), far), 0.95);
}

// An exact step is never cut: a longer window makes up for it.
TEST(LabelSourceFleet, ExactStepsNeedAWindowOfEight) {
  const uint64_t seed = TestSeed();
  LabelSourceOptions options = Options(/*window=*/8);
  options.exact = true;
  EXPECT_GE(OverSum(seed, options, FourToOne()), 0.95);
  options.window_steps = 4;
  EXPECT_LE(OverSum(seed, options, FourToOne()), 0.8);
}

TEST(LabelSourceFleet, SixteenTeachersGiveSixteenTimesAsMuch) {
  const uint64_t seed = TestSeed();
  for (const int teachers : {2, 4, 8, 16}) {
    EXPECT_GE(OverSum(seed, Options(), std::vector<Speed>(teachers, Steps(12.5))), 0.95);
  }
}

// Of these a student compares a few at a time.
TEST(LabelSourceFleet, TwentyFourTeachersGiveOneStudentAlmostTwentyFourTimesAsMuch) {
  const uint64_t seed = TestSeed();
  Fleet fleet(seed, Options());
  JoinAll(fleet, std::vector<Speed>(24, Steps(12.5, 0.2)));
  const double ratio = fleet.Rate(3 * kSecond) / (24 * 12.5);
  std::cout << "24 teachers: " << ratio << " of linear\n";
  EXPECT_GE(ratio, 0.93);
}

TEST(LabelSourceFleet, ANewTeacherServesItsShareWithinASecond) {
  const uint64_t seed = TestSeed();
  for (const int students : {1, 4}) {
    Fleet fleet(seed, Options(), students);
    JoinAll(fleet, std::vector<Speed>(3, Steps(12.5, 0.2)));
    fleet.Join("new", Steps(12.5, 0.2));
    fleet.RunFor(kSecond);
    const double share = fleet.Share("new", 4 * kSecond);
    EXPECT_NEAR(share, 0.25, 0.025) << students << " students";
    std::cout << "share of the newcomer " << share << "\n";
  }
}

TEST(LabelSourceFleet, ASecondAfterAKillTheOthersGiveAllTheyCan) {
  const uint64_t seed = TestSeed();
  for (const int students : {1, 4}) {
    Fleet fleet(seed, Options(), students);
    JoinAll(fleet, std::vector<Speed>(4, Steps(12.5, 0.2)));
    EXPECT_NEAR(fleet.Rate(4 * kSecond), 50, 2.5);
    fleet.Kill("t1");
    const double first = fleet.Rate(kSecond);
    const double later = fleet.Rate(4 * kSecond);
    EXPECT_GE(later, 0.95 * 37.5);
    std::cout << "steps in the second after the kill " << first << ", then " << later
              << " a second\n";
  }
}

// Nothing tells of a process that is stopped: hedging saves its asks and the breaker rests it.
TEST(LabelSourceFleet, ATeacherThatHangsStopsNobodyAndServesAgainWhenItGoesOn) {
  Fleet fleet(TestSeed(), Options());
  JoinAll(fleet, std::vector<Speed>(4, Steps(12.5, 0.2)));
  fleet.RunFor(4 * kSecond);
  fleet.Freeze("t2", true);
  fleet.RunFor(kSecond);
  fleet.TakeWaits();
  EXPECT_GE(fleet.Rate(8 * kSecond), 0.95 * 37.5);
  EXPECT_LE(fleet.TakeWaits().back(), kSecond / 2);
  fleet.Freeze("t2", false);
  fleet.RunFor(6 * kSecond);  // its rest may just have begun
  EXPECT_NEAR(fleet.Share("t2", 4 * kSecond), 0.25, 0.025);
}

TEST(LabelSourceFleet, AFleetThatIsReplacedOneByOneKeepsItsRate) {
  Fleet fleet(TestSeed(), Options());
  JoinAll(fleet, std::vector<Speed>(3, Steps(12.5, 0.2)));
  for (int i = 0; i < 3; ++i) {
    fleet.Replace(absl::StrCat("t", i), absl::StrCat("n", i));
    EXPECT_GE(fleet.Rate(3 * kSecond), 0.9 * 37.5);
    EXPECT_EQ(fleet.Share(absl::StrCat("t", i), kSecond), 0);
  }
}

TEST(LabelSourceFleet, HedgingCutsTheTailWithinItsBudget) {
  const uint64_t seed = TestSeed();
  std::map<double, absl::Duration> p99;
  for (const double budget : {0., 0.05}) {
    LabelSourceOptions options = Options();
    options.hedging.budget = budget;
    Fleet fleet(seed, options);
    fleet.set_step_time(30 * kMs);
    Speed speed = Steps(12.5, 0.2);
    speed.tail = 0.01;
    JoinAll(fleet, {speed, speed, speed, speed});
    fleet.RunFor(60 * kSecond);
    const std::vector<absl::Duration> waits = fleet.TakeWaits();
    p99[budget] = waits.at(waits.size() * 99 / 100);
    const LabelSource::Counters counters = fleet.counters();
    EXPECT_LE(static_cast<double>(counters.hedges),
              budget * static_cast<double>(counters.asks - counters.hedges));
    std::cout << counters.hedges << " hedges of " << counters.asks << " asks, p99 of a step "
              << p99[budget] << "\n";
  }
  EXPECT_GT(p99[0.], 1.5 * p99[0.05]);
}

}  // namespace
}  // namespace distill
