#include "coordinator/client/loopback_coordinator.h"

#include <gtest/gtest.h>

#include <utility>

#include "absl/synchronization/notification.h"
#include "absl/time/clock.h"

namespace distill {

v1::SubmitPlanRequest SmallPlan(const std::string& idempotency_key) {
  v1::SubmitPlanRequest request;
  request.set_idempotency_key(idempotency_key);
  request.mutable_plan()->set_name("p");
  request.mutable_plan()->add_data_sets()->set_name("d");
  v1::RunConfig* run = request.mutable_plan()->add_runs();
  run->set_name("r");
  run->set_data_set("d");
  run->mutable_training()->set_steps(5);
  run->mutable_training()->set_world_size(1);
  return request;
}

LoopbackCoordinator::LoopbackCoordinator(std::shared_ptr<MemoryDisk> disk, FakeClock* clock,
                                         FakeTimerQueue* timers, const std::string& listen)
    : store_(std::move(disk)), executor_({.name = "coordinator", .max_queued = 16384}) {
  CoordinatorOptions options;
  options.resolve_plan = [](const v1::PlanConfig& plan) { return plan; };
  options.data_set_digest = [](const v1::DataSetConfig& data_set) { return data_set.name(); };
  auto coordinator =
      Coordinator::Start(&store_, &rendezvous_, options, absl::UnixEpoch() + clock->MonotonicNow());
  EXPECT_TRUE(coordinator.ok()) << coordinator.status();
  driver_ = std::make_unique<Driver>(
      *std::move(coordinator), &executor_, timers, clock,
      [](const absl::Status& status) { ADD_FAILURE() << "taken over: " << status; });
  service_ = std::make_unique<CoordinatorServiceImpl>(driver_.get(), &rendezvous_);
  admin_ = std::make_unique<AdminServiceImpl>(driver_.get());
  auto server = RpcServer::Start(
      {.listen = listen, .transport = {}, .services = {service_.get(), admin_.get()}});
  EXPECT_TRUE(server.ok()) << server.status();
  server_ = *std::move(server);
  EXPECT_TRUE(driver_->Begin().ok());
  Do([](Coordinator&) {});  // has begun
}

LoopbackCoordinator::~LoopbackCoordinator() {
  server_->Shutdown(absl::ZeroDuration());
  executor_.Stop();
}

void LoopbackCoordinator::Do(const std::function<void(Coordinator&)>& what) {
  auto done = std::make_shared<absl::Notification>();
  ASSERT_TRUE(driver_
                  ->Post([&what, done](Coordinator& coordinator, absl::Time) {
                    what(coordinator);
                    done->Notify();
                  })
                  .ok());
  ASSERT_TRUE(done->WaitForNotificationWithTimeout(kTestPatience));
}

v1::MemberStatus LoopbackCoordinator::Member(const std::string& worker) {
  v1::MemberStatus found;
  Do([&](Coordinator& coordinator) {
    for (const v1::MemberStatus& member : coordinator.membership().Status()) {
      if (member.worker() == worker) found = member;
    }
  });
  return found;
}

absl::Duration LoopbackCoordinator::Shutdown(absl::Duration grace) {
  const absl::Time began = absl::Now();
  server_->Shutdown(grace);
  return absl::Now() - began;
}

}  // namespace distill
