#include "teacher_server/cache/segment_log.h"

#include <gtest/gtest.h>

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "common/files/fake_file_system.h"

namespace distill {
namespace {

constexpr char kDir[] = "cache/labels";
constexpr char kFirst[] = "cache/labels/0000000000000000.rows";
// Of a row of two values.
constexpr size_t kRecord = 52;
constexpr size_t kMagic = 8;

LabelKey Key(uint64_t example) { return {{1, 2}, example, 3}; }
LabelRow Row(uint64_t example) {
  const float value = static_cast<float>(example);
  return std::make_shared<const std::vector<float>>(std::vector<float>{value, -value});
}

class SegmentLogTest : public ::testing::Test {
 protected:
  std::unique_ptr<SegmentLog> Open(const SegmentLogOptions& options = {}) {
    auto log = SegmentLog::Open(&files_, kDir, options);
    EXPECT_TRUE(log.ok()) << log.status();
    return *std::move(log);
  }
  // One by one.
  static void Add(SegmentLog& log, uint64_t first, uint64_t end) {
    for (uint64_t i = first; i < end; ++i) {
      ASSERT_TRUE(log.Add(std::vector<KeyedRow>{{Key(i), Row(i)}}).ok());
    }
  }
  // Which of the examples below `end` are found; each has its own row, or fails.
  static std::vector<uint64_t> Found(SegmentLog& log, uint64_t end) {
    std::vector<LabelKey> keys;
    for (uint64_t i = 0; i < end; ++i) keys.push_back(Key(i));
    const std::vector<LabelRow> rows = log.Find(keys);
    std::vector<uint64_t> found;
    for (uint64_t i = 0; i < end; ++i) {
      if (rows[i] == nullptr) continue;
      EXPECT_EQ(*rows[i], *Row(i)) << i;
      found.push_back(i);
    }
    return found;
  }
  uint64_t BytesOnDisk() { return BytesOnDisk(files_); }
  static uint64_t BytesOnDisk(FileSystem& files) {
    uint64_t bytes = 0;
    const std::vector<std::string> names = *files.List(kDir);
    for (const std::string& name : names) {
      bytes += *files.Size(JoinPath(kDir, name));
    }
    return bytes;
  }

  FakeFileSystem files_;
};

using Examples = std::vector<uint64_t>;

TEST_F(SegmentLogTest, WhatWasAddedIsFoundByItsWholeKey) {
  const auto log = Open();
  Add(*log, 0, 3);
  EXPECT_EQ(Found(*log, 5), (Examples{0, 1, 2}));
  const std::vector<LabelKey> others = {{{0, 2}, 1, 3}, {{1, 0}, 1, 3}, {{1, 2}, 1, 0}};
  for (const LabelRow& row : log->Find(others)) EXPECT_EQ(row, nullptr);
  EXPECT_EQ(log->bytes(), BytesOnDisk());
  EXPECT_EQ(log->bytes(), kMagic + 3 * kRecord);
}

TEST_F(SegmentLogTest, ItSurvivesARestartAndGoesOn) {
  {
    const auto log = Open();
    Add(*log, 0, 3);
  }
  auto log = Open();
  EXPECT_EQ(Found(*log, 5), (Examples{0, 1, 2}));
  Add(*log, 2, 5);
  log.reset();
  log = Open();
  EXPECT_EQ(Found(*log, 6), (Examples{0, 1, 2, 3, 4}));
  EXPECT_EQ(log->damaged(), 0u);
  EXPECT_EQ(log->bytes(), BytesOnDisk());
}

TEST_F(SegmentLogTest, AfterACrashWhatWasFlushedIsThereAndATornTailIsPassedOver) {
  {
    const auto log = Open();
    Add(*log, 0, 2);
    ASSERT_TRUE(log->Flush().ok());
    Add(*log, 2, 4);
    files_.Crash(kRecord + 20);
  }
  const auto log = Open();
  EXPECT_EQ(Found(*log, 5), (Examples{0, 1, 2}));
  EXPECT_EQ(log->damaged(), 1u);
  Add(*log, 3, 5);
  EXPECT_EQ(Found(*log, 5), (Examples{0, 1, 2, 3, 4}));
}

TEST_F(SegmentLogTest, ATailTornAnywhereCostsItsRecordOnly) {
  {
    Add(*Open(), 0, 3);
  }
  const std::string bytes = *files_.Read(kFirst, 1000);
  for (size_t size = 0; size < bytes.size(); ++size) {
    ASSERT_TRUE(files_.Write(kFirst, bytes.substr(0, size)).ok());
    const size_t whole = size < kMagic ? 0 : (size - kMagic) / kRecord;
    const auto log = Open();
    EXPECT_EQ(log->rows(), whole) << size;
    EXPECT_EQ(Found(*log, 3).size(), whole) << size;
    ASSERT_TRUE(files_.RemoveTree(kDir).ok());
    ASSERT_TRUE(files_.MakeDirectories(kDir).ok());
  }
}

TEST_F(SegmentLogTest, AFlippedBitIsNeverServedWhetherItCameBeforeOrAfterTheOpen) {
  {
    Add(*Open(), 0, 3);
  }
  const std::string bytes = *files_.Read(kFirst, 1000);
  for (size_t i = 0; i < bytes.size() * 8; ++i) {
    ASSERT_TRUE(files_.Write(kFirst, bytes).ok());
    const auto before = Open();
    std::string flipped = bytes;
    flipped[i / 8] ^= 1 << i % 8;
    ASSERT_TRUE(files_.Write(kFirst, flipped).ok());
    // Found checks every value that it is given.
    const bool in_magic = i / 8 < kMagic;
    EXPECT_EQ(Found(*before, 3).size(), in_magic ? 3u : 2u) << i;
    const auto after = Open();
    EXPECT_LT(Found(*after, 3).size(), 3u) << i;
    EXPECT_EQ(after->damaged(), 1u);
  }
}

TEST_F(SegmentLogTest, ADamagedRowIsAddedAgain) {
  const auto log = Open();
  Add(*log, 0, 2);
  std::string bytes = *files_.Read(kFirst, 1000);
  bytes[kMagic + kRecord - 1] ^= 1;
  ASSERT_TRUE(files_.Write(kFirst, bytes).ok());
  EXPECT_EQ(Found(*log, 2), (Examples{1}));
  EXPECT_EQ(log->damaged(), 1u);
  Add(*log, 0, 1);
  EXPECT_EQ(Found(*log, 2), (Examples{0, 1}));
}

TEST_F(SegmentLogTest, ARecordOfAnotherKeyInThePlaceOfOneIsNotServed) {
  const auto log = Open();
  Add(*log, 0, 2);
  const std::string bytes = *files_.Read(kFirst, 1000);
  const std::string swapped =
      bytes.substr(0, kMagic) + bytes.substr(kMagic + kRecord) + bytes.substr(kMagic, kRecord);
  ASSERT_TRUE(files_.Write(kFirst, swapped).ok());
  EXPECT_EQ(Found(*log, 2), Examples());
}

TEST_F(SegmentLogTest, ARowThatWasAddedAgainOutlivesItsFirstSegment) {
  const auto log = Open({.max_bytes = 4 * (kMagic + kRecord), .segment_bytes = 1});
  Add(*log, 0, 1);
  std::string bytes = *files_.Read(kFirst, 1000);
  bytes.back() ^= 1;
  ASSERT_TRUE(files_.Write(kFirst, bytes).ok());
  EXPECT_EQ(Found(*log, 1), Examples());
  Add(*log, 0, 4);
  EXPECT_FALSE(*files_.Exists(kFirst));
  EXPECT_EQ(Found(*log, 4), (Examples{0, 1, 2, 3}));
}

TEST_F(SegmentLogTest, ATornAppendThatCannotBeCutOffEndsItsSegment) {
  const auto log = Open();
  Add(*log, 0, 1);
  files_.FailOperation(1, absl::ResourceExhaustedError("disk full"), true);
  EXPECT_FALSE(log->Add(std::vector<KeyedRow>{{Key(1), Row(1)}}).ok());
  // The disk has room again.
  files_.FailOperation(1'000'000, absl::UnknownError("never"));
  Add(*log, 2, 4);
  EXPECT_EQ(Found(*log, 4), (Examples{0, 2, 3}));
  EXPECT_EQ(Found(*Open(), 4), (Examples{0, 2, 3}));
}

TEST_F(SegmentLogTest, TheBoundHoldsAndTheOldestSegmentGoes) {
  const SegmentLogOptions options = {.max_bytes = 1000, .segment_bytes = 200};
  const auto log = Open(options);
  for (uint64_t i = 0; i < 100; ++i) {
    Add(*log, i, i + 1);
    ASSERT_LE(log->bytes(), 1000u);
    ASSERT_EQ(log->bytes(), BytesOnDisk());
  }
  const Examples found = Found(*log, 100);
  // The last ones, without a gap.
  EXPECT_EQ(found.back(), 99u);
  EXPECT_EQ(found.front(), 100 - found.size());
  EXPECT_GE(found.size(), 13u);
  EXPECT_EQ(log->evictions(), 100 - found.size());
  EXPECT_EQ(log->rows(), found.size());
}

// Calls back when a file has just gone.
class WatchedRemovals final : public FakeFileSystem {
 public:
  absl::Status RemoveTree(const std::string& path) override {
    const absl::Status status = FakeFileSystem::RemoveTree(path);
    if (on_removed) on_removed();
    return status;
  }
  std::function<void()> on_removed;
};

TEST_F(SegmentLogTest, WhoeverReadsWhileASegmentIsDeletedDoesNotTakeItsRowsForDamaged) {
  WatchedRemovals files;
  const auto log =
      *SegmentLog::Open(&files, kDir, {.max_bytes = 4 * (kMagic + kRecord), .segment_bytes = 1});
  Add(*log, 0, 4);
  int removals = 0;
  files.on_removed = [&] {
    ++removals;
    Found(*log, 6);
  };
  Add(*log, 4, 6);
  EXPECT_GT(removals, 0);
  EXPECT_EQ(log->damaged(), 0u);
  EXPECT_EQ(log->figures().evictions, static_cast<uint64_t>(removals));
}

TEST_F(SegmentLogTest, ASmallerBoundAtTheNextStartHoldsAtOnce) {
  {
    Add(*Open({.max_bytes = 4000, .segment_bytes = 200}), 0, 60);
  }
  const auto log = Open({.max_bytes = 1000, .segment_bytes = 200});
  EXPECT_LE(BytesOnDisk(), 1000u);
  EXPECT_EQ(Found(*log, 60).back(), 59u);
}

TEST_F(SegmentLogTest, RowsAreBoundedTooAndABatchBeyondTheCacheIsNotWritten) {
  const auto log = Open({.max_bytes = 4000, .segment_bytes = 200, .max_rows = 10});
  Add(*log, 0, 50);
  EXPECT_LE(log->rows(), 10u);
  EXPECT_EQ(Found(*log, 50).back(), 49u);
  std::vector<KeyedRow> many;
  for (uint64_t i = 100; i < 120; ++i) many.push_back({Key(i), Row(i)});
  ASSERT_TRUE(log->Add(many).ok());
  EXPECT_EQ(Found(*log, 50).back(), 49u);
}

TEST_F(SegmentLogTest, AStartReadsNoMoreThanTheBoundsHaveRoomFor) {
  for (const SegmentLogOptions& smaller :
       {SegmentLogOptions{.max_bytes = 600}, SegmentLogOptions{.max_rows = 10}}) {
    ASSERT_TRUE(files_.RemoveTree(kDir).ok());
    {
      Add(*Open({.max_bytes = 4000, .segment_bytes = 200}), 0, 40);
    }
    // Whoever reads the oldest one notices.
    ASSERT_TRUE(files_.Write(kFirst, std::string(200, 'x')).ok());
    const auto log = Open(smaller);
    EXPECT_EQ(log->damaged(), 0u);
    EXPECT_FALSE(*files_.Exists(kFirst));
    const Examples found = Found(*log, 40);
    ASSERT_FALSE(found.empty());
    EXPECT_EQ(found.front(), 40 - found.size());
    EXPECT_LE(BytesOnDisk(), smaller.max_bytes);
    EXPECT_LE(log->rows(), smaller.max_rows);
    EXPECT_EQ(log->bytes(), BytesOnDisk());
  }
}

TEST_F(SegmentLogTest, ASegmentWithMoreRowsThanTheBoundIsNotKept) {
  {
    Add(*Open(), 0, 20);
  }
  const auto log = Open({.max_rows = 10});
  EXPECT_EQ(log->rows(), 0u);
  EXPECT_EQ(log->bytes(), 0u);
  EXPECT_FALSE(*files_.Exists(kFirst));
}

TEST_F(SegmentLogTest, TheSameRowIsWrittenOnce) {
  const auto log = Open();
  ASSERT_TRUE(log->Add(std::vector<KeyedRow>{{Key(0), Row(0)}, {Key(0), Row(0)}}).ok());
  Add(*log, 0, 1);
  EXPECT_EQ(log->bytes(), kMagic + kRecord);
}

TEST_F(SegmentLogTest, AFailureAtAnyOperationLosesNoOtherRowAndServesNothingFalse) {
  const SegmentLogOptions options = {.max_bytes = 1000, .segment_bytes = 200};
  for (int64_t n = 1; n < 60; ++n) {
    FakeFileSystem files;
    auto log = *SegmentLog::Open(&files, kDir, options);
    files.FailOperation(n, absl::ResourceExhaustedError("disk full"));
    int failed = 0;
    for (uint64_t i = 0; i < 30; ++i) {
      failed += !log->Add(std::vector<KeyedRow>{{Key(i), Row(i)}}).ok();
    }
    EXPECT_LE(failed, 1) << n;
    EXPECT_LE(log->bytes(), 1000u);
    EXPECT_EQ(log->bytes(), BytesOnDisk(files)) << n;
    EXPECT_GE(Found(*log, 30).size(), 12u) << n;
    log = *SegmentLog::Open(&files, kDir, options);
    EXPECT_GE(Found(*log, 30).size(), 12u) << n;
  }
}

TEST_F(SegmentLogTest, FilesThatAreNotSegmentsAreLeftAlone) {
  ASSERT_TRUE(files_.MakeDirectories(kDir).ok());
  ASSERT_TRUE(files_.Write(JoinPath(kDir, "notes.txt"), "mine").ok());
  ASSERT_TRUE(files_.Write(JoinPath(kDir, "7.rows"), "mine").ok());
  Add(*Open(), 0, 1);
  EXPECT_EQ(*files_.Read(JoinPath(kDir, "notes.txt"), 10), "mine");
  EXPECT_EQ(*files_.Read(JoinPath(kDir, "7.rows"), 10), "mine");
}

TEST_F(SegmentLogTest, WhatIsClearedDoesNotComeBackEvenAfterACrash) {
  SegmentLogOptions options;
  options.segment_bytes = 2 * kRecord;
  auto log = Open(options);
  Add(*log, 0, 10);
  ASSERT_TRUE(log->Flush().ok());
  ASSERT_TRUE(log->Clear().ok());
  EXPECT_TRUE(Found(*log, 10).empty());
  EXPECT_EQ(log->bytes(), 0u);
  Add(*log, 3, 5);
  ASSERT_TRUE(log->Flush().ok());
  log.reset();
  files_.Crash();
  log = Open(options);
  EXPECT_EQ(Found(*log, 10), (std::vector<uint64_t>{3, 4}));
}

}  // namespace
}  // namespace distill
