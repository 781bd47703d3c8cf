#include "distillation/labels/tail_sums.h"

#include <cmath>
#include <vector>

#include "common/random/test_seed.h"
#include "distillation/labels/synthetic_logits.h"
#include "gtest/gtest.h"

namespace distill {
namespace {

std::vector<double> Direct(const std::vector<double>& distances,
                           const std::vector<double>& factors) {
  std::vector<double> sums;
  for (const double factor : factors) {
    double sum = 0;
    for (const double distance : distances) sum += std::exp(-distance * factor);
    sums.push_back(std::log(sum));
  }
  return sums;
}

TEST(TailSums, SumsOverManyDistancesAreThoseOfThePlainLoop) {
  const uint64_t seed = TestSeed();
  const std::vector<double> factors = {1, 0.8, 0.4, 0.125};
  // Below and above the number of distances from which bins are used.
  for (const int64_t count : {1, 10, 1000, 50000, 120000}) {
    for (const double spread : {0.01, 2.0, 30.0}) {
      std::vector<double> distances;
      for (const float value : NormalLogits(seed, 0, count, 0, spread)) {
        distances.push_back(3 + std::abs(value));
      }
      const auto sums = LogSums(distances, factors);
      const auto direct = Direct(distances, factors);
      for (size_t j = 0; j < factors.size(); ++j) {
        EXPECT_NEAR(sums[j], direct[j], 1e-6) << count << " of spread " << spread;
      }
    }
  }
}

TEST(TailSums, DistancesBeyondTheDeepestAndFarFromZeroNeitherOverflowNorCount) {
  std::vector<double> distances(100000, 1e300);
  distances[5] = 1000;
  distances[9] = 1000.5;
  const auto sums = LogSums(distances, std::vector<double>{1, 0.25});
  EXPECT_NEAR(sums[0], -1000 + std::log1p(std::exp(-0.5)), 1e-6);
  EXPECT_NEAR(sums[1], -250 + std::log1p(std::exp(-0.125)), 1e-6);
}

TEST(TailSums, EqualDistancesAreCounted) {
  const std::vector<double> distances(100000, 7.0);
  EXPECT_NEAR(LogSums(distances, std::vector<double>{0.5, 0.25})[0], std::log(1e5) - 3.5, 1e-6);
}

}  // namespace
}  // namespace distill
