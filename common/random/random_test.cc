#include "common/random/random.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <set>
#include <string>

#include "common/random/test_seed.h"

namespace distill {
namespace {

using ::testing::ElementsAre;

// The known answers that the authors of Philox publish with Random123.
TEST(Philox4x32, GivesThePublishedAnswers) {
  EXPECT_THAT(Philox4x32({0, 0, 0, 0}, {0, 0}),
              ElementsAre(0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8));
  constexpr uint32_t kOnes = 0xffffffff;
  EXPECT_THAT(Philox4x32({kOnes, kOnes, kOnes, kOnes}, {kOnes, kOnes}),
              ElementsAre(0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd));
  EXPECT_THAT(
      Philox4x32({0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344}, {0xa4093822, 0x299f31d0}),
      ElementsAre(0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1));
}

// The golden values below come from a separate implementation in Python with
// integers of any size. A change of one breaks every recorded run.
TEST(Mix, GivesTheGoldenValues) {
  EXPECT_EQ(Mix(0, 0, 0), 0xe169c58d6627e8d5);
  EXPECT_EQ(Mix(1, 0, 0), 0xe50a0ebce3e80670);
  EXPECT_EQ(Mix(0, 1, 0), 0xf08d6eaa844515e1);
  EXPECT_EQ(Mix(0, 0, 1), 0x5cb200dbf8e4cca4);
  EXPECT_EQ(Mix(0x0123456789abcdef, 0xfedcba9876543210, (uint64_t{1} << 40) + 7),
            0x24e94315cbb2e111);
}

TEST(UniformBelow, GivesTheGoldenValues) {
  std::vector<uint64_t> draws;
  for (uint64_t i = 0; i < 20; ++i) draws.push_back(UniformBelow(42, 7, i, 10));
  EXPECT_THAT(draws, ElementsAre(4, 0, 4, 4, 9, 7, 9, 4, 0, 8, 4, 4, 0, 1, 9, 0, 8, 0, 3, 9));
}

// Half of all draws are rejected at this bound: index 0 takes the first word, 4 the
// second, 1 and 6 need a second key, 15 a fourth.
TEST(UniformBelow, GivesTheGoldenValuesWhereDrawsAreRejected) {
  const uint64_t bound = (uint64_t{1} << 63) + 1;
  EXPECT_EQ(UniformBelow(42, 7, 0, bound), 7301479365977468715u);
  EXPECT_EQ(UniformBelow(42, 7, 1, bound), 7953446016661536666u);
  EXPECT_EQ(UniformBelow(42, 7, 4, bound), 6019363626054052815u);
  EXPECT_EQ(UniformBelow(42, 7, 6, bound), 5097744940253241641u);
  EXPECT_EQ(UniformBelow(42, 7, 15, bound), 5651703523013979993u);
}

TEST(UniformBelow, StaysBelowItsBoundForAnySeed) {
  const uint64_t seed = TestSeed();
  for (uint64_t i = 0; i < 1000; ++i) {
    const uint64_t bound = std::max<uint64_t>(1, Mix(seed, 1, i) >> (i % 64));
    ASSERT_LT(UniformBelow(seed, 2, i, bound), bound);
  }
  EXPECT_EQ(UniformBelow(seed, 0, 0, 1), 0u);
}

// With modulo alone and a bound of 3 * 2^62, results below 2^62 would be twice as
// likely as the rest: 50 % instead of 33 %. 5 standard deviations are 2.4 %.
TEST(UniformBelow, DoesNotFavourSmallResults) {
  const uint64_t bound = uint64_t{3} << 62;
  int small = 0;
  for (uint64_t i = 0; i < 10000; ++i) small += UniformBelow(1, 1, i, bound) < (bound / 3);
  EXPECT_NEAR(small / 10000.0, 1.0 / 3, 0.024);
}

TEST(UniformBelowDeathTest, CrashesForAnEmptyRange) {
  EXPECT_DEATH(UniformBelow(1, 1, 1, 0), "below 0");
}

TEST(UniformReal, IsAMultipleOfTwoToTheMinus53BelowOne) {
  EXPECT_EQ(UniformReal(5, 6, 7), 0x1.75ab4336f07f0p-2);
  const uint64_t seed = TestSeed();
  for (uint64_t i = 0; i < 1000; ++i) {
    const double value = UniformReal(seed, 0, i);
    ASSERT_GE(value, 0.0);
    ASSERT_LT(value, 1.0);
  }
}

TEST(Permutation, GivesTheGoldenOrder) {
  EXPECT_THAT(Permutation(42, 7, 16),
              ElementsAre(5, 0, 1, 2, 7, 3, 4, 12, 9, 8, 10, 15, 13, 11, 14, 6));
  EXPECT_THAT(Permutation(43, 7, 16),
              ElementsAre(10, 1, 3, 8, 2, 12, 15, 11, 14, 0, 13, 7, 4, 5, 9, 6));
  uint64_t hash = 0;
  for (const uint64_t value : Permutation(2024, 3, 1000)) hash = hash * 1000003 + value;
  EXPECT_EQ(hash, 11979400537550827782u);
}

TEST(Permutation, HoldsEveryNumberOnce) {
  const uint64_t seed = TestSeed();
  for (const uint64_t size : {0, 1, 2, 777}) {
    const std::vector<uint64_t> order = Permutation(seed, 0, size);
    const std::set<uint64_t> values(order.begin(), order.end());
    EXPECT_EQ(order.size(), size);
    EXPECT_EQ(values.size(), size);
    EXPECT_TRUE(values.empty() || *values.rbegin() == size - 1);
  }
}

// 24 orders of 4 values, 24000 streams: 1000 each, standard deviation 31.
TEST(Permutation, EveryOrderIsAsLikelyAsTheOthers) {
  std::map<std::vector<uint64_t>, int> counts;
  for (uint64_t stream = 0; stream < 24000; ++stream) ++counts[Permutation(9, stream, 4)];
  EXPECT_EQ(counts.size(), 24u);
  for (const auto& [order, count] : counts) EXPECT_NEAR(count, 1000, 160);
}

TEST(Shuffle, MovesTheValuesAsThePermutationSays) {
  std::vector<std::string> words = {"a", "b", "c", "d", "e"};
  Shuffle<std::string>(3, 4, words);
  std::vector<std::string> expected;
  for (const uint64_t i : Permutation(3, 4, 5)) expected.push_back(std::string(1, 'a' + i));
  EXPECT_EQ(words, expected);
}

}  // namespace
}  // namespace distill
