#include "student_worker/worker/student_worker.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/synchronization/mutex.h"
#include "coordinator/client/fake_run_calls.h"

namespace distill {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

constexpr absl::Duration kPatience = absl::Seconds(20);

v1::Directive World(uint64_t generation, int64_t through_step = 10, uint64_t fence = 1) {
  v1::Directive directive;
  directive.set_run_id("r");
  directive.set_generation(generation);
  directive.set_fence(fence);
  v1::World* world = directive.mutable_world();
  world->set_run_id("r");
  world->set_generation(generation);
  world->mutable_grant()->set_through_step(through_step);
  v1::ScheduleVersion* version = world->add_schedules();
  version->set_version(1);
  v1::ScheduleSet* schedules = version->mutable_schedules();
  for (v1::Schedule* schedule :
       {schedules->mutable_temperature(), schedules->mutable_soft_weight(),
        schedules->mutable_hard_weight(), schedules->mutable_learning_rate()}) {
    v1::Schedule::Piece* piece = schedule->add_pieces();
    piece->set_end_step(1);
    piece->mutable_constant()->set_value(1);
  }
  return directive;
}

v1::Directive Of(uint64_t generation) {
  v1::Directive directive;
  directive.set_run_id("r");
  directive.set_generation(generation);
  directive.set_fence(5);
  return directive;
}

v1::Directive Leave(uint64_t generation) {
  v1::Directive directive = Of(generation);
  directive.mutable_leave_world()->set_reason("a peer is gone");
  return directive;
}

v1::Directive Grant(uint64_t generation, int64_t through_step) {
  v1::Directive directive = Of(generation);
  directive.mutable_step_grant()->set_through_step(through_step);
  return directive;
}

// A worker whose session in a world lasts until the world ends, or fails as it is told.
class StudentWorkerTest : public ::testing::Test {
 protected:
  ~StudentWorkerTest() override {
    worker_.Stop(absl::OkStatus());
    if (trainer_.joinable()) trainer_.join();
  }

  void Run() {
    trainer_ = std::thread([this] { returned_ = worker_.Run(); });
  }
  // Ends the worker and says what Run returned.
  absl::Status Returned() {
    trainer_.join();
    return returned_;
  }
  // Waits until `count` sessions have begun.
  void AwaitSessions(size_t count) {
    absl::MutexLock lock(&mu_);
    const auto there = [&]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) { return worlds_.size() >= count; };
    EXPECT_TRUE(mu_.AwaitWithTimeout(absl::Condition(&there), kPatience));
  }
  std::vector<uint64_t> Generations() {
    absl::MutexLock lock(&mu_);
    return generations_;
  }
  // Of a session that has begun and not ended.
  WorldControl& Session(size_t i) {
    absl::MutexLock lock(&mu_);
    return *worlds_.at(i);
  }
  std::vector<absl::Status> Ends() {
    absl::MutexLock lock(&mu_);
    return ends_;
  }

  // Called by one thread of training, read once it waits or is joined.
  FakeRunCalls coordinator_;
  // If not OK, what the next session fails with at once.
  absl::Status failure_;

 private:
  absl::Status Live(WorldControl& control) {
    {
      absl::MutexLock lock(&mu_);
      worlds_.push_back(&control);
      generations_.push_back(control.world().generation());
    }
    if (!failure_.ok()) return std::exchange(failure_, absl::OkStatus());
    const absl::Status end = control.WaitForGrant(1'000'000, kPatience).status();
    absl::MutexLock lock(&mu_);
    ends_.push_back(end);
    return end;
  }

  absl::Mutex mu_;
  // Gone with their session; the generations stay.
  std::vector<WorldControl*> worlds_ ABSL_GUARDED_BY(mu_);
  std::vector<uint64_t> generations_ ABSL_GUARDED_BY(mu_);
  std::vector<absl::Status> ends_ ABSL_GUARDED_BY(mu_);

 protected:
  StudentWorker worker_{"w", &coordinator_,
                        [this](WorldControl& control) { return Live(control); }};

 private:
  absl::Status returned_;
  std::thread trainer_;
};

TEST_F(StudentWorkerTest, AWorldThatIsToldAgainGoesOnWithItsNewerGrantAndFence) {
  Run();
  worker_.OnDirective(World(3, /*through_step=*/10, /*fence=*/1));
  AwaitSessions(1);
  worker_.OnDirective(World(3, /*through_step=*/20, /*fence=*/2));
  EXPECT_TRUE(Session(0).ended().ok());
  EXPECT_EQ(Session(0).granted(), 20);
  EXPECT_EQ(Session(0).fence(), 2u);
  worker_.OnDirective(Grant(3, 30));
  EXPECT_EQ(Session(0).granted(), 30);
  worker_.Stop(absl::OkStatus());
  EXPECT_TRUE(Returned().ok());
  EXPECT_THAT(Generations(), ElementsAre(3));
}

TEST_F(StudentWorkerTest, ANewerWorldEndsTheFormerAndIsTrainedIn) {
  Run();
  worker_.OnDirective(World(3));
  AwaitSessions(1);
  worker_.OnDirective(World(4));
  AwaitSessions(2);
  EXPECT_THAT(Ends(), ElementsAre(absl::AbortedError("a newer world has formed")));
  EXPECT_TRUE(Session(1).ended().ok());
  EXPECT_THAT(Generations(), ElementsAre(3, 4));
}

TEST_F(StudentWorkerTest, OnlyTheWorldInHandIsLeft) {
  Run();
  worker_.OnDirective(World(3));
  AwaitSessions(1);
  worker_.OnDirective(Leave(2));
  worker_.OnDirective(Grant(2, 99));
  v1::Directive other_run = Leave(3);
  other_run.set_run_id("another");
  worker_.OnDirective(other_run);
  EXPECT_TRUE(Session(0).ended().ok());
  EXPECT_EQ(Session(0).granted(), 10);
  worker_.OnDirective(Leave(3));
  worker_.OnDirective(World(4));
  AwaitSessions(2);
  EXPECT_THAT(Ends(), ElementsAre(absl::AbortedError("a peer is gone")));
}

TEST_F(StudentWorkerTest, WhatIsToldBeforeAnyWorldIsPassedOver) {
  worker_.OnDirective(Leave(3));
  worker_.OnDirective(Grant(3, 99));
  Run();
  worker_.OnDirective(World(3));
  AwaitSessions(1);
  EXPECT_TRUE(Session(0).ended().ok());
  EXPECT_EQ(Session(0).granted(), 10);
}

TEST_F(StudentWorkerTest, StopEndsTheWorldInHandAndRunWithTheFirstStatus) {
  Run();
  worker_.OnDirective(World(3));
  AwaitSessions(1);
  worker_.Stop(absl::UnavailableError("the coordinator is gone"));
  worker_.Stop(absl::OkStatus());
  worker_.OnDirective(World(4));
  EXPECT_EQ(Returned(), absl::UnavailableError("the coordinator is gone"));
  EXPECT_THAT(Ends(), ElementsAre(absl::AbortedError("this process stops")));
  EXPECT_THAT(Generations(), ElementsAre(3));
  EXPECT_THAT(coordinator_.failures, IsEmpty());
}

TEST_F(StudentWorkerTest, RunWithoutAWorldEndsWhenTheCoordinatorSaysStop) {
  Run();
  v1::Directive stop;
  stop.mutable_stop();
  worker_.OnDirective(stop);
  EXPECT_TRUE(Returned().ok());
  EXPECT_THAT(Generations(), IsEmpty());
}

TEST_F(StudentWorkerTest, AFailureIsToldOnceAndTheWorkerWaitsForTheNextWorld) {
  failure_ = absl::ResourceExhaustedError("disk full");
  Run();
  worker_.OnDirective(World(3));
  AwaitSessions(1);
  worker_.OnDirective(World(4));
  AwaitSessions(2);
  worker_.Stop(absl::OkStatus());
  EXPECT_TRUE(Returned().ok());
  ASSERT_EQ(coordinator_.failures.size(), 1u);
  const v1::FailRunRequest& told = coordinator_.failures[0];
  EXPECT_EQ(told.worker(), "w");
  EXPECT_EQ(told.run_id(), "r");
  EXPECT_EQ(told.generation(), 3u);
  EXPECT_EQ(told.code(), static_cast<int>(absl::StatusCode::kResourceExhausted));
  EXPECT_EQ(told.message(), "disk full");
  EXPECT_FALSE(told.retryable());
}

TEST_F(StudentWorkerTest, ALostPeerIsWorthAnotherWorld) {
  failure_ = absl::UnavailableError("connection reset");
  Run();
  worker_.OnDirective(World(3));
  AwaitSessions(1);
  worker_.OnDirective(World(4));
  AwaitSessions(2);
  worker_.Stop(absl::OkStatus());
  EXPECT_TRUE(Returned().ok());
  ASSERT_EQ(coordinator_.failures.size(), 1u);
  EXPECT_TRUE(coordinator_.failures[0].retryable());
}

TEST_F(StudentWorkerTest, AFailureThatCannotBeToldStopsTheWorker) {
  failure_ = absl::InternalError("diverged");
  coordinator_.fail_answer = absl::UnavailableError("the coordinator is gone");
  Run();
  worker_.OnDirective(World(3));
  EXPECT_EQ(Returned(), absl::InternalError("diverged"));
}

}  // namespace
}  // namespace distill
