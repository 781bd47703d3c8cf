#include "distillation/labels/chebyshev.h"

#include <cmath>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace distill {
namespace {

using ::testing::ElementsAre;

double Interpolate(int count, double low, double high, double x, double (*f)(double)) {
  const auto nodes = ChebyshevNodes(count, low, high);
  const auto weights = ChebyshevWeights(count, low, high, x);
  double sum = 0;
  for (size_t j = 0; j < nodes.size(); ++j) sum += weights[j] * f(nodes[j]);
  return sum;
}

TEST(Chebyshev, PolynomialsBelowTheNumberOfNodesAreExact) {
  const auto cubic = [](double x) { return 3 - x + 2 * x * x - 5 * x * x * x; };
  for (double x = 0.125; x <= 1; x += 0.0625) {
    EXPECT_NEAR(Interpolate(4, 0.125, 1, x, cubic), cubic(x), 1e-14) << x;
  }
}

TEST(Chebyshev, ASmoothFunctionConvergesAtAnyPointWithTheEnds) {
  const auto f = [](double x) { return std::exp(-3 * x); };
  for (const double x : {0.125, 0.1250001, 0.3, 0.9999, 1.0}) {
    EXPECT_NEAR(Interpolate(12, 0.125, 1, x, f), f(x), 1e-11) << x;
  }
}

TEST(Chebyshev, AtANodeItsValueIsTaken) {
  const auto nodes = ChebyshevNodes(3, 0, 2);
  EXPECT_THAT(ChebyshevWeights(3, 0, 2, nodes[0]), ElementsAre(1, 0, 0));
  EXPECT_THAT(ChebyshevWeights(3, 0, 2, nodes[2]), ElementsAre(0, 0, 1));
}

TEST(Chebyshev, AnIntervalWithoutLengthHasOneValue) {
  EXPECT_THAT(ChebyshevNodes(3, 0.5, 0.5), ElementsAre(0.5, 0.5, 0.5));
  EXPECT_THAT(ChebyshevWeights(3, 0.5, 0.5, 0.5), ElementsAre(1, 0, 0));
  EXPECT_THAT(ChebyshevWeights(1, 0.25, 0.75, 0.3), ElementsAre(1));
}

}  // namespace
}  // namespace distill
