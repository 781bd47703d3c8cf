#include "cli/label_recording/folder_lock.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <string>

#include "absl/status/status.h"

namespace distill {
namespace {

using ::testing::HasSubstr;

std::string Folder(const char* name) {
  const std::string folder = testing::TempDir() + name;
  std::filesystem::create_directories(folder);
  return folder;
}

TEST(FolderLock, ASecondOneIsRefusedWhateverTheFolderIsCalled) {
  const std::string folder = Folder("held");
  const auto first = FolderLock::Take(folder);
  ASSERT_TRUE(first.ok()) << first.status();
  for (const std::string& name : {folder, folder + "/", folder + "/../held"}) {
    const absl::Status second = FolderLock::Take(name).status();
    EXPECT_EQ(second.code(), absl::StatusCode::kFailedPrecondition);
    EXPECT_THAT(std::string(second.message()), HasSubstr("another process works there"));
  }
  EXPECT_TRUE(FolderLock::Take(Folder("other")).ok());
}

TEST(FolderLock, OnceItIsGoneTheNextMayGoOn) {
  const std::string folder = Folder("freed");
  EXPECT_TRUE(FolderLock::Take(folder).ok());
  EXPECT_TRUE(FolderLock::Take(folder).ok());
}

TEST(FolderLock, AFolderThatIsNotThereIsNamed) {
  const absl::Status status = FolderLock::Take(testing::TempDir() + "absent").status();
  EXPECT_EQ(status.code(), absl::StatusCode::kNotFound);
  EXPECT_THAT(std::string(status.message()), HasSubstr("absent"));
}

}  // namespace
}  // namespace distill
