#include "distillation/labels/short_distance.h"

#include <cmath>
#include <limits>

#include "gtest/gtest.h"

namespace distill {
namespace {

TEST(ShortDistance, EveryCodeComesBackAndLargerCodesAreLargerDistances) {
  for (int code = 0; code <= 0xffff; ++code) {
    const float distance = DistanceFromShort(static_cast<uint16_t>(code));
    ASSERT_EQ(distance, code < 4096 ? std::ldexp(code, -18)
                                    : std::ldexp(4096 + code % 4096, code / 4096 - 19));
    ASSERT_EQ(ShortDistanceFrom(distance), code);
    if (code > 0) {
      ASSERT_GT(distance, DistanceFromShort(static_cast<uint16_t>(code - 1)));
    }
  }
  EXPECT_EQ(DistanceFromShort(0), 0.0f);
  EXPECT_EQ(DistanceFromShort(1), 0x1p-18f);
  EXPECT_EQ(DistanceFromShort(0x1000), 0x1p-6f);
  EXPECT_EQ(DistanceFromShort(0xffff), kMaxShortDistance);
}

TEST(ShortDistance, TheMiddleOfTwoNeighboursGoesToTheEvenOneAndItsSidesToTheNearer) {
  for (int code = 0; code < 0xffff; ++code) {
    const double low = DistanceFromShort(static_cast<uint16_t>(code));
    const double high = DistanceFromShort(static_cast<uint16_t>(code + 1));
    const double middle = (low + high) / 2;
    ASSERT_LE(middle - low, std::max(0x1p-13 * middle, 0x1p-19)) << "the stated error";
    ASSERT_EQ(ShortDistanceFrom(middle), code % 2 ? code + 1 : code);
    ASSERT_EQ(ShortDistanceFrom(std::nextafter(middle, 0)), code);
    ASSERT_EQ(ShortDistanceFrom(std::nextafter(middle, 1e3)), code + 1);
  }
}

TEST(ShortDistance, WhatIsTooLargeBecomesTheLargest) {
  EXPECT_EQ(ShortDistanceFrom(512), 0xffff);
  EXPECT_EQ(ShortDistanceFrom(1e300), 0xffff);
  EXPECT_EQ(ShortDistanceFrom(std::numeric_limits<double>::infinity()), 0xffff);
}

}  // namespace
}  // namespace distill
