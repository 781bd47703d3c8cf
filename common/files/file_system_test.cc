#include "common/files/file_system.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "common/files/fake_file_system.h"

namespace distill {
namespace {

using ::testing::AnyOf;
using ::testing::HasSubstr;

TEST(JoinPath, PutsOneSlashBetween) {
  EXPECT_EQ(JoinPath("a", "b"), "a/b");
  EXPECT_EQ(JoinPath("a//", "b"), "a/b");
  EXPECT_EQ(JoinPath("/", "b"), "/b");
  EXPECT_EQ(JoinPath("", "b"), "b");
}

TEST(ParentDirectory, IsWhatHoldsThePath) {
  EXPECT_EQ(ParentDirectory("/a/b"), "/a");
  EXPECT_EQ(ParentDirectory("/a/b/"), "/a");
  EXPECT_EQ(ParentDirectory("/a"), "/");
  EXPECT_EQ(ParentDirectory("a"), ".");
  EXPECT_EQ(ParentDirectory("a/b"), "a");
}

class WriteFileAtomicallyTest : public ::testing::Test {
 protected:
  void SetUp() override {
    ASSERT_TRUE(files_.MakeDirectories("/d").ok());
    ASSERT_TRUE(WriteFileAtomically(files_, "/d/f", "old content").ok());
  }
  std::string Content() { return files_.Read("/d/f", 100).value_or("(none)"); }

  FakeFileSystem files_;
};

TEST_F(WriteFileAtomicallyTest, TheNewContentSurvivesACrash) {
  ASSERT_TRUE(WriteFileAtomically(files_, "/d/f", "new").ok());
  files_.Crash();
  EXPECT_EQ(Content(), "new");
}

// Write, sync, rename, sync of the directory: 4 operations.
class WriteFileAtomicallyFailureTest : public WriteFileAtomicallyTest,
                                       public ::testing::WithParamInterface<int> {};

INSTANTIATE_TEST_SUITE_P(EachOperation, WriteFileAtomicallyFailureTest, ::testing::Range(1, 5));

TEST_P(WriteFileAtomicallyFailureTest, ADeathOnTheWayLeavesOldOrNewContentAndNeverAPart) {
  files_.FailOperation(GetParam(), absl::DataLossError("EIO"), /*and_all_later=*/true);
  const absl::Status status = WriteFileAtomically(files_, "/d/f", "new");
  EXPECT_EQ(status.code(), absl::StatusCode::kDataLoss);
  EXPECT_THAT(std::string(status.message()), HasSubstr("/d"));
  files_.Crash(100);
  EXPECT_EQ(Content(), "old content");
}

TEST_P(WriteFileAtomicallyFailureTest, AfterAnErrorItCanBeRepeated) {
  files_.FailOperation(GetParam(), absl::ResourceExhaustedError("ENOSPC"));
  EXPECT_FALSE(WriteFileAtomically(files_, "/d/f", "new").ok());
  EXPECT_THAT(Content(), AnyOf("old content", "new"));
  EXPECT_FALSE(*files_.Exists("/d/f.tmp"));
  EXPECT_TRUE(WriteFileAtomically(files_, "/d/f", "newer").ok());
  files_.Crash();
  EXPECT_EQ(Content(), "newer");
}

}  // namespace
}  // namespace distill
