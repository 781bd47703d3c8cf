#include "distillation/labels/distance_rows.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstddef>
#include <cstring>
#include <limits>
#include <span>
#include <vector>

#include "common/random/random.h"
#include "common/random/test_seed.h"
#include "distillation/labels/half.h"

namespace distill {
namespace {

constexpr DistanceCode kKinds[] = {DistanceCode::kHalf, DistanceCode::kBFloat16,
                                   DistanceCode::kSteps};

std::vector<std::byte> Bytes(DistanceCode kind, const std::vector<uint32_t>& codes) {
  std::vector<std::byte> bytes(codes.size() * CodeBytes(kind));
  for (size_t i = 0; i < codes.size(); ++i) {
    std::memcpy(bytes.data() + i * CodeBytes(kind), &codes[i], CodeBytes(kind));
  }
  return bytes;
}

float DistanceOf(DistanceCode kind, uint32_t code, float step) {
  if (kind == DistanceCode::kHalf) return std::abs(FloatFromHalf(static_cast<uint16_t>(code)));
  if (kind == DistanceCode::kBFloat16) {
    return std::abs(FloatFromBFloat16(static_cast<uint16_t>(code)));
  }
  return static_cast<float>(code) * step;
}

TEST(DistanceRows, EveryCodeAtEveryPlaceOfARowIsItsDistanceBelowTheMaximum) {
  for (const DistanceCode kind : kKinds) {
    const uint32_t codes = kind == DistanceCode::kSteps ? 256 : 65536;
    for (uint32_t code = 0; code < codes; ++code) {
      // Of 17 places the first 16 are one vector, the last 16 are another.
      for (const size_t place : {code % 16, 16u}) {
        std::vector<uint32_t> row(17);
        row[place] = code;
        for (const float maximum : {0.0f, 3.25f}) {
          std::vector<float> fast(17), portable(17);
          const auto bytes = Bytes(kind, row);
          const bool valid = DecodeDistances(kind, bytes, maximum, 0.0625f, fast);
          ASSERT_EQ(valid, IsDistanceCode(kind, code)) << code;
          ASSERT_EQ(DecodeDistancesPortably(kind, bytes, maximum, 0.0625f, portable), valid);
          if (!valid) continue;
          ASSERT_EQ(std::bit_cast<uint32_t>(fast[place]), std::bit_cast<uint32_t>(portable[place]));
          ASSERT_EQ(fast[place], maximum - DistanceOf(kind, code, 0.0625f)) << code;
          ASSERT_EQ(fast[(place + 1) % 17], maximum);
        }
      }
    }
  }
}

TEST(DistanceRows, CodesOfAnEncoderAreZeroAndWhatIsNegativeAndFinite) {
  for (uint32_t code = 0; code < 65536; ++code) {
    const float half = FloatFromHalf(static_cast<uint16_t>(code));
    EXPECT_EQ(IsDistanceCode(DistanceCode::kHalf, code),
              code == 0 || (std::signbit(half) && std::isfinite(half)));
    const float wide = FloatFromBFloat16(static_cast<uint16_t>(code));
    EXPECT_EQ(IsDistanceCode(DistanceCode::kBFloat16, code),
              code == 0 || (std::signbit(wide) && std::isfinite(wide)));
  }
}

TEST(DistanceRows, BothWaysGiveTheSameBitsForRowsOfAnyLengthAndAddress) {
  const uint64_t seed = TestSeed();
  for (const DistanceCode kind : kKinds) {
    for (uint64_t trial = 0; trial < 500; ++trial) {
      const size_t size = UniformBelow(seed, trial, 1u << 20, 70);
      const size_t offset = trial % 3;
      std::vector<uint32_t> codes(size);
      for (size_t i = 0; i < size; ++i) {
        const auto code = static_cast<uint32_t>(UniformBelow(seed, trial, i, 0x7b00));
        codes[i] = kind == DistanceCode::kSteps ? code & 0xff : code | 0x8000;
      }
      std::vector<std::byte> bytes = Bytes(kind, codes);
      bytes.insert(bytes.begin(), offset, std::byte{0});
      const auto all = std::span<const std::byte>(bytes).subspan(offset);
      const auto maximum = static_cast<float>(1e3 * UniformReal(seed, trial, 1u << 21));
      const auto step = static_cast<float>(UniformReal(seed, trial, 1u << 22));
      std::vector<float> fast(size), portable(size);
      ASSERT_TRUE(DecodeDistances(kind, all, maximum, step, fast));
      ASSERT_TRUE(DecodeDistancesPortably(kind, all, maximum, step, portable));
      ASSERT_TRUE(
          std::ranges::equal(std::as_bytes(std::span(fast)), std::as_bytes(std::span(portable))));
    }
  }
}

TEST(DistanceRows, ACodeOfNoEncoderIsSeenAtEveryPlaceOfARowOfAnyLength) {
  for (const DistanceCode kind : {DistanceCode::kHalf, DistanceCode::kBFloat16}) {
    for (size_t size = 1; size <= 40; ++size) {
      for (size_t place = 0; place < size; ++place) {
        for (const uint32_t bad : {1u, 0x7fffu, 0xff80u, 0xffffu}) {
          std::vector<uint32_t> codes(size, 0x8001);
          std::vector<float> values(size);
          ASSERT_TRUE(DecodeDistances(kind, Bytes(kind, codes), 0, 0, values));
          codes[place] = bad;
          ASSERT_FALSE(DecodeDistances(kind, Bytes(kind, codes), 0, 0, values)) << place;
          ASSERT_FALSE(DecodeDistancesPortably(kind, Bytes(kind, codes), 0, 0, values)) << place;
        }
      }
    }
  }
}

TEST(DistanceRows, NothingGoesBelowTheFiniteFloats) {
  static constexpr float kLowest = std::numeric_limits<float>::lowest();
  const auto expect_lowest = [](DistanceCode kind, uint32_t code, float maximum, float step) {
    const auto bytes = Bytes(kind, std::vector<uint32_t>(20, code));
    std::vector<float> fast(20), portable(20);
    ASSERT_TRUE(DecodeDistances(kind, bytes, maximum, step, fast));
    ASSERT_TRUE(DecodeDistancesPortably(kind, bytes, maximum, step, portable));
    for (const float value : fast) EXPECT_EQ(value, kLowest);
    for (const float value : portable) EXPECT_EQ(value, kLowest);
  };
  expect_lowest(DistanceCode::kBFloat16, 0xff7f, -3e38f, 0);  // 3.39e38
  // Below a half's largest distance no float has a digit: it is the maximum already.
  expect_lowest(DistanceCode::kHalf, 0xfbff, kLowest, 0);
  expect_lowest(DistanceCode::kSteps, 255, -3e38f, 1e36f);
  expect_lowest(DistanceCode::kSteps, 3, -3e38f, 2e37f);
}

TEST(DistanceRows, TheLargestDistanceThatStaysFiniteIsKept) {
  std::vector<float> values(20);
  const std::vector<uint32_t> codes(20, 200);
  const auto bytes = Bytes(DistanceCode::kSteps, codes);
  ASSERT_TRUE(DecodeDistances(DistanceCode::kSteps, bytes, -1e38f, 1e36f, values));
  for (const float value : values) EXPECT_EQ(value, -1e38f - 200.0f * 1e36f);
}

}  // namespace
}  // namespace distill
