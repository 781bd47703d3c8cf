#include "teacher_server/cache/cache_disk.h"

#include <gtest/gtest.h>

#include <atomic>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/synchronization/notification.h"
#include "common/files/fake_file_system.h"

namespace distill {
namespace {

LabelKey Key(uint64_t example) { return {{1, 2}, example, 0}; }
KeyedRow Row(uint64_t example) {
  return {Key(example), std::make_shared<const std::vector<float>>(4, float(example))};
}

// Outlives the test: a hanging call comes back to it.
struct Hang {
  std::atomic<bool> reads = false;
  std::atomic<bool> syncs = false;
  absl::Notification synced, began, release;

  void Here() {
    began.Notify();
    release.WaitForNotification();
  }
};

class HangingFileSystem : public FakeFileSystem {
 public:
  HangingFileSystem(std::shared_ptr<Hang> hang, std::shared_ptr<absl::Notification> gone)
      : hang_(std::move(hang)), gone_(std::move(gone)) {}
  ~HangingFileSystem() override { gone_->Notify(); }

  absl::StatusOr<std::string> ReadRange(const std::string& path, uint64_t offset,
                                        size_t length) override {
    auto read = FakeFileSystem::ReadRange(path, offset, length);
    if (hang_->reads) hang_->Here();
    return read;
  }
  absl::Status Sync(const std::string& path) override {
    const absl::Status status = FakeFileSystem::Sync(path);
    if (hang_->syncs) hang_->Here();
    if (!hang_->synced.HasBeenNotified()) hang_->synced.Notify();
    return status;
  }

 private:
  const std::shared_ptr<Hang> hang_;
  const std::shared_ptr<absl::Notification> gone_;
};

class CacheDiskTest : public ::testing::Test {
 protected:
  void Open() {
    disk_ = std::make_unique<CacheDisk>(std::make_unique<HangingFileSystem>(hang_, gone_),
                                        DiskTierOptions{.directory = "cache", .log = {}},
                                        [this](const absl::Status&) { ++errors_; });
  }
  // Whether the row is found, once the disk says so.
  bool Finds(uint64_t example) {
    absl::Notification done;
    bool found = false;
    const absl::Status posted =
        disk_->tier()->Find({Key(example)}, [&](const std::vector<LabelRow>& rows) {
          found = rows.at(0) != nullptr;
          done.Notify();
        });
    if (!posted.ok()) return false;
    done.WaitForNotification();
    return found;
  }
  void WriteAndAwait() {
    disk_->tier()->Add({Row(1)});
    disk_->tier()->Flush();
    hang_->synced.WaitForNotification();
  }

  const std::shared_ptr<Hang> hang_ = std::make_shared<Hang>();
  const std::shared_ptr<absl::Notification> gone_ = std::make_shared<absl::Notification>();
  std::atomic<int> errors_ = 0;
  std::unique_ptr<CacheDisk> disk_;
};

TEST_F(CacheDiskTest, StopsADiskThatWorks) {
  Open();
  WriteAndAwait();
  EXPECT_TRUE(Finds(1));
  EXPECT_TRUE(disk_->Stop(absl::InfiniteDuration()).ok());
  EXPECT_FALSE(disk_->tier()->Find({Key(1)}, nullptr).ok());
  EXPECT_TRUE(disk_->Stop(absl::InfiniteDuration()).ok());
  EXPECT_EQ(errors_, 0);
}

TEST_F(CacheDiskTest, AReadThatHangsHoldsNeitherTheEndNorAnybodyWhoIsGone) {
  Open();
  WriteAndAwait();
  hang_->reads = true;
  std::atomic<int> told = 0;
  absl::Notification over;
  // Goes with the search, whether that is told or not.
  std::shared_ptr<void> search(nullptr, [&over](void*) { over.Notify(); });
  ASSERT_TRUE(disk_->tier()
                  ->Find({Key(1)}, [&told, search = std::move(search)](
                                       const std::vector<LabelRow>&) { ++told; })
                  .ok());
  hang_->began.WaitForNotification();
  EXPECT_TRUE(absl::IsDeadlineExceeded(disk_->Stop(absl::ZeroDuration())));
  EXPECT_TRUE(disk_->Stop(absl::InfiniteDuration()).ok());
  disk_.reset();
  hang_->release.Notify();
  over.WaitForNotification();
  EXPECT_EQ(told, 0);
}

TEST_F(CacheDiskTest, AnFsyncThatHangsHoldsNeitherSearchesNorTheEnd) {
  Open();
  WriteAndAwait();
  hang_->syncs = true;
  disk_->tier()->Flush();
  hang_->began.WaitForNotification();
  EXPECT_TRUE(Finds(1));
  EXPECT_TRUE(absl::IsDeadlineExceeded(disk_->Stop(absl::ZeroDuration())));
  hang_->syncs = false;
  disk_.reset();
  hang_->release.Notify();
  // The files go with the last call that needs them.
  gone_->WaitForNotification();
}

}  // namespace
}  // namespace distill
