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

TEST(BitPacking, ASetBitBeyondTheLastNumberIsSeen) {
  std::vector<int64_t> numbers(2);
  EXPECT_TRUE(UnpackBits(std::vector{std::byte{0x3f}}, 3, numbers));
  EXPECT_FALSE(UnpackBits(std::vector{std::byte{0x7f}}, 3, numbers));
  EXPECT_FALSE(UnpackBits(std::vector{std::byte{0x80}}, 3, numbers));
}

}  // namespace
}  // namespace distill
