#include "student_worker/label_source/teacher_choice.h"

#include <gtest/gtest.h>

#include <random>
#include <vector>

#include "common/random/test_seed.h"

namespace distill {
namespace {

using End = TeacherLoad::End;

constexpr absl::Duration kNow = absl::Seconds(10);
constexpr absl::Duration kMs = absl::Milliseconds(1);

double Half() { return 0.5; }

// Known at kNow, with so many seconds an example and nothing outstanding.
TeacherLoad Known(absl::Duration per_example) {
  TeacherLoad load;
  load.Asked(1, kNow - per_example);
  load.Ended(End::kAnswered, 1, kNow - per_example, kNow);
  return load;
}

std::vector<TeacherCandidate> Candidates(const std::vector<TeacherLoad>& loads) {
  std::vector<TeacherCandidate> candidates;
  for (const TeacherLoad& load : loads) candidates.push_back({&load});
  EstimateAll(candidates);
  return candidates;
}

std::vector<int64_t> Shares(const std::vector<TeacherLoad>& loads, int64_t examples,
                            int64_t piece) {
  auto candidates = Candidates(loads);
  EXPECT_EQ(DivideExamples(candidates, examples, piece, kNow, Half), 0);
  std::vector<int64_t> shares;
  for (const TeacherCandidate& candidate : candidates) shares.push_back(candidate.share);
  return shares;
}

TEST(TeacherLoad, TheSteadyEstimateHardlyMovesWithOneAnswerThatTookLong) {
  TeacherLoad load;
  absl::Duration now = kNow;
  const auto answer = [&](absl::Duration time) {
    load.Asked(10, now);
    now += time;
    load.Ended(End::kAnswered, 10, now - time, now);
  };
  EXPECT_EQ(load.SteadySecondsPerExample(), std::nullopt);
  for (int i = 0; i < 1000; ++i) answer(10 * kMs);
  EXPECT_NEAR(*load.SteadySecondsPerExample(), 0.001, 1e-9);
  answer(110 * kMs);
  EXPECT_NEAR(*load.SteadySecondsPerExample(), 0.00105, 1e-5);
  EXPECT_GT(*load.SecondsPerExample(), 0.0018);
  for (int i = 0; i < 1000; ++i) answer(20 * kMs);
  EXPECT_NEAR(*load.SteadySecondsPerExample(), 0.002, 1e-4);
}

TEST(TeacherLoad, TheEstimateIsBusyTimeOverExamplesWhateverIsQueuedOrBatched) {
  TeacherLoad queued;  // two asks at once, 10 ms each
  queued.Asked(5, kNow);
  queued.Asked(5, kNow);
  EXPECT_EQ(queued.SecondsPerExample(), std::nullopt);
  queued.Ended(End::kAnswered, 5, kNow, kNow + 10 * kMs);
  queued.Ended(End::kAnswered, 5, kNow, kNow + 20 * kMs);
  EXPECT_NEAR(*queued.SecondsPerExample(), 0.002, 1e-12);

  TeacherLoad batched;  // both in one batch of 20 ms
  batched.Asked(5, kNow);
  batched.Asked(5, kNow);
  batched.Ended(End::kAnswered, 5, kNow, kNow + 20 * kMs);
  batched.Ended(End::kAnswered, 5, kNow, kNow + 20 * kMs);
  EXPECT_NEAR(*batched.SecondsPerExample(), 0.002, 0.0002);

  // Time without an ask does not count.
  queued.Asked(5, kNow + 200 * kMs);
  queued.Ended(End::kAnswered, 5, kNow + 200 * kMs, kNow + 210 * kMs);
  EXPECT_NEAR(*queued.SecondsPerExample(), 0.002, 1e-12);
}

TEST(TeacherLoad, ItFollowsAChangeOfSpeedWithinTwentyAnswers) {
  TeacherLoad load = Known(kMs);
  absl::Duration now = kNow;
  for (int i = 0; i < 20; ++i) {
    load.Asked(1, now);
    load.Ended(End::kAnswered, 1, now, now + 4 * kMs);
    now += 4 * kMs;
  }
  EXPECT_NEAR(*load.SecondsPerExample(), 0.004, 0.0004);
}

TEST(TeacherLoad, WhatWasOvertakenMakesItSlowerAndWhatFailedTellsNothing) {
  TeacherLoad load = Known(kMs);
  load.Asked(1, kNow);
  load.Ended(End::kFailed, 1, kNow, kNow);
  EXPECT_NEAR(*load.SecondsPerExample(), 0.001, 1e-12);
  load.Asked(1, kNow);
  load.Ended(End::kOvertaken, 1, kNow, kNow + 9 * kMs);
  EXPECT_NEAR(*load.SecondsPerExample(), 0.010, 1e-12);

  TeacherLoad fresh;
  fresh.Asked(1, kNow);
  fresh.Ended(End::kOvertaken, 1, kNow, kNow + 9 * kMs);
  EXPECT_NEAR(*fresh.SecondsPerExample(), 0.009, 1e-12);
  EXPECT_TRUE(fresh.Known());
}

TEST(TeacherLoad, TheBacklogShrinksWithTimeAndGrowsAgainWhenTheTeacherIsSilent) {
  TeacherLoad load = Known(kMs);
  EXPECT_EQ(load.Backlog(0.001, kNow + kMs), 0);
  load.Asked(10, kNow);
  EXPECT_NEAR(load.Backlog(0.001, kNow), 0.010, 1e-12);
  EXPECT_NEAR(load.Backlog(0.001, kNow + 4 * kMs), 0.006, 1e-12);
  EXPECT_NEAR(load.Backlog(0.001, kNow + 50 * kMs), 0.040, 1e-12);
}

TEST(TeacherLoad, AnOldEstimateIsReplacedByTheNextAnswer) {
  TeacherLoad load = Known(10 * kMs);
  EXPECT_FALSE(load.Old(kNow + 250 * kMs));
  const absl::Duration later = kNow + 251 * kMs;
  EXPECT_TRUE(load.Old(later));
  load.Asked(1, later);
  EXPECT_FALSE(load.Old(later + kMs));
  load.Ended(End::kAnswered, 1, later, later + kMs);
  EXPECT_FALSE(load.Old(later + kMs));
  EXPECT_NEAR(*load.SecondsPerExample(), 0.001, 1e-12);
  // A slow one is tried again the later.
  EXPECT_FALSE(Known(absl::Seconds(1)).Old(kNow + absl::Seconds(4)));
}

TEST(DivideExamples, EachGetsItsSpeedsShareSoThatAllEndTogether) {
  const std::vector<int64_t> shares =
      Shares({Known(kMs), Known(4 * kMs), Known(4 * kMs), Known(4 * kMs)}, 560, 1);
  // All within the fifth that counts as alike.
  EXPECT_NEAR(shares[0], 320, 32);
  for (int i = 1; i < 4; ++i) EXPECT_NEAR(shares[i], 80, 10);
}

TEST(DivideExamples, WhatIsOutstandingCounts) {
  std::vector<TeacherLoad> loads = {Known(kMs), Known(kMs)};
  loads[0].Asked(20, kNow);
  EXPECT_EQ(Shares(loads, 30, 1), (std::vector<int64_t>{5, 25}));
  // A whole step goes to one teacher.
  EXPECT_EQ(Shares(loads, 30, 30), (std::vector<int64_t>{0, 30}));
}

TEST(DivideExamples, OfTeachersThatAreAlikeTheOneAskedForLeastIsChosen) {
  std::vector<TeacherLoad> loads = {Known(100 * kMs), Known(115 * kMs)};
  loads[0].CatchUp(5, 0);
  EXPECT_EQ(Shares(loads, 1, 1), (std::vector<int64_t>{0, 1}));
  loads[1] = Known(125 * kMs);
  EXPECT_EQ(Shares(loads, 1, 1), (std::vector<int64_t>{1, 0}));
}

TEST(DivideExamples, ANewTeacherGetsOnePieceAtOnceAndNoMoreBeforeItHasAnswered) {
  std::vector<TeacherLoad> loads = {Known(kMs), TeacherLoad()};
  EXPECT_EQ(Shares(loads, 40, 4), (std::vector<int64_t>{36, 4}));
  loads[1].Asked(4, kNow);
  EXPECT_EQ(Shares(loads, 40, 4), (std::vector<int64_t>{40, 0}));
  loads[1].Ended(End::kAnswered, 4, kNow, kNow + 4 * kMs);
  EXPECT_EQ(Shares(loads, 40, 4), (std::vector<int64_t>{20, 20}));
}

TEST(DivideExamples, ATeacherWithAnOldEstimateIsTriedAndOtherwiseTakenAtItsEstimate) {
  std::vector<TeacherLoad> loads(2);
  loads[0] = Known(kMs);
  loads[1].Asked(1, kNow - absl::Seconds(5));
  loads[1].Ended(End::kAnswered, 1, kNow - absl::Seconds(5), kNow - absl::Seconds(5) + 60 * kMs);
  ASSERT_TRUE(loads[1].Old(kNow));
  EXPECT_EQ(Shares(loads, 40, 4), (std::vector<int64_t>{36, 4}));  // else none
  loads[1].Asked(4, kNow);
  EXPECT_EQ(Shares(loads, 40, 4), (std::vector<int64_t>{40, 0}));
  EXPECT_NEAR(Shares(loads, 4000, 4)[1], 65, 15);  // alike: within a fifth
}

TEST(DivideExamples, WhereNoneIsKnownAllAreAskedAlike) {
  EXPECT_EQ(Shares({TeacherLoad(), TeacherLoad()}, 40, 4), (std::vector<int64_t>{20, 20}));
}

TEST(DivideExamples, AHalfOpenTeacherGetsOneProbeEvenAlone) {
  TeacherLoad load = Known(kMs);
  std::vector<TeacherCandidate> candidates = {{&load, /*half_open=*/true}};
  EstimateAll(candidates);
  EXPECT_EQ(DivideExamples(candidates, 40, 4, kNow, Half), 36);
  EXPECT_EQ(candidates[0].share, 4);
  load.Asked(4, kNow);
  candidates[0].share = 0;
  EXPECT_EQ(DivideExamples(candidates, 40, 4, kNow, Half), 40);
  EXPECT_EQ(candidates[0].share, 0);
}

// Else a probe of one that hung would be late only after as long again.
TEST(EstimateAll, HalfOpenAndUnknownTeachersAreTakenForAverage) {
  const std::vector<TeacherLoad> loads = {Known(kMs), Known(3 * kMs), Known(absl::Seconds(9)),
                                          TeacherLoad()};
  std::vector<TeacherCandidate> candidates = Candidates(loads);
  candidates[2].half_open = true;
  EstimateAll(candidates);
  EXPECT_NEAR(candidates[1].seconds_per_example, 0.003, 1e-12);
  EXPECT_NEAR(candidates[2].seconds_per_example, 0.002, 1e-12);
  EXPECT_NEAR(candidates[3].seconds_per_example, 0.002, 1e-12);
}

// With all compared the slow ones of an idle fleet would get nothing at all.
TEST(DivideExamples, OfMoreThanSixteenFourAreDrawnByTheirSpeed) {
  std::mt19937_64 random(TestSeed());
  const std::function<double()> draw = [&] {
    return std::uniform_real_distribution<double>(0, 1)(random);
  };
  std::vector<TeacherLoad> loads(19, Known(18 * kMs));
  loads[0] = Known(kMs);
  int to_fast = 0;
  constexpr int kDraws = 4000;
  for (int i = 0; i < kDraws; ++i) {
    auto candidates = Candidates(loads);
    ASSERT_EQ(DivideExamples(candidates, 1, 1, kNow, draw), 0);
    to_fast += static_cast<int>(candidates[0].share);
  }
  // Half of the fleet's speed is its: no draw meets it in a sixteenth of the cases (standard
  // deviation 15 of 4,000).
  EXPECT_NEAR(to_fast, 3750, 90);
}

TEST(PiecesOfStep, AreAsManyAsKeepEveryTeacherBusyWithinTheWindow) {
  const auto pieces = [](const std::vector<TeacherLoad>& loads, int window) {
    return PiecesOfStep(Candidates(loads), window);
  };
  EXPECT_EQ(pieces({Known(kMs)}, 4), 1);
  EXPECT_EQ(pieces({Known(kMs), Known(kMs)}, 4), 1);
  EXPECT_EQ(pieces({Known(kMs), Known(kMs), Known(kMs)}, 4), 2);
  EXPECT_EQ(pieces({Known(kMs), Known(4 * kMs), Known(4 * kMs), Known(4 * kMs)}, 4), 4);
  EXPECT_EQ(pieces({Known(kMs), Known(4 * kMs), Known(4 * kMs), Known(4 * kMs)}, 16), 1);
  EXPECT_EQ(pieces({Known(kMs), Known(absl::Seconds(9))}, 4), 16);
}

}  // namespace
}  // namespace distill
