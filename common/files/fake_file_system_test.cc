#include "common/files/fake_file_system.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

namespace distill {
namespace {

using ::testing::ElementsAre;
using Code = absl::StatusCode;

class FakeFileSystemTest : public ::testing::Test {
 protected:
  void SetUp() override { ASSERT_TRUE(files_.MakeDirectories("/d").ok()); }
  std::string Content(const std::string& path) {
    const auto content = files_.Read(path, 1000);
    return content.ok() ? *content : "(none)";
  }

  FakeFileSystem files_;
};

TEST_F(FakeFileSystemTest, ACrashDropsANameThatWasNotSynced) {
  ASSERT_TRUE(files_.Write("/d/f", "x").ok());
  ASSERT_TRUE(files_.Sync("/d/f").ok());
  files_.Crash();
  EXPECT_FALSE(*files_.Exists("/d/f"));
  EXPECT_TRUE(*files_.Exists("/d"));
}

TEST_F(FakeFileSystemTest, ACrashDropsContentThatWasNotSynced) {
  ASSERT_TRUE(files_.Write("/d/f", "x").ok());
  ASSERT_TRUE(files_.Sync("/d").ok());
  files_.Crash();
  EXPECT_EQ(Content("/d/f"), "");
}

TEST_F(FakeFileSystemTest, WhatWasSyncedSurvivesEveryCrash) {
  ASSERT_TRUE(files_.Write("/d/f", "x").ok());
  ASSERT_TRUE(files_.Sync("/d/f").ok());
  ASSERT_TRUE(files_.Sync("/d").ok());
  ASSERT_TRUE(files_.Write("/d/f", "unsynced").ok());
  files_.Crash();
  files_.Crash();
  EXPECT_EQ(Content("/d/f"), "x");
}

TEST_F(FakeFileSystemTest, ACrashUndoesARenameAndARemovalThatWereNotSynced) {
  ASSERT_TRUE(WriteFileAtomically(files_, "/d/a", "a").ok());
  ASSERT_TRUE(WriteFileAtomically(files_, "/d/b", "b").ok());
  ASSERT_TRUE(files_.Rename("/d/a", "/d/c").ok());
  ASSERT_TRUE(files_.RemoveTree("/d/b").ok());
  EXPECT_THAT(*files_.List("/d"), ElementsAre("c"));
  files_.Crash();
  EXPECT_THAT(*files_.List("/d"), ElementsAre("a", "b"));
}

TEST_F(FakeFileSystemTest, ACrashMayKeepAPartOfWhatWasAppended) {
  auto file = *files_.OpenForAppend("/d/f");
  ASSERT_TRUE(files_.Sync("/d").ok());
  ASSERT_TRUE(file->Append("synced").ok());
  ASSERT_TRUE(file->Sync().ok());
  ASSERT_TRUE(file->Append("lost").ok());
  files_.Crash(2);
  EXPECT_EQ(Content("/d/f"), "syncedlo");
  files_.Crash();
  EXPECT_EQ(Content("/d/f"), "syncedlo");
}

TEST_F(FakeFileSystemTest, AFileOpenedBeforeACrashFailsAfterIt) {
  auto file = *files_.OpenForAppend("/d/f");
  ASSERT_TRUE(files_.Sync("/d").ok());
  files_.Crash();
  EXPECT_EQ(file->Append("xyz").code(), Code::kFailedPrecondition);
  EXPECT_EQ(file->Sync().code(), Code::kFailedPrecondition);
  EXPECT_EQ(Content("/d/f"), "");
}

TEST_F(FakeFileSystemTest, TheNthOperationFailsAndTheNextSucceeds) {
  files_.FailOperation(2, absl::DataLossError("EIO"));
  EXPECT_TRUE(files_.Write("/d/f", "x").ok());
  const absl::Status status = files_.Sync("/d/f");
  EXPECT_EQ(status.code(), Code::kDataLoss);
  EXPECT_EQ(status.message(), "/d/f: EIO");
  EXPECT_TRUE(files_.Sync("/d/f").ok());
}

TEST_F(FakeFileSystemTest, AFailureMayLast) {
  files_.FailOperation(1, absl::ResourceExhaustedError("ENOSPC"), /*and_all_later=*/true);
  EXPECT_FALSE(files_.Write("/d/f", "x").ok());
  EXPECT_FALSE(files_.Write("/d/f", "x").ok());
  files_.Crash();
  EXPECT_TRUE(files_.Write("/d/f", "x").ok());
}

TEST_F(FakeFileSystemTest, AFailedWriteOrAppendLeavesHalfOfItsBytes) {
  files_.FailOperation(1, absl::ResourceExhaustedError("ENOSPC"));
  EXPECT_FALSE(files_.Write("/d/f", "1234").ok());
  EXPECT_EQ(Content("/d/f"), "12");
  auto file = *files_.OpenForAppend("/d/f");
  files_.FailOperation(1, absl::ResourceExhaustedError("ENOSPC"));
  EXPECT_FALSE(file->Append("abcd").ok());
  EXPECT_EQ(Content("/d/f"), "12ab");
}

TEST_F(FakeFileSystemTest, AFailedSyncMakesNothingDurable) {
  ASSERT_TRUE(files_.Write("/d/f", "x").ok());
  ASSERT_TRUE(files_.Sync("/d").ok());
  files_.FailOperation(1, absl::DataLossError("EIO"));
  EXPECT_FALSE(files_.Sync("/d/f").ok());
  files_.Crash();
  EXPECT_EQ(Content("/d/f"), "");
}

TEST_F(FakeFileSystemTest, CountsEveryOperation) {
  const int64_t before = files_.operations();
  ASSERT_TRUE(files_.Exists("/d").ok());
  auto file = *files_.OpenForAppend("/d/f");
  ASSERT_TRUE(file->Append("x").ok());
  EXPECT_EQ(files_.operations() - before, 3);
}

TEST_F(FakeFileSystemTest, RefusesToLeaveADirectoryUpwards) {
  EXPECT_EQ(files_.Write("/d/../f", "x").code(), Code::kInvalidArgument);
}

}  // namespace
}  // namespace distill
