#include "distillation/labels/half.h"

#include <bit>
#include <cmath>
#include <cstdint>
#include <limits>

#include "common/random/random.h"
#include "common/random/test_seed.h"
#include "gtest/gtest.h"

namespace distill {
namespace {

bool IsNan(uint16_t half) { return (half & 0x7c00u) == 0x7c00u && (half & 0x3ffu) != 0; }

TEST(Half, EveryHalfComesBackFromFloatAsItWas) {
  for (uint32_t h = 0; h <= 0xffff; ++h) {
    const uint16_t half = static_cast<uint16_t>(h);
    const float value = FloatFromHalf(half);
    ASSERT_EQ(std::isnan(value), IsNan(half)) << h;
    // A signalling NaN comes back quiet.
    const uint16_t expected = IsNan(half) ? half | 0x200u : half;
    ASSERT_EQ(HalfFromFloat(value), expected) << h;
  }
}

TEST(Half, KnownValues) {
  EXPECT_EQ(FloatFromHalf(0x3c00), 1.0f);
  EXPECT_EQ(FloatFromHalf(0xc000), -2.0f);
  EXPECT_EQ(FloatFromHalf(0x7bff), kMaxHalf);
  EXPECT_EQ(FloatFromHalf(0x0001), 0x1p-24f);
  EXPECT_EQ(FloatFromHalf(0x0400), 0x1p-14f);
  EXPECT_EQ(FloatFromHalf(0x7c00), std::numeric_limits<float>::infinity());
  EXPECT_EQ(std::bit_cast<uint32_t>(FloatFromHalf(0x8000)), 0x80000000u);
}

TEST(Half, TheMiddleOfTwoNeighboursGoesToTheEvenOneAndItsSidesToTheNearer) {
  // All finite neighbours of one sign, up to the pair (65504, infinity) whose middle is 65520.
  for (uint32_t h = 0; h < 0x7c00; ++h) {
    const uint16_t low = static_cast<uint16_t>(h);
    const uint16_t high = static_cast<uint16_t>(h + 1);
    const float above = high == 0x7c00 ? 65536.0f : FloatFromHalf(high);
    const float middle = (FloatFromHalf(low) + above) / 2;  // exact in float
    const uint16_t even = (low & 1u) ? high : low;
    ASSERT_EQ(HalfFromFloat(middle), even) << h;
    ASSERT_EQ(HalfFromFloat(std::nextafter(middle, 0.0f)), low) << h;
    ASSERT_EQ(HalfFromFloat(std::nextafter(middle, 1e9f)), high) << h;
    ASSERT_EQ(HalfFromFloat(-middle), even | 0x8000u) << h;
  }
}

TEST(Half, ValuesOutsideTheRangeBecomeInfiniteOrZeroAndNanStaysNan) {
  EXPECT_EQ(HalfFromFloat(std::numeric_limits<float>::max()), 0x7c00);
  EXPECT_EQ(HalfFromFloat(-std::numeric_limits<float>::infinity()), 0xfc00);
  EXPECT_EQ(HalfFromFloat(std::numeric_limits<float>::denorm_min()), 0x0000);
  EXPECT_EQ(HalfFromFloat(-0.0f), 0x8000);
  EXPECT_TRUE(IsNan(HalfFromFloat(std::numeric_limits<float>::quiet_NaN())));
  // Its payload lies in bits that are dropped: it must not turn into infinity.
  EXPECT_TRUE(IsNan(HalfFromFloat(std::bit_cast<float>(0x7f800001u))));
}

TEST(Half, EveryBFloat16ComesBackFromFloatAsItWas) {
  for (uint32_t b = 0; b <= 0xffff; ++b) {
    const uint16_t bits = static_cast<uint16_t>(b);
    const float value = FloatFromBFloat16(bits);
    // A signalling NaN comes back quiet.
    ASSERT_EQ(BFloat16FromFloat(value), std::isnan(value) ? bits | 0x40u : bits) << b;
  }
  EXPECT_EQ(FloatFromBFloat16(0x3f80), 1.0f);
  EXPECT_EQ(FloatFromBFloat16(0x7f7f), kMaxBFloat16);
  // Its payload lies in bits that are dropped: it must not turn into infinity.
  EXPECT_TRUE(std::isnan(FloatFromBFloat16(BFloat16FromFloat(std::bit_cast<float>(0x7f800001u)))));
}

TEST(Half, TheMiddleOfTwoBFloat16GoesToTheEvenOneAndItsSidesToTheNearer) {
  // Up to the pair (kMaxBFloat16, infinity).
  for (uint32_t b = 0; b < 0x7f80; ++b) {
    const uint16_t low = static_cast<uint16_t>(b);
    const uint16_t high = static_cast<uint16_t>(b + 1);
    const float middle = std::bit_cast<float>((b << 16) | 0x8000u);
    const uint16_t even = (low & 1u) ? high : low;
    ASSERT_EQ(BFloat16FromFloat(middle), even) << b;
    ASSERT_EQ(BFloat16FromFloat(std::nextafter(middle, 0.0f)), low) << b;
    ASSERT_EQ(BFloat16FromFloat(std::bit_cast<float>((b << 16) | 0x8001u)), high) << b;
    ASSERT_EQ(BFloat16FromFloat(-middle), even | 0x8000u) << b;
  }
}

TEST(Half, AgreesWithTheCompilersHalfForAnyFloat) {
#ifdef __FLT16_MANT_DIG__
  const uint64_t seed = TestSeed();
  for (uint64_t i = 0; i < 500000; ++i) {
    const float value = std::bit_cast<float>(static_cast<uint32_t>(Mix(seed, 0, i)));
    if (std::isnan(value)) continue;
    const uint16_t expected = std::bit_cast<uint16_t>(static_cast<_Float16>(value));
    ASSERT_EQ(HalfFromFloat(value), expected) << std::bit_cast<uint32_t>(value);
  }
#else
  GTEST_SKIP() << "this compiler has no _Float16";
#endif
}

}  // namespace
}  // namespace distill
