#include "teacher_server/cache/label_cache.h"

#include <gtest/gtest.h>

#include <memory>
#include <vector>

#include "common/executor/manual_executor.h"
#include "common/files/fake_file_system.h"

namespace distill {
namespace {

LabelKey Key(uint64_t example) { return {{1, 2}, example, 0}; }
KeyedRow Row(uint64_t example) {
  return {Key(example), std::make_shared<const std::vector<float>>(4, float(example))};
}

TEST(LabelCacheTest, WithoutADiskOnlyMemoryIsAsked) {
  LabelCache cache(1 << 20, nullptr);
  EXPECT_EQ(cache.Find(Key(1)), nullptr);
  cache.Add({Row(1)});
  EXPECT_EQ(*cache.Find(Key(1)), *Row(1).row);
  EXPECT_FALSE(cache.FindOnDisk({Key(1)}, [](std::vector<LabelRow>) { FAIL(); }));
  EXPECT_EQ(cache.stats().memory.hits, 1u);
  EXPECT_EQ(cache.stats().memory.misses, 1u);
  EXPECT_GT(cache.stats().memory.bytes, 16u);
}

TEST(LabelCacheTest, WhatLeftMemoryIsFoundOnDiskAlsoAfterARestart) {
  FakeFileSystem files;
  ManualExecutor executor;
  DiskTierOptions options;
  options.directory = "cache";
  {
    DiskTier disk(&files, options, &executor, &executor, nullptr);
    LabelCache cache(0, &disk);
    cache.Add({Row(1)});
    executor.RunAll();
  }
  DiskTier disk(&files, options, &executor, &executor, nullptr);
  LabelCache cache(1 << 20, &disk);
  EXPECT_FALSE(cache.FindOnDisk({Key(1)}, [](std::vector<LabelRow>) { FAIL(); }));
  executor.RunAll();
  std::vector<LabelRow> rows;
  ASSERT_TRUE(cache.FindOnDisk({Key(1), Key(2)},
                               [&](std::vector<LabelRow> found) { rows = std::move(found); }));
  executor.RunAll();
  ASSERT_EQ(rows.size(), 2u);
  EXPECT_EQ(*rows[0], *Row(1).row);
  EXPECT_EQ(rows[1], nullptr);
  cache.Remember({Key(1), rows[0]});
  EXPECT_EQ(cache.Find(Key(1)), rows[0]);
  EXPECT_EQ(cache.stats().disk.hits, 1u);
}

TEST(LabelCacheTest, ClearForgetsTheRowsOfBothTiers) {
  FakeFileSystem files;
  ManualExecutor executor;
  DiskTierOptions options;
  options.directory = "cache";
  DiskTier disk(&files, options, &executor, &executor, nullptr);
  LabelCache cache(1 << 20, &disk);
  cache.Add({Row(1)});
  executor.RunAll();
  cache.Clear();
  EXPECT_EQ(cache.clears(), 1u);
  EXPECT_EQ(cache.Find(Key(1)), nullptr);
  executor.RunAll();
  std::vector<LabelRow> rows;
  ASSERT_TRUE(
      cache.FindOnDisk({Key(1)}, [&](std::vector<LabelRow> found) { rows = std::move(found); }));
  executor.RunAll();
  ASSERT_EQ(rows.size(), 1u);
  EXPECT_EQ(rows[0], nullptr);
}

}  // namespace
}  // namespace distill
