#include "distillation/labels/bit_packing.h"

#include <vector>

#include "common/random/random.h"
#include "common/random/test_seed.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace distill {
namespace {

using ::testing::ElementsAre;

TEST(BitPacking, EveryClassFitsTheExactNumberOfBits) {
  EXPECT_EQ(BitsFor(1), 1);
  EXPECT_EQ(BitsFor(2), 1);
  EXPECT_EQ(BitsFor(3), 2);
  EXPECT_EQ(BitsFor(1000), 10);
  EXPECT_EQ(BitsFor(1024), 10);
  EXPECT_EQ(BitsFor(1025), 11);
  EXPECT_EQ(BitsFor(128000), 17);
  EXPECT_EQ(BitsFor(int64_t{1} << 31), 31);
}

TEST(BitPacking, BitsAreFilledFromTheLowestUp) {
  std::vector<std::byte> bytes(2);
  PackBits(std::vector<int64_t>{1, 0, 7, 5}, 3, bytes);  // 101 111 000 001
  EXPECT_THAT(bytes, ElementsAre(std::byte{0b11000001}, std::byte{0b1011}));
}

TEST(BitPacking, NumbersOfAnyWidthComeBack) {
  const uint64_t seed = TestSeed();
  for (int bits = 1; bits <= 31; ++bits) {
    for (uint64_t count = 0; count < 20; ++count) {
      std::vector<int64_t> numbers(count), back(count);
      for (uint64_t i = 0; i < count; ++i) {
        numbers[i] = static_cast<int64_t>(UniformBelow(seed, bits, 100 * count + i, 1ull << bits));
      }
      std::vector<std::byte> bytes(PackedBytes(static_cast<int64_t>(count), bits));
      PackBits(numbers, bits, bytes);
      ASSERT_TRUE(UnpackBits(bytes, bits, back));
      ASSERT_EQ(back, numbers) << bits << " bits";
    }
  }
}

TEST(BitPacking, RowsComeBackBothWaysWithoutAByteReadBeyondThem) {
  const uint64_t seed = TestSeed();
  for (int bits = 1; bits <= 31; ++bits) {
    for (const size_t rows : {0u, 1u, 2u, 5u}) {
      for (size_t count = 0; count < 40; ++count) {
        std::vector<int64_t> numbers(rows * count);
        for (size_t i = 0; i < numbers.size(); ++i) {
          numbers[i] =
              static_cast<int64_t>(UniformBelow(seed, bits, 1000 * count + i, 1ull << bits));
        }
        // Memory of exactly that size, for a sanitizer to watch.
        const size_t row_bytes = PackedBytes(static_cast<int64_t>(count), bits);
        std::vector<std::byte> bytes(rows * row_bytes);
        for (size_t r = 0; r < rows; ++r) {
          PackBits(std::span(numbers).subspan(r * count, count), bits,
                   std::span(bytes).subspan(r * row_bytes, row_bytes));
        }
        std::vector<int64_t> fast(numbers.size(), -1), portable(numbers.size(), -1);
        ASSERT_TRUE(UnpackRows(bytes, bits, rows, fast));
        ASSERT_TRUE(UnpackRowsPortably(bytes, bits, rows, portable));
        ASSERT_EQ(fast, numbers) << bits << " bits, " << count << " in a row";
        ASSERT_EQ(portable, numbers) << bits << " bits, " << count << " in a row";
      }
    }
  }
}

TEST(BitPacking, ASetBitBehindAnyRowIsSeenBothWays) {
  // Three rows of 17 numbers of three bits: 51 of 56 bits.
  for (size_t row = 0; row < 3; ++row) {
    for (int bit = 3; bit < 8; ++bit) {
      std::vector<std::byte> bytes(21);
      std::vector<int64_t> numbers(51);
      ASSERT_TRUE(UnpackRows(bytes, 3, 3, numbers));
      ASSERT_TRUE(UnpackRowsPortably(bytes, 3, 3, numbers));
      bytes[7 * row + 6] = std::byte{1} << bit;
      EXPECT_FALSE(UnpackRows(bytes, 3, 3, numbers)) << row << " " << bit;
      EXPECT_FALSE(UnpackRowsPortably(bytes, 3, 3, numbers)) << row << " " << bit;
    }
  }
}

TEST(BitPacking, RowsThatDoNotFitTheirBytesCrash) {
  std::vector<int64_t> numbers(6);
  EXPECT_DEATH(UnpackRows(std::vector<std::byte>(4), 3, 4, numbers), "numbers of a row");
  EXPECT_DEATH(UnpackRows(std::vector<std::byte>(5), 3, 2, numbers), "size of packed numbers");
}

TEST(BitPacking, ASetBitBeyondTheLastNumberIsSeen) {
  std::vector<int64_t> numbers(2);
  EXPECT_TRUE(UnpackBits(std::vector{std::byte{0x3f}}, 3, numbers));
  EXPECT_FALSE(UnpackBits(std::vector{std::byte{0x7f}}, 3, numbers));
  EXPECT_FALSE(UnpackBits(std::vector{std::byte{0x80}}, 3, numbers));
}

}  // namespace
}  // namespace distill
