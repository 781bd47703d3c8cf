// What the conformance suite cannot show: the errors of a real kernel.
#include "common/files/posix_file_system.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <memory>
#include <string>

namespace distill {
namespace {

using ::testing::HasSubstr;

TEST(PosixFileSystem, AFullDiskIsResourceExhausted) {
  PosixFileSystem files;
  const absl::Status status = files.Write("/dev/full", "x");
  EXPECT_EQ(status.code(), absl::StatusCode::kResourceExhausted);
  EXPECT_THAT(std::string(status.message()), HasSubstr("/dev/full: write"));
}

TEST(PosixFileSystem, RefusesToReadADeviceWithoutAnEnd) {
  PosixFileSystem files;
  EXPECT_EQ(files.Read("/dev/zero", 10).status().code(), absl::StatusCode::kFailedPrecondition);
}

TEST(PosixFileSystem, AnAppendFileOutlivesItsFileSystem) {
  const std::string path = JoinPath(::testing::TempDir(), "outlives");
  std::unique_ptr<AppendFile> file;
  {
    PosixFileSystem files;
    ASSERT_TRUE(files.RemoveTree(path).ok());
    auto opened = files.OpenForAppend(path);
    ASSERT_TRUE(opened.ok());
    file = *std::move(opened);
  }
  EXPECT_TRUE(file->Append("x").ok());
  EXPECT_TRUE(file->Sync().ok());
  EXPECT_EQ(*PosixFileSystem().Read(path, 10), "x");
}

TEST(PosixFileSystem, RealPathFollowsLinks) {
  PosixFileSystem files;
  const std::string path = JoinPath(::testing::TempDir(), "link_to_etc");
  ASSERT_TRUE(files.RemoveTree(path).ok());
  ASSERT_EQ(symlink("/etc", path.c_str()), 0);
  EXPECT_EQ(*files.RealPath(path), "/etc");
}

}  // namespace
}  // namespace distill
