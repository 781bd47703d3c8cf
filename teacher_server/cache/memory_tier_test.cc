#include "teacher_server/cache/memory_tier.h"

#include <gtest/gtest.h>

#include <deque>
#include <memory>
#include <vector>

#include "common/random/random.h"
#include "common/random/test_seed.h"

namespace distill {
namespace {

LabelKey Key(uint64_t example) { return {{1, 2}, example, 0}; }
LabelRow Row(float value, size_t size = 2) {
  return std::make_shared<const std::vector<float>>(size, value);
}
constexpr uint64_t kCost = 2 * sizeof(float) + MemoryTier::kRowOverhead;

TEST(MemoryTierTest, ARowIsFoundByItsWholeKey) {
  MemoryTier tier(10 * kCost);
  tier.Insert({{1, 2}, 3, 4}, Row(7));
  EXPECT_EQ(*tier.Find({{1, 2}, 3, 4}), *Row(7));
  for (const LabelKey& other : {LabelKey{{0, 2}, 3, 4}, LabelKey{{1, 0}, 3, 4},
                                LabelKey{{1, 2}, 0, 4}, LabelKey{{1, 2}, 3, 0}}) {
    EXPECT_EQ(tier.Find(other), nullptr);
  }
}

TEST(MemoryTierTest, TheLeastRecentlyUsedRowLeavesFirst) {
  MemoryTier tier(3 * kCost);
  for (uint64_t i = 0; i < 3; ++i) tier.Insert(Key(i), Row(i));
  EXPECT_NE(tier.Find(Key(0)), nullptr);
  tier.Insert(Key(3), Row(3));
  EXPECT_EQ(tier.Find(Key(1)), nullptr);
  EXPECT_NE(tier.Find(Key(2)), nullptr);
  tier.Insert(Key(4), Row(4));
  EXPECT_EQ(tier.Find(Key(0)), nullptr);
  EXPECT_EQ(tier.evictions(), 2u);
  EXPECT_EQ(tier.bytes(), 3 * kCost);
}

TEST(MemoryTierTest, ARowIsReplacedAndOneBeyondTheBoundIsNotKept) {
  MemoryTier tier(2 * kCost);
  tier.Insert(Key(0), Row(1));
  tier.Insert(Key(0), Row(2));
  EXPECT_EQ(*tier.Find(Key(0)), *Row(2));
  EXPECT_EQ(tier.rows(), 1u);
  EXPECT_EQ(tier.bytes(), kCost);
  tier.Insert(Key(1), Row(3, 1000));
  EXPECT_EQ(tier.Find(Key(1)), nullptr);
  EXPECT_NE(tier.Find(Key(0)), nullptr);
  MemoryTier off(0);
  off.Insert(Key(0), Row(1));
  EXPECT_EQ(off.Find(Key(0)), nullptr);
}

TEST(MemoryTierTest, ItBehavesLikeAListOfRecentKeysUnderAnyUse) {
  const uint64_t seed = TestSeed();
  constexpr size_t kRows = 5;
  MemoryTier tier(kRows * kCost);
  std::deque<uint64_t> recent;
  for (uint64_t i = 0; i < 20'000; ++i) {
    const uint64_t example = UniformBelow(seed, 0, i, 9);
    const bool held = std::erase(recent, example) > 0;
    const bool inserts = UniformBelow(seed, 1, i, 2) == 1;
    if (inserts) {
      tier.Insert(Key(example), Row(static_cast<float>(example)));
    } else {
      ASSERT_EQ(tier.Find(Key(example)) != nullptr, held) << i;
    }
    if (inserts || held) recent.push_front(example);
    if (recent.size() > kRows) recent.pop_back();
    ASSERT_LE(tier.bytes(), kRows * kCost);
    ASSERT_EQ(tier.rows(), recent.size());
  }
}

TEST(MemoryTierTest, ClearForgetsAllRowsAndTakesNewOnes) {
  MemoryTier tier(2 * kCost);
  for (uint64_t i = 0; i < 2; ++i) tier.Insert(Key(i), Row(i));
  tier.Clear();
  EXPECT_EQ(tier.Find(Key(0)), nullptr);
  EXPECT_EQ(tier.bytes(), 0u);
  EXPECT_EQ(tier.rows(), 0u);
  tier.Insert(Key(0), Row(7));
  EXPECT_EQ(*tier.Find(Key(0)), *Row(7));
}

}  // namespace
}  // namespace distill
