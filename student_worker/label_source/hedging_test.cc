#include "student_worker/label_source/hedging.h"

#include <gtest/gtest.h>

namespace distill {
namespace {

constexpr absl::Duration kMs = absl::Milliseconds(1);

HedgingOptions Plenty() {
  HedgingOptions options;
  options.budget = 100;
  options.burst = 100;
  return options;
}

// Fifty answers as predicted.
Hedging Trained(const HedgingOptions& options) {
  Hedging hedging(options);
  for (int i = 0; i < 50; ++i) hedging.Answered(kMs, kMs);
  return hedging;
}

TEST(Hedging, LateIsBeyondTheQuantileOfRecentAnswersRelativeToTheirPrediction) {
  Hedging hedging(Plenty());
  hedging.Asked();
  // Of 100 answers to asks of two sizes, 94 take three times what was predicted and 6 ten
  // times.
  for (int i = 0; i < 100; ++i) {
    const absl::Duration predicted = (1 + i % 2) * kMs;
    hedging.Answered(predicted, predicted * (i < 94 ? 3 : 10));
  }
  EXPECT_EQ(hedging.LateAfter(4 * kMs), 40 * kMs);
  for (int i = 0; i < 128; ++i) hedging.Answered(kMs, 3 * kMs);  // the slow ones are forgotten
  EXPECT_EQ(hedging.LateAfter(4 * kMs), 12 * kMs);
}

TEST(Hedging, WithoutATailNothingIsLateBeforeTwiceItsPrediction) {
  Hedging hedging(Plenty());
  hedging.Asked();
  for (int i = 0; i < 50; ++i) hedging.Answered(kMs, kMs);
  EXPECT_EQ(hedging.LateAfter(4 * kMs), 8 * kMs);
}

TEST(Hedging, NothingIsLateBeforeEnoughAnswersAreKnown) {
  Hedging hedging(Plenty());
  hedging.Asked();
  for (int i = 0; i < 19; ++i) hedging.Answered(kMs, kMs);
  EXPECT_EQ(hedging.LateAfter(kMs), std::nullopt);
  hedging.Answered(absl::ZeroDuration(), kMs);  // nobody predicted it: it says nothing
  EXPECT_EQ(hedging.LateAfter(kMs), std::nullopt);
  hedging.Answered(kMs, kMs);
  EXPECT_NE(hedging.LateAfter(kMs), std::nullopt);
  EXPECT_EQ(hedging.LateAfter(absl::ZeroDuration()), std::nullopt);
}

TEST(Hedging, TheBudgetIsAShareOfTheAsksAndOnlySoManyAreSavedUp) {
  HedgingOptions options;
  options.budget = 0.0625;  // exact in binary
  options.burst = 3;
  options.reserve = 0;
  Hedging hedging = Trained(options);
  const auto may_hedge = [&] { return hedging.LateAfter(kMs).has_value(); };
  for (int i = 0; i < 15; ++i) hedging.Asked();
  EXPECT_FALSE(may_hedge());
  hedging.Asked();
  EXPECT_TRUE(may_hedge());
  for (int i = 0; i < 1000; ++i) hedging.Asked();
  for (int i = 0; i < 3; ++i) hedging.Spend();
  EXPECT_FALSE(may_hedge());
}

TEST(Hedging, TheReserveIsForWhatIsFourTimesAsLate) {
  HedgingOptions options;
  options.budget = 1;
  options.burst = 3;
  options.reserve = 2;
  Hedging hedging = Trained(options);
  for (int i = 0; i < 3; ++i) hedging.Asked();
  EXPECT_EQ(hedging.LateAfter(kMs), 2 * kMs);
  hedging.Spend();
  EXPECT_EQ(hedging.LateAfter(kMs), 8 * kMs);
  hedging.Spend();
  EXPECT_EQ(hedging.LateAfter(kMs), 8 * kMs);
  hedging.Spend();
  EXPECT_EQ(hedging.LateAfter(kMs), std::nullopt);
}

}  // namespace
}  // namespace distill
