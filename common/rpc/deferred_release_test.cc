#include "common/rpc/deferred_release.h"

#include <gtest/gtest.h>

#include <thread>

#include "absl/synchronization/notification.h"

namespace distill {
namespace {

TEST(DeferredReleaseTest, AnObjectIsDroppedSoonAndOnAnotherThread) {
  std::thread::id where;
  absl::Notification dropped;
  ReleaseLater(std::shared_ptr<const void>(nullptr, [&](const void*) {
    where = std::this_thread::get_id();
    dropped.Notify();
  }));
  ASSERT_TRUE(dropped.WaitForNotificationWithTimeout(absl::Seconds(30)));
  EXPECT_NE(where, std::this_thread::get_id());
}

}  // namespace
}  // namespace distill
