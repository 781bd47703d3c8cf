#include "distillation/labels/synthetic_logits.h"

#include <cmath>
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

}  // namespace
}  // namespace distill
