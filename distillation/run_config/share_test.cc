#include "distillation/run_config/share.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

namespace distill {
namespace {

TEST(ShareTest, IsAFiniteNumberWithinItsBounds) {
  for (const double share : {0.01, 1., 2.5, 100.}) EXPECT_TRUE(IsShare(share)) << share;
  const double infinity = std::numeric_limits<double>::infinity();
  for (const double share : {0., -1., 0.0099, 100.1, infinity, -infinity, std::nan("")}) {
    EXPECT_FALSE(IsShare(share)) << share;
  }
}

}  // namespace
}  // namespace distill
