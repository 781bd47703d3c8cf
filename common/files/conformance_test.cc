// What every FileSystem does alike, so that a test on the fake speaks for the disk.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>

#include "absl/strings/str_cat.h"
#include "common/files/fake_file_system.h"
#include "common/files/file_system.h"
#include "common/files/posix_file_system.h"

namespace distill {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using Code = absl::StatusCode;

class FileSystemConformanceTest : public ::testing::TestWithParam<bool> {
 protected:
  void SetUp() override {
    if (GetParam()) {
      files_ = std::make_unique<PosixFileSystem>();
      root_ = JoinPath(::testing::TempDir(), "conformance");
    } else {
      files_ = std::make_unique<FakeFileSystem>();
      root_ = "/tmp/conformance";
    }
    ASSERT_TRUE(files_->RemoveTree(root_).ok());
    ASSERT_TRUE(files_->MakeDirectories(root_).ok());
  }

  std::string In(std::string_view name) const { return JoinPath(root_, name); }
  std::string Content(std::string_view name) const {
    const auto content = files_->Read(In(name), 1000);
    return content.ok() ? *content : content.status().ToString();
  }

  std::unique_ptr<FileSystem> files_;
  std::string root_;
};

INSTANTIATE_TEST_SUITE_P(All, FileSystemConformanceTest, ::testing::Bool(),
                         [](const auto& info) { return info.param ? "Posix" : "Fake"; });

TEST_P(FileSystemConformanceTest, WriteCreatesAndReplaces) {
  const std::string bytes("a\0b", 3);
  ASSERT_TRUE(files_->Write(In("f"), bytes).ok());
  EXPECT_EQ(Content("f"), bytes);
  ASSERT_TRUE(files_->Write(In("f"), "").ok());
  EXPECT_EQ(Content("f"), "");
}

TEST_P(FileSystemConformanceTest, ReadRefusesMoreThanItsBoundAndNamesTheFile) {
  ASSERT_TRUE(files_->Write(In("f"), "12345").ok());
  EXPECT_EQ(*files_->Read(In("f"), 5), "12345");
  const absl::Status status = files_->Read(In("f"), 4).status();
  EXPECT_EQ(status.code(), Code::kOutOfRange);
  EXPECT_THAT(std::string(status.message()), HasSubstr(In("f")));
}

TEST_P(FileSystemConformanceTest, ReadRangeGivesThePartAndRefusesToPassTheEnd) {
  ASSERT_TRUE(files_->Write(In("f"), "12345").ok());
  EXPECT_EQ(*files_->ReadRange(In("f"), 1, 3), "234");
  EXPECT_EQ(*files_->ReadRange(In("f"), 5, 0), "");
  EXPECT_EQ(files_->ReadRange(In("f"), 3, 3).status().code(), Code::kOutOfRange);
  EXPECT_EQ(files_->ReadRange(In("f"), 6, 0).status().code(), Code::kOutOfRange);
  EXPECT_EQ(files_->ReadRange(In("f"), 2, ~size_t{0}).status().code(), Code::kOutOfRange);
}

TEST_P(FileSystemConformanceTest, WhatIsMissingIsNotFound) {
  EXPECT_EQ(files_->Read(In("no"), 10).status().code(), Code::kNotFound);
  EXPECT_EQ(files_->Size(In("no")).status().code(), Code::kNotFound);
  EXPECT_EQ(files_->List(In("no")).status().code(), Code::kNotFound);
  EXPECT_EQ(files_->Truncate(In("no"), 0).code(), Code::kNotFound);
  EXPECT_EQ(files_->Sync(In("no")).code(), Code::kNotFound);
  EXPECT_EQ(files_->Rename(In("no"), In("x")).code(), Code::kNotFound);
  EXPECT_EQ(files_->Write(In("no/f"), "").code(), Code::kNotFound);
  EXPECT_EQ(files_->OpenForAppend(In("no/f")).status().code(), Code::kNotFound);
  EXPECT_FALSE(*files_->Exists(In("no")));
  EXPECT_FALSE(*files_->Exists(In("no/f")));
}

TEST_P(FileSystemConformanceTest, AFileIsNoDirectoryAndADirectoryNoFile) {
  ASSERT_TRUE(files_->Write(In("f"), "x").ok());
  EXPECT_EQ(files_->Read(root_, 10).status().code(), Code::kFailedPrecondition);
  EXPECT_EQ(files_->Write(root_, "x").code(), Code::kFailedPrecondition);
  EXPECT_EQ(files_->List(In("f")).status().code(), Code::kFailedPrecondition);
  EXPECT_EQ(files_->Write(In("f/g"), "x").code(), Code::kFailedPrecondition);
  EXPECT_EQ(files_->MakeDirectories(In("f")).code(), Code::kFailedPrecondition);
  EXPECT_EQ(files_->MakeDirectories(In("f/g")).code(), Code::kFailedPrecondition);
}

TEST_P(FileSystemConformanceTest, AppendsGoToTheEndOfTheOldContent) {
  ASSERT_TRUE(files_->Write(In("f"), "a").ok());
  auto file = files_->OpenForAppend(In("f"));
  ASSERT_TRUE(file.ok());
  EXPECT_TRUE((*file)->Append("b").ok());
  EXPECT_TRUE((*file)->Append("c").ok());
  EXPECT_TRUE((*file)->Sync().ok());
  EXPECT_EQ(Content("f"), "abc");
  EXPECT_EQ(*files_->Size(In("f")), 3u);
}

TEST_P(FileSystemConformanceTest, AnAppendAfterATruncationGoesToTheNewEnd) {
  auto file = files_->OpenForAppend(In("f"));
  ASSERT_TRUE(file.ok());
  EXPECT_TRUE((*file)->Append("abc").ok());
  EXPECT_TRUE(files_->Truncate(In("f"), 1).ok());
  EXPECT_TRUE((*file)->Append("d").ok());
  EXPECT_EQ(Content("f"), "ad");
  EXPECT_EQ(files_->Truncate(In("f"), 3).code(), Code::kOutOfRange);
}

TEST_P(FileSystemConformanceTest, RenameReplacesAFileAndMovesADirectory) {
  ASSERT_TRUE(files_->Write(In("a"), "new").ok());
  ASSERT_TRUE(files_->Write(In("b"), "old").ok());
  EXPECT_TRUE(files_->Rename(In("a"), In("b")).ok());
  EXPECT_EQ(Content("b"), "new");
  EXPECT_FALSE(*files_->Exists(In("a")));

  ASSERT_TRUE(files_->MakeDirectories(In("d/e")).ok());
  ASSERT_TRUE(files_->Write(In("d/e/f"), "x").ok());
  EXPECT_TRUE(files_->Rename(In("d"), In("g")).ok());
  EXPECT_EQ(Content("g/e/f"), "x");
}

TEST_P(FileSystemConformanceTest, RenameRefusesToReplaceWhatIsOfAnotherKindOrFull) {
  ASSERT_TRUE(files_->Write(In("f"), "x").ok());
  ASSERT_TRUE(files_->MakeDirectories(In("full/x")).ok());
  ASSERT_TRUE(files_->MakeDirectories(In("d")).ok());
  EXPECT_EQ(files_->Rename(In("f"), In("d")).code(), Code::kFailedPrecondition);
  EXPECT_EQ(files_->Rename(In("d"), In("f")).code(), Code::kFailedPrecondition);
  EXPECT_FALSE(files_->Rename(In("d"), In("full")).ok());
  EXPECT_EQ(files_->Rename(In("d"), In("d/e")).code(), Code::kInvalidArgument);
}

TEST_P(FileSystemConformanceTest, ListsTheNamesOfOneDirectorySorted) {
  ASSERT_TRUE(files_->MakeDirectories(In("c/inner")).ok());
  ASSERT_TRUE(files_->Write(In("b"), "").ok());
  ASSERT_TRUE(files_->Write(In("a"), "").ok());
  EXPECT_THAT(*files_->List(root_), ElementsAre("a", "b", "c"));
}

TEST_P(FileSystemConformanceTest, MakeDirectoriesMayBeRepeated) {
  EXPECT_TRUE(files_->MakeDirectories(In("a/b/c")).ok());
  EXPECT_TRUE(files_->MakeDirectories(In("a/b/c")).ok());
  EXPECT_TRUE(files_->Sync(In("a/b/c")).ok());
  EXPECT_TRUE(*files_->Exists(In("a/b/c")));
}

TEST_P(FileSystemConformanceTest, RemoveTreeRemovesAllBelowAndAcceptsNothing) {
  ASSERT_TRUE(files_->MakeDirectories(In("a/b")).ok());
  ASSERT_TRUE(files_->Write(In("a/b/f"), "x").ok());
  EXPECT_TRUE(files_->RemoveTree(In("a")).ok());
  EXPECT_FALSE(*files_->Exists(In("a")));
  EXPECT_TRUE(files_->RemoveTree(In("a")).ok());
}

TEST_P(FileSystemConformanceTest, RealPathIsAbsoluteWithoutDots) {
  ASSERT_TRUE(files_->MakeDirectories(In("a")).ok());
  ASSERT_TRUE(files_->Write(In("a/f"), "x").ok());
  const std::string real = *files_->RealPath(In("a/./f"));
  EXPECT_EQ(real[0], '/');
  EXPECT_EQ(real, *files_->RealPath(root_) + "/a/f");
  EXPECT_EQ(files_->RealPath(In("no")).status().code(), Code::kNotFound);
}

TEST_P(FileSystemConformanceTest, WriteFileAtomicallyReplacesAndLeavesNoOtherFile) {
  ASSERT_TRUE(WriteFileAtomically(*files_, In("f"), "one").ok());
  ASSERT_TRUE(WriteFileAtomically(*files_, In("f"), "two").ok());
  EXPECT_EQ(Content("f"), "two");
  EXPECT_THAT(*files_->List(root_), ElementsAre("f"));
}

}  // namespace
}  // namespace distill
