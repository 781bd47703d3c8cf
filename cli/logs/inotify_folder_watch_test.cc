#include "cli/logs/inotify_folder_watch.h"

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <thread>

#include "absl/time/time.h"
#include "common/files/file_system.h"
#include "common/files/posix_file_system.h"

namespace distill {
namespace {

constexpr absl::Duration kPatience = absl::Seconds(30);

class InotifyFolderWatchTest : public ::testing::Test {
 protected:
  InotifyFolderWatchTest() {
    folder_ = JoinPath(::testing::TempDir(),
                       ::testing::UnitTest::GetInstance()->current_test_info()->name());
    EXPECT_TRUE(files_.RemoveTree(folder_).ok());
    EXPECT_TRUE(files_.MakeDirectories(folder_).ok());
    auto watch = WatchFolders({folder_});
    EXPECT_TRUE(watch.ok()) << watch.status();
    watch_ = *std::move(watch);
  }
  void Append(const std::string& text) {
    auto file = files_.OpenForAppend(JoinPath(folder_, "log"));
    ASSERT_TRUE(file.ok());
    ASSERT_TRUE((*file)->Append(text).ok());
  }
  bool Changed(absl::Duration timeout) {
    const auto changed = watch_->WaitForChange(timeout);
    EXPECT_TRUE(changed.ok()) << changed.status();
    return *changed;
  }

  PosixFileSystem files_;
  std::string folder_;
  std::unique_ptr<FolderWatch> watch_;
};

TEST_F(InotifyFolderWatchTest, AFileThatGrowsIsAChange) {
  Append("one");
  EXPECT_TRUE(Changed(kPatience));
  EXPECT_FALSE(Changed(absl::ZeroDuration()));
  Append("two");
  EXPECT_TRUE(Changed(kPatience));
}

TEST_F(InotifyFolderWatchTest, AFileThatIsReplacedIsAChange) {
  ASSERT_TRUE(WriteFileAtomically(files_, JoinPath(folder_, "list"), "[]").ok());
  EXPECT_TRUE(Changed(kPatience));
}

TEST_F(InotifyFolderWatchTest, AWaitIsEndedFromAnotherThread) {
  std::thread waker([this] { watch_->Wake(); });
  EXPECT_TRUE(Changed(kPatience));
  waker.join();
  EXPECT_FALSE(Changed(absl::ZeroDuration()));
}

TEST_F(InotifyFolderWatchTest, AFolderThatIsNotThereIsNamed) {
  const auto watch = WatchFolders({folder_, folder_ + "/none"});
  EXPECT_EQ(watch.status().code(), absl::StatusCode::kNotFound);
  EXPECT_NE(watch.status().message().find("/none"), std::string::npos);
}

}  // namespace
}  // namespace distill
