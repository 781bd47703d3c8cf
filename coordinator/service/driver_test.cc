#include "coordinator/service/driver.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "common/clock/fake_clock.h"
#include "common/clock/fake_timer_queue.h"
#include "common/executor/manual_executor.h"
#include "common/rpc/peer_identity.h"
#include "coordinator/store/memory_store.h"

namespace distill {
namespace {

class FakeSink : public DirectiveSink {
 public:
  void Send(v1::Directive directive) override { sent.push_back(std::move(directive)); }
  void End(const absl::Status& status) override { end = status; }
  std::vector<v1::Directive> sent;
  std::optional<absl::Status> end;
};

class FakeWatcher : public PlanWatcher {
 public:
  bool Offer(const v1::PlanStatus& status) override {
    offered.push_back(status);
    return true;
  }
  bool Gone() override { return gone; }
  void End(const absl::Status& status) override { end = status; }
  std::vector<v1::PlanStatus> offered;
  bool gone = false;
  std::optional<absl::Status> end;
};

class DriverTest : public ::testing::Test {
 protected:
  DriverTest() : timers_(&clock_), store_(std::make_shared<MemoryDisk>()) {
    driver_ = Make(&store_);
    EXPECT_TRUE(driver_->Begin().ok());
    executor_.RunAll();
  }
  std::unique_ptr<Driver> Make(Store* store) {
    CoordinatorOptions options;
    options.resolve_plan = [](const v1::PlanConfig& plan) { return plan; };
    options.data_set_digest = [](const v1::DataSetConfig& data_set) { return data_set.name(); };
    auto coordinator =
        Coordinator::Start(store, &rendezvous_, options, absl::UnixEpoch() + clock_.MonotonicNow());
    EXPECT_TRUE(coordinator.ok()) << coordinator.status();
    return std::make_unique<Driver>(*std::move(coordinator), &executor_, &timers_, &clock_,
                                    [this](const absl::Status& status) { lost_ = status; });
  }
  std::shared_ptr<FakeSink> Hello(uint64_t session, const std::string& worker,
                                  uint64_t incarnation) {
    auto sink = std::make_shared<FakeSink>();
    v1::Hello hello;
    hello.set_role(v1::STUDENT_WORKER);
    hello.set_worker(worker);
    hello.set_incarnation(incarnation);
    EXPECT_TRUE(driver_->Hello(session, PeerIdentity{}, hello, sink).ok());
    executor_.RunAll();
    return sink;
  }
  void Pass(absl::Duration time) {
    for (absl::Duration t; t < time; t += absl::Milliseconds(500)) {
      timers_.Advance(absl::Milliseconds(500));
      executor_.RunAll();
    }
  }

  FakeClock clock_;
  FakeTimerQueue timers_;
  ManualExecutor executor_;
  MemoryStore store_;
  Rendezvous rendezvous_;
  std::unique_ptr<Driver> driver_;
  absl::Status lost_;
};

TEST_F(DriverTest, AMemberIsWelcomedAndASilentOneIsCutOffByTheTimer) {
  auto sink = Hello(1, "student-0", 1);
  ASSERT_FALSE(sink->sent.empty());
  EXPECT_TRUE(sink->sent[0].has_welcome());
  EXPECT_FALSE(sink->end.has_value());
  Pass(absl::Seconds(6));
  ASSERT_TRUE(sink->end.has_value());
  EXPECT_EQ(sink->end->code(), absl::StatusCode::kUnavailable);
}

TEST_F(DriverTest, AHeartbeatKeepsAMember) {
  auto sink = Hello(1, "student-0", 1);
  v1::AttendReport report;
  report.mutable_heartbeat();
  for (int second = 0; second < 10; ++second) {
    ASSERT_TRUE(driver_->Report(1, report).ok());
    Pass(absl::Seconds(1));
  }
  EXPECT_FALSE(sink->end.has_value());
}

TEST_F(DriverTest, ARefusedHelloEndsItsStreamWithTheReason) {
  Hello(1, "student-0", 1);
  auto second = Hello(2, "student-0", 2);
  ASSERT_TRUE(second->end.has_value());
  EXPECT_EQ(second->end->code(), absl::StatusCode::kAlreadyExists);
}

TEST_F(DriverTest, ALostStreamMakesItsMemberSuspect) {
  Hello(1, "student-0", 1);
  driver_->Lost(1);
  executor_.RunAll();
  v1::MemberStatus::MemberState state = v1::MemberStatus::ALIVE;
  ASSERT_TRUE(driver_
                  ->Post([&](Coordinator& coordinator, absl::Time) {
                    state = coordinator.membership().Find("student-0")->state;
                  })
                  .ok());
  executor_.RunAll();
  EXPECT_EQ(state, v1::MemberStatus::SUSPECT);
}

TEST_F(DriverTest, AWatcherHearsOfThePlanAndOfEveryChangeOnce) {
  auto watcher = std::make_shared<FakeWatcher>();
  ASSERT_TRUE(driver_->Watch(watcher).ok());
  executor_.RunAll();
  EXPECT_TRUE(watcher->offered.empty());
  ASSERT_TRUE(driver_
                  ->Post([](Coordinator& coordinator, absl::Time now) {
                    v1::SubmitPlanRequest request;
                    request.set_idempotency_key("k");
                    request.mutable_plan()->set_name("p");
                    request.mutable_plan()->add_data_sets()->set_name("d");
                    v1::RunConfig* run = request.mutable_plan()->add_runs();
                    run->set_name("r");
                    run->set_data_set("d");
                    run->mutable_training()->set_steps(5);
                    run->mutable_training()->set_world_size(1);
                    EXPECT_TRUE(coordinator.SubmitPlan(request, now).ok());
                  })
                  .ok());
  executor_.RunAll();
  ASSERT_EQ(watcher->offered.size(), 1u);
  EXPECT_EQ(watcher->offered[0].runs(0).run_id(), "r");
  ASSERT_TRUE(driver_->Post([](Coordinator&, absl::Time) {}).ok());
  executor_.RunAll();
  EXPECT_EQ(watcher->offered.size(), 1u);
}

TEST_F(DriverTest, AWatcherThatWentIsForgottenWhenTheNextOneComes) {
  auto gone = std::make_shared<FakeWatcher>();
  auto stays = std::make_shared<FakeWatcher>();
  ASSERT_TRUE(driver_->Watch(gone).ok());
  ASSERT_TRUE(driver_->Watch(stays).ok());
  executor_.RunAll();
  gone->gone = true;
  ASSERT_TRUE(driver_->Watch(std::make_shared<FakeWatcher>()).ok());
  executor_.RunAll();
  EXPECT_EQ(gone.use_count(), 1);
  EXPECT_EQ(stays.use_count(), 2);
}

TEST_F(DriverTest, ACoordinatorThatStopsSaysSoToMembersAndWatchersOnce) {
  auto sink = Hello(1, "student-0", 1);
  auto watcher = std::make_shared<FakeWatcher>();
  ASSERT_TRUE(driver_->Watch(watcher).ok());
  executor_.RunAll();
  driver_->EndAll(absl::UnavailableError("the coordinator stops"));
  executor_.RunAll();
  ASSERT_TRUE(sink->end.has_value());
  ASSERT_TRUE(watcher->end.has_value());
  EXPECT_EQ(watcher->end->message(), "the coordinator stops");
  watcher->end.reset();
  driver_->EndAll(absl::UnavailableError("again"));
  executor_.RunAll();
  EXPECT_FALSE(watcher->end.has_value());
}

}  // namespace
}  // namespace distill
