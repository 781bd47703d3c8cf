#include "coordinator/client/plan_watch.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <optional>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/clock.h"
#include "common/rpc/peer_identity.h"
#include "coordinator/client/loopback_coordinator.h"

namespace distill {
namespace {

// Looks every millisecond until `condition` holds; false: not within kTestPatience.
bool Eventually(const std::function<bool()>& condition) {
  const absl::Time end = absl::Now() + kTestPatience;
  while (!condition()) {
    if (absl::Now() > end) return false;
    absl::SleepFor(absl::Milliseconds(1));
  }
  return true;
}

// What a watch heard. Thread-safe.
class Heard {
 public:
  void Status(const v1::PlanStatus& status) {
    absl::MutexLock lock(&mu_);
    EXPECT_FALSE(end_.has_value()) << "a status after the end";
    statuses_.push_back(status);
  }
  void End(const absl::Status& status) {
    absl::MutexLock lock(&mu_);
    EXPECT_FALSE(end_.has_value()) << "a second end";
    end_ = status;
  }
  std::vector<v1::PlanStatus> statuses() {
    absl::MutexLock lock(&mu_);
    return statuses_;
  }
  std::optional<absl::Status> end() {
    absl::MutexLock lock(&mu_);
    return end_;
  }

 private:
  absl::Mutex mu_;
  std::vector<v1::PlanStatus> statuses_ ABSL_GUARDED_BY(mu_);
  std::optional<absl::Status> end_ ABSL_GUARDED_BY(mu_);
};

class PlanWatchTest : public ::testing::Test {
 protected:
  PlanWatchTest() : timers_(&clock_) {
    coordinator_.emplace(std::make_shared<MemoryDisk>(), &clock_, &timers_);
  }
  std::unique_ptr<PlanWatch> Watch() {
    auto watch = PlanWatch::Start(
        coordinator_->address(), {}, [this](const v1::PlanStatus& s) { heard_.Status(s); },
        [this](const absl::Status& s) { heard_.End(s); });
    EXPECT_TRUE(watch.ok()) << watch.status();
    return *std::move(watch);
  }
  void Submit() {
    coordinator_->Do([this](Coordinator& coordinator) {
      EXPECT_TRUE(coordinator.SubmitPlan(SmallPlan("k"), Now()).ok());
    });
  }
  void Stop() {
    coordinator_->Do([this](Coordinator& coordinator) {
      EXPECT_TRUE(coordinator.StopPlan("s", "enough", Now()).ok());
    });
  }
  // A status that was heard, by state of the plan.
  bool HeardState(v1::PlanStatus::PlanState state) {
    const auto statuses = heard_.statuses();
    return !statuses.empty() && statuses.back().state() == state;
  }
  absl::Time Now() { return absl::UnixEpoch() + clock_.MonotonicNow(); }

  Heard heard_;
  FakeClock clock_;
  FakeTimerQueue timers_;
  std::optional<LoopbackCoordinator> coordinator_;
};

TEST_F(PlanWatchTest, HearsTheStatusThatIsAndEachChangeOnce) {
  Submit();
  const auto watch = Watch();
  ASSERT_TRUE(Eventually([&] { return heard_.statuses().size() == 1; }));
  EXPECT_EQ(heard_.statuses()[0].members_size(), 0);
  coordinator_->Do([](Coordinator&) {});  // nothing changes
  v1::Hello hello;
  hello.set_role(v1::STUDENT_WORKER);
  hello.set_worker("student-0");
  hello.set_incarnation(1);
  coordinator_->Do([&](Coordinator& coordinator) {
    EXPECT_TRUE(coordinator.OnHello(7, PeerIdentity{}, hello, Now()).ok());
  });
  ASSERT_TRUE(Eventually([&] { return heard_.statuses().size() >= 2; }));
  const auto statuses = heard_.statuses();
  EXPECT_EQ(statuses.size(), 2u);
  EXPECT_EQ(statuses[1].members_size(), 1);
  EXPECT_EQ(statuses[1].runs(0).state(), v1::RunStatus::ACTIVE);
  EXPECT_FALSE(heard_.end().has_value());
}

TEST_F(PlanWatchTest, WaitsForAPlanThatIsStillToCome) {
  const auto watch = Watch();
  Submit();
  EXPECT_TRUE(Eventually([&] { return HeardState(v1::PlanStatus::RUNNING); }));
}

TEST_F(PlanWatchTest, EndsWithThePlanAfterItsLastStatus) {
  Submit();
  const auto watch = Watch();
  ASSERT_TRUE(Eventually([&] { return HeardState(v1::PlanStatus::RUNNING); }));
  Stop();
  ASSERT_TRUE(Eventually([&] { return heard_.end().has_value(); }));
  EXPECT_TRUE(heard_.end()->ok()) << *heard_.end();
  EXPECT_TRUE(HeardState(v1::PlanStatus::STOPPED));
}

TEST_F(PlanWatchTest, OfAPlanThatHasEndedHearsItsStatusAndEnds) {
  Submit();
  Stop();
  const auto watch = Watch();
  ASSERT_TRUE(Eventually([&] { return heard_.end().has_value(); }));
  EXPECT_TRUE(heard_.end()->ok()) << *heard_.end();
  ASSERT_EQ(heard_.statuses().size(), 1u);
  EXPECT_TRUE(HeardState(v1::PlanStatus::STOPPED));
}

TEST_F(PlanWatchTest, ALostCoordinatorEndsTheWatchWithTheReason) {
  Submit();
  const auto watch = Watch();
  ASSERT_TRUE(Eventually([&] { return HeardState(v1::PlanStatus::RUNNING); }));
  coordinator_.reset();
  ASSERT_TRUE(Eventually([&] { return heard_.end().has_value(); }));
  EXPECT_FALSE(heard_.end()->ok());
}

TEST_F(PlanWatchTest, AWatcherThatVanishesLeavesNoCallBehind) {
  Submit();
  auto watch = Watch();
  ASSERT_TRUE(Eventually([&] { return HeardState(v1::PlanStatus::RUNNING); }));
  watch.reset();
  EXPECT_TRUE(heard_.end().has_value());
  // A call that was left would hold the shutdown.
  EXPECT_LT(coordinator_->Shutdown(kTestPatience), kTestPatience / 2);
}

}  // namespace
}  // namespace distill
