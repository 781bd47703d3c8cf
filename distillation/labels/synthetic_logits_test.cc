#include "distillation/labels/synthetic_logits.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <vector>

#include "common/random/test_seed.h"
#include "gtest/gtest.h"

namespace distill {
namespace {

TEST(SyntheticLogits, NormalLogitsHaveTheirMeanAndDeviation) {
  const uint64_t seed = TestSeed();
  constexpr int kDraws = 100000;
  double sum = 0, squares = 0;
  for (const float value : NormalLogits(seed, 3, kDraws, 20, 4)) {
    sum += (value - 20) / 4;
    squares += (value - 20) * (value - 20) / 16;
  }
  // Five standard errors: one run in two million fails by chance.
  EXPECT_NEAR(sum / kDraws, 0, 5 / std::sqrt(kDraws));
  EXPECT_NEAR(squares / kDraws, 1, 5 * std::sqrt(2.0 / kDraws));
}

TEST(SyntheticLogits, ARowIsAFunctionOfSeedAndRow) {
  EXPECT_EQ(NormalLogits(1, 2, 10, 0, 1), NormalLogits(1, 2, 10, 0, 1));
  EXPECT_NE(NormalLogits(1, 2, 10, 0, 1), NormalLogits(1, 3, 10, 0, 1));
  EXPECT_NE(NormalLogits(1, 2, 10, 0, 1), NormalLogits(2, 2, 10, 0, 1));
}

TEST(SyntheticLogits, LanguageModelRowsLeaveOneToFivePercentBeyondTheTopFifty) {
  const uint64_t seed = TestSeed();
  for (uint64_t row = 0; row < 20; ++row) {
    std::vector<float> logits = LanguageModelLogits(seed, row);
    ASSERT_EQ(logits.size(), 128000u);
    std::ranges::sort(logits, std::greater<>());
    double head = 0, all = 0;
    for (size_t c = 0; c < logits.size(); ++c) {
      all += std::exp(logits[c] - logits[0]);
      if (c < 50) head = all;
    }
    EXPECT_GE(1 - head / all, 0.01) << "row " << row;
    EXPECT_LE(1 - head / all, 0.05) << "row " << row;
  }
}

}  // namespace
}  // namespace distill
