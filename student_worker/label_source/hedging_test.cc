#include "student_worker/label_source/hedging.h"

#include <gtest/gtest.h>

namespace distill {
namespace {

constexpr absl::Duration kMs = absl::Milliseconds(1);

TEST(Hedging, LateIsBeyondTheQuantileOfRecentAnswersRelativeToTheirPrediction) {
  Hedging hedging({});
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
  Hedging hedging({});
  for (int i = 0; i < 50; ++i) hedging.Answered(kMs, kMs);
  EXPECT_EQ(hedging.LateAfter(4 * kMs), 8 * kMs);
}

TEST(Hedging, NothingIsLateBeforeEnoughAnswersAreKnown) {
  Hedging hedging({});
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
  Hedging hedging(options);
  for (int i = 0; i < 15; ++i) hedging.Asked();
  EXPECT_FALSE(hedging.MayHedge());
  hedging.Asked();
  EXPECT_TRUE(hedging.MayHedge());
  for (int i = 0; i < 1000; ++i) hedging.Asked();
  for (int i = 0; i < 3; ++i) hedging.Spend();
  EXPECT_FALSE(hedging.MayHedge());
}

}  // namespace
}  // namespace distill
