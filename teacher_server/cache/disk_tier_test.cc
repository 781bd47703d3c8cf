#include "teacher_server/cache/disk_tier.h"

#include <gtest/gtest.h>

#include <atomic>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "common/executor/manual_executor.h"
#include "common/executor/thread_executor.h"
#include "common/files/fake_file_system.h"

namespace distill {
namespace {

constexpr char kDir[] = "cache";

LabelKey Key(uint64_t example) { return {{1, 2}, example, 0}; }
KeyedRow Row(uint64_t example) {
  return {Key(example), std::make_shared<const std::vector<float>>(4, float(example))};
}

class DiskTierTest : public ::testing::Test {
 protected:
  std::unique_ptr<DiskTier> Open(DiskTierOptions options = {}) {
    options.directory = kDir;
    return std::make_unique<DiskTier>(&files_, options, &executor_, &executor_,
                                      [this](const absl::Status& s) { errors_.push_back(s); });
  }
  static absl::Status Find(DiskTier& tier, uint64_t example, std::optional<bool>& found) {
    return tier.Find({Key(example)}, [&found](const std::vector<LabelRow>& rows) {
      found = rows.at(0) != nullptr;
    });
  }

  FakeFileSystem files_;
  ManualExecutor executor_;
  std::vector<absl::Status> errors_;
};

TEST_F(DiskTierTest, TheCallerNeverTouchesTheDisk) {
  const auto tier = Open();
  std::optional<bool> found;
  EXPECT_FALSE(tier->ready());
  EXPECT_FALSE(Find(*tier, 1, found).ok());
  executor_.RunAll();
  EXPECT_TRUE(tier->ready());
  const int64_t operations = files_.operations();
  tier->Add({Row(1)});
  ASSERT_TRUE(Find(*tier, 1, found).ok());
  tier->Flush();
  EXPECT_EQ(files_.operations(), operations);
  EXPECT_EQ(found, std::nullopt);
  executor_.RunAll();
  EXPECT_EQ(found, true);
  ASSERT_TRUE(Find(*tier, 2, found).ok());
  executor_.RunAll();
  EXPECT_EQ(found, false);
  EXPECT_EQ(tier->stats().hits, 1u);
  EXPECT_EQ(tier->stats().misses, 1u);
  EXPECT_GT(tier->stats().bytes, 16u);
}

TEST_F(DiskTierTest, WhatWasFlushedSurvivesACrashAndASecondStart) {
  auto tier = Open();
  tier->Add({Row(1)});
  tier->Flush();
  executor_.RunAll();
  tier.reset();
  files_.Crash();
  tier = Open();
  executor_.RunAll();
  std::optional<bool> found;
  ASSERT_TRUE(Find(*tier, 1, found).ok());
  executor_.RunAll();
  EXPECT_EQ(found, true);
}

TEST_F(DiskTierTest, SearchesAndUnwrittenBytesAreBounded) {
  DiskTierOptions options;
  options.max_pending_finds = 2;
  options.max_pending_bytes = 40;
  const auto tier = Open(options);
  executor_.RunAll();
  std::optional<bool> found;
  EXPECT_TRUE(Find(*tier, 1, found).ok());
  EXPECT_TRUE(Find(*tier, 1, found).ok());
  EXPECT_TRUE(absl::IsResourceExhausted(Find(*tier, 1, found)));
  // 16 bytes each.
  for (uint64_t i = 0; i < 3; ++i) tier->Add({Row(i)});
  EXPECT_EQ(tier->stats().dropped, 1u);
  executor_.RunAll();
  EXPECT_TRUE(Find(*tier, 1, found).ok());
  tier->Add({Row(3)});
  executor_.RunAll();
  EXPECT_EQ(found, true);
  EXPECT_EQ(tier->stats().dropped, 1u);
}

TEST_F(DiskTierTest, AfterRepeatedFailuresNothingMoreIsWrittenButReadingGoesOn) {
  const auto tier = Open();
  tier->Add({Row(0)});
  executor_.RunAll();
  files_.FailOperation(1, absl::ResourceExhaustedError("disk full"), true);
  for (uint64_t i = 1; i < 10; ++i) {
    tier->Add({Row(i)});
    executor_.RunAll();
  }
  EXPECT_EQ(errors_.size(), 3u);
  EXPECT_EQ(tier->stats().dropped, 9u);
  files_.Crash(1000);
  const int64_t operations = files_.operations();
  tier->Add({Row(10)});
  executor_.RunAll();
  EXPECT_EQ(files_.operations(), operations);
  std::optional<bool> found;
  ASSERT_TRUE(Find(*tier, 0, found).ok());
  executor_.RunAll();
  EXPECT_TRUE(found.has_value());
}

TEST_F(DiskTierTest, ADirectoryThatCannotBeOpenedIsReportedAndTheTierStaysEmpty) {
  ASSERT_TRUE(files_.Write(kDir, "a file").ok());
  const auto tier = Open();
  executor_.RunAll();
  ASSERT_EQ(errors_.size(), 1u);
  EXPECT_FALSE(tier->ready());
  tier->Add({Row(1)});
  tier->Flush();
  executor_.RunAll();
  EXPECT_EQ(tier->stats().dropped, 1u);
}

TEST_F(DiskTierTest, ThreadsUseItTogether) {
  DiskTierOptions options;
  options.directory = kDir;
  options.log.max_bytes = 4000;  // so that segments are deleted while others read
  ThreadExecutor reads({.name = "reads", .threads = 1, .max_queued = 4096});
  ThreadExecutor executor({.name = "cache", .threads = 1, .max_queued = 4096});
  DiskTier tier(&files_, options, &reads, &executor, nullptr);
  std::atomic<int> wrong = 0;
  std::vector<std::thread> threads;
  for (uint64_t thread = 0; thread < 3; ++thread) {
    threads.emplace_back([&, thread] {
      for (uint64_t i = 0; i < 200; ++i) {
        tier.Add({Row(i)});
        const uint64_t example = (i * 7 + thread) % 200;
        tier.Find({Key(example)},
                  [&wrong, example](const std::vector<LabelRow>& rows) {
                    if (rows.at(0) != nullptr && *rows[0] != *Row(example).row) ++wrong;
                  })
            .IgnoreError();
        tier.stats();
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  executor.Stop();
  reads.Stop();
  EXPECT_EQ(wrong, 0);
  EXPECT_EQ(tier.stats().damaged, 0u);
  EXPECT_TRUE(tier.ready());
  EXPECT_FALSE(tier.Find({Key(1)}, nullptr).ok());
  EXPECT_EQ(tier.stats().dropped, 0u);
}

TEST_F(DiskTierTest, ASearchDoesNotWaitForWhatIsWritten) {
  ManualExecutor reads;
  DiskTier tier(&files_, {.directory = kDir, .log = {}}, &reads, &executor_, nullptr);
  tier.Add({Row(1)});
  executor_.RunAll();
  tier.Add({Row(2)});
  tier.Flush();
  std::optional<bool> found;
  ASSERT_TRUE(Find(tier, 1, found).ok());
  reads.RunAll();
  EXPECT_EQ(executor_.pending(), 2u);
  EXPECT_EQ(found, true);
}

TEST_F(DiskTierTest, NobodyIsToldAnythingOnceItIsAbandoned) {
  const auto tier = Open();
  executor_.RunAll();
  std::optional<bool> found;
  ASSERT_TRUE(Find(*tier, 1, found).ok());
  files_.FailOperation(1, absl::ResourceExhaustedError("disk full"), true);
  tier->Add({Row(1)});
  tier->Abandon();
  executor_.RunAll();
  EXPECT_EQ(found, std::nullopt);
  EXPECT_TRUE(errors_.empty());
}

TEST_F(DiskTierTest, WhatIsScheduledOutlivesTheTier) {
  auto tier = Open();
  executor_.RunAll();
  std::optional<bool> found;
  tier->Add({Row(1)});
  ASSERT_TRUE(Find(*tier, 1, found).ok());
  tier.reset();
  executor_.RunAll();
  EXPECT_EQ(found, true);
}

TEST_F(DiskTierTest, AClearedTierFindsNothingOfBeforeNorWritesIt) {
  auto tier = Open();
  tier->Add({Row(1)});
  executor_.RunAll();
  tier->Add({Row(2)});
  tier->Clear();
  EXPECT_FALSE(tier->ready()) << "until the rows are gone";
  tier->Add({Row(3)});
  tier->Flush();
  executor_.RunAll();
  EXPECT_TRUE(tier->ready());
  tier.reset();
  files_.Crash();
  tier = Open();
  executor_.RunAll();
  for (uint64_t example = 1; example <= 3; ++example) {
    std::optional<bool> found;
    ASSERT_TRUE(Find(*tier, example, found).ok());
    executor_.RunAll();
    EXPECT_EQ(found, example == 3) << example;
  }
}

TEST_F(DiskTierTest, AFullExecutorClearsBeforeWhatWaitsThereIsWritten) {
  ManualExecutor writes(2);
  DiskTier tier(&files_, {.directory = kDir, .log = {}}, &executor_, &writes, nullptr);
  tier.Add({Row(1)});
  writes.RunAll();
  tier.Add({Row(2)});
  tier.Add({Row(3)});
  tier.Clear();
  writes.RunAll();
  ASSERT_TRUE(tier.ready());
  EXPECT_EQ(tier.stats().bytes, 0u);
  EXPECT_EQ(tier.stats().dropped, 2u);
}

TEST_F(DiskTierTest, RowsThatCannotBeDeletedAreNeverFoundAndSomebodyIsTold) {
  const auto tier = Open();
  tier->Add({Row(1)});
  executor_.RunAll();
  files_.FailOperation(1, absl::PermissionDeniedError("read-only"), true);
  tier->Clear();
  tier->Add({Row(2)});
  executor_.RunAll();
  ASSERT_EQ(errors_.size(), 1u);
  EXPECT_NE(errors_[0].message().find("delete the directory"), absl::string_view::npos);
  EXPECT_FALSE(tier->ready());
  EXPECT_EQ(tier->stats().dropped, 1u);
}

}  // namespace
}  // namespace distill
