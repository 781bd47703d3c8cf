#include "coordinator/service/decisions/coordinator.h"

#include <gmock/gmock.h>
#include <google/protobuf/text_format.h>
#include <gtest/gtest.h>

#include "common/rpc/peer_identity.h"
#include "coordinator/journal/faulty_store.h"
#include "coordinator/store/memory_store.h"

namespace distill {
namespace {

using ::testing::HasSubstr;
using v1::Directive;
using v1::PlanStatus;
using v1::RunStatus;

// teacher (1 rank) -> student (2 ranks), exact labels.
v1::PlanConfig Plan() {
  v1::PlanConfig plan;
  EXPECT_TRUE(google::protobuf::TextFormat::ParseFromString(R"(
    name: "p" seed: 5
    data_sets { name: "digits" classes: 10 }
    runs { name: "teacher" data_set: "digits" training { steps: 200 world_size: 1 } }
    runs { name: "student" data_set: "digits" teachers { role: "t" run: "teacher" }
           training { steps: 1000 world_size: 2 keep_checkpoints: 1 } labels { exact: true } })",
                                                            &plan));
  return plan;
}

CoordinatorOptions Options() {
  CoordinatorOptions options;
  options.resolve_plan = [](const v1::PlanConfig& plan) { return plan; };
  options.data_set_digest = [](const v1::DataSetConfig& data_set) { return data_set.name() + "!"; };
  return options;
}

class CoordinatorTest : public ::testing::Test {
 protected:
  CoordinatorTest() { Restart(); }

  void Restart() {
    coordinator_.reset();
    memory_ = std::make_unique<MemoryStore>(disk_);
    store_ = std::make_unique<FaultyStore>(memory_.get());
    auto started = Coordinator::Start(store_.get(), &rendezvous_, Options(), now_);
    ASSERT_TRUE(started.ok()) << started.status();
    coordinator_ = *std::move(started);
  }
  absl::Status Hello(uint64_t session, const std::string& worker, uint64_t incarnation = 1) {
    v1::Hello hello;
    hello.set_role(worker[0] == 't' ? v1::TEACHER_SERVER : v1::STUDENT_WORKER);
    hello.set_worker(worker);
    hello.set_incarnation(incarnation);
    hello.set_address(worker + ":1");
    return coordinator_->OnHello(session, PeerIdentity{}, hello, now_);
  }
  void Beat(const std::vector<uint64_t>& sessions) {
    v1::AttendReport report;
    report.mutable_heartbeat();
    for (uint64_t id : sessions) EXPECT_TRUE(coordinator_->OnReport(id, report, now_).ok());
  }
  absl::Status Submit(const std::string& key = "k") {
    v1::SubmitPlanRequest request;
    request.set_idempotency_key(key);
    *request.mutable_plan() = Plan();
    return coordinator_->SubmitPlan(request, now_).status();
  }
  void Ready(uint64_t session, v1::TeacherState::State state = v1::TeacherState::READY,
             const std::string& numerics = "n") {
    v1::AttendReport report;
    report.mutable_teacher_state()->set_state(state);
    report.mutable_teacher_state()->set_model("teacher");
    report.mutable_teacher_state()->set_fingerprint("f");
    report.mutable_teacher_state()->set_message("no such file");
    report.mutable_teacher_state()->set_code(static_cast<int32_t>(absl::StatusCode::kNotFound));
    report.mutable_teacher_state()->mutable_numerics_class()->set_text(numerics);
    EXPECT_TRUE(coordinator_->OnReport(session, report, now_).ok());
  }
  absl::Status Finish(const std::string& run, uint64_t generation) {
    v1::FinishRunRequest request;
    request.set_fence(coordinator_->state().fence());
    request.set_run_id(run);
    request.set_generation(generation);
    request.set_fingerprint("f");
    return coordinator_->FinishRun(request, now_);
  }
  absl::Status Fail(const std::string& run, uint64_t generation, bool retryable) {
    v1::FailRunRequest request;
    request.set_run_id(run);
    request.set_generation(generation);
    request.set_worker("s0");
    request.set_message("out of memory");
    request.set_code(static_cast<int32_t>(absl::StatusCode::kResourceExhausted));
    request.set_retryable(retryable);
    return coordinator_->FailRun(request, now_);
  }
  absl::Status Commit(const std::string& run, uint64_t generation, int64_t step) {
    v1::CommitCheckpointRequest request;
    request.set_fence(coordinator_->state().fence());
    request.mutable_checkpoint()->set_run_id(run);
    request.mutable_checkpoint()->set_generation(generation);
    request.mutable_checkpoint()->set_step(step);
    request.mutable_checkpoint()->set_path("c");
    request.mutable_checkpoint()->set_manifest_digest("d");
    return coordinator_->CommitCheckpoint(request, now_).status();
  }
  // The processes behind `sessions` exit.
  void EndAll(const std::vector<uint64_t>& sessions) {
    v1::AttendReport leaving;
    leaving.mutable_leaving()->set_reason("told to stop");
    for (uint64_t id : sessions) {
      EXPECT_TRUE(coordinator_->OnReport(id, leaving, now_).ok());
      coordinator_->OnStreamLost(id, now_);
    }
  }
  // Two students and a teacher start, the teacher becomes ready; what rank 0 is told.
  v1::World WorldOfNewProcesses() {
    EXPECT_TRUE(Hello(21, "s8", 2).ok());
    EXPECT_TRUE(Hello(22, "s9", 2).ok());
    EXPECT_TRUE(Hello(23, "t9", 2).ok());
    Ready(23);
    v1::World world;
    for (const Directive& directive : Told(21)) {
      EXPECT_FALSE(directive.has_stop());
      if (directive.has_world()) world = directive.world();
    }
    return world;
  }
  // What a session was told since the last call, in order.
  std::vector<Directive> Told(uint64_t session) {
    for (auto& output : coordinator_->TakeOutputs()) {
      if (output.directive.has_value()) told_[output.session].push_back(*output.directive);
    }
    return std::exchange(told_[session], {});
  }
  static std::vector<Directive::DirectiveCase> Kinds(const std::vector<Directive>& directives) {
    std::vector<Directive::DirectiveCase> kinds;
    for (const Directive& directive : directives) kinds.push_back(directive.directive_case());
    return kinds;
  }
  RunState StateOf(const std::string& run) { return coordinator_->state().FindRun(run)->state; }
  // Two students (1, 2), two teachers (3, 4), the teacher trained.
  void TrainTeacher() {
    ASSERT_TRUE(Hello(1, "s0").ok());
    ASSERT_TRUE(Hello(2, "s1").ok());
    ASSERT_TRUE(Hello(3, "t0").ok());
    ASSERT_TRUE(Hello(4, "t1").ok());
    ASSERT_TRUE(Submit().ok());
    ASSERT_TRUE(Finish("teacher", 1).ok());
  }

  absl::Time now_ = absl::UnixEpoch();
  std::shared_ptr<MemoryDisk> disk_ = std::make_shared<MemoryDisk>();
  Rendezvous rendezvous_;
  std::unique_ptr<MemoryStore> memory_;
  std::unique_ptr<FaultyStore> store_;
  std::unique_ptr<Coordinator> coordinator_;
  std::map<uint64_t, std::vector<Directive>> told_;
};

TEST_F(CoordinatorTest, AWorldCarriesAllThatARankNeeds) {
  ASSERT_TRUE(Hello(1, "s0").ok());
  EXPECT_EQ(Kinds(Told(1)), std::vector{Directive::kWelcome});
  ASSERT_TRUE(Submit().ok());
  const auto told = Told(1);
  ASSERT_EQ(Kinds(told), std::vector{Directive::kWorld});
  EXPECT_EQ(told[0].fence(), 1u);
  EXPECT_EQ(told[0].sequence(), 2u);
  const v1::World& world = told[0].world();
  EXPECT_EQ(world.run_id(), "teacher");
  EXPECT_EQ(world.generation(), 1u);
  EXPECT_EQ(world.members(0).address(), "s0:1");
  EXPECT_EQ(world.data_set().classes(), 10u);
  EXPECT_EQ(world.seed(), 5u);
  EXPECT_EQ(world.grant().through_step(), 128);
  EXPECT_FALSE(world.has_resume_from());
}

TEST_F(CoordinatorTest, ARunWithTeachersStartsWhenOneOfThemIsReadyWithTheExport) {
  TrainTeacher();
  EXPECT_EQ(StateOf("student"), RunStatus::WAITING);
  EXPECT_THAT(coordinator_->GetPlan()->runs(1).message(), HasSubstr("waits for a teacher server"));
  const auto serve = Told(3);
  ASSERT_EQ(Kinds(serve), (std::vector{Directive::kWelcome, Directive::kServe}));
  EXPECT_EQ(serve[1].serve().model(), "teacher");
  EXPECT_EQ(serve[1].serve().fingerprint(), "f");
  EXPECT_EQ(serve[1].serve().data_set_digest(), "digits!");
  Told(1);
  Ready(3, v1::TeacherState::LOADING);
  EXPECT_EQ(StateOf("student"), RunStatus::WAITING);
  Ready(3);
  EXPECT_EQ(StateOf("student"), RunStatus::ACTIVE);
  const auto told = Told(1);
  ASSERT_EQ(Kinds(told), (std::vector{Directive::kWorld, Directive::kTeacherEndpoints}));
  EXPECT_EQ(told[0].world().teachers(0).fingerprint(), "f");
  EXPECT_EQ(told[1].teacher_endpoints().endpoints(0).address(), "t0:1");
}

TEST_F(CoordinatorTest, EndpointsFollowTheTeachersAndKeepOneNumericsClassInAnExactRun) {
  TrainTeacher();
  Ready(3);
  Told(1);
  Ready(4, v1::TeacherState::READY, "other");
  EXPECT_TRUE(Told(1).empty());
  Ready(4);
  const auto told = Told(1);
  ASSERT_EQ(Kinds(told), std::vector{Directive::kTeacherEndpoints});
  EXPECT_EQ(told[0].teacher_endpoints().endpoints_size(), 2);
  Ready(4, v1::TeacherState::FAILED);
  EXPECT_EQ(Told(1)[0].teacher_endpoints().endpoints_size(), 1);
  Ready(4);
  EndAll({3});
  EXPECT_EQ(Told(1).back().teacher_endpoints().endpoints_size(), 1);
}

TEST_F(CoordinatorTest, AModelThatNoServerCanLoadFailsThePlanWithTheReason) {
  TrainTeacher();
  Ready(3, v1::TeacherState::FAILED);
  EXPECT_TRUE(coordinator_->state().plan_running());
  Ready(4, v1::TeacherState::FAILED);
  EXPECT_EQ(coordinator_->GetPlan()->state(), PlanStatus::FAILED);
  EXPECT_THAT(coordinator_->GetPlan()->message(), HasSubstr("no such file"));
  EXPECT_EQ(coordinator_->GetPlan()->code(), static_cast<int32_t>(absl::StatusCode::kNotFound));
}

TEST_F(CoordinatorTest, TheGrantStaysAtLeast64StepsOr60SecondsAhead) {
  TrainTeacher();
  Ready(3);
  Told(1);
  v1::AttendReport report;
  report.set_run_id("student");
  report.mutable_progress()->set_generation(1);
  report.mutable_progress()->set_step(64);
  ASSERT_TRUE(coordinator_->OnReport(1, report, now_).ok());
  EXPECT_TRUE(Told(1).empty());
  report.mutable_progress()->set_step(65);
  ASSERT_TRUE(coordinator_->OnReport(1, report, now_).ok());
  auto told = Told(1);
  ASSERT_EQ(Kinds(told), std::vector{Directive::kStepGrant});
  EXPECT_EQ(told[0].step_grant().through_step(), 193);
  report.mutable_progress()->set_steps_per_second(3);
  ASSERT_TRUE(coordinator_->OnReport(1, report, now_).ok());
  EXPECT_EQ(Told(1)[0].step_grant().through_step(), 65 + 360);
  report.mutable_progress()->set_generation(7);
  report.mutable_progress()->set_step(400);
  ASSERT_TRUE(coordinator_->OnReport(1, report, now_).ok());
  EXPECT_TRUE(Told(1).empty());
}

TEST_F(CoordinatorTest, ALostMemberBreaksTheWorldAndTheNextResumesFromTheLastCheckpoint) {
  TrainTeacher();
  Ready(3);
  ASSERT_TRUE(Commit("student", 1, 100).ok());
  ASSERT_TRUE(Commit("student", 1, 100).ok());  // again: succeeds
  Told(1);
  now_ += absl::Seconds(4);
  Beat({1, 3, 4});
  coordinator_->OnTime(now_);  // s1 is suspect from now on
  now_ += absl::Seconds(1);
  EXPECT_EQ(coordinator_->NextDeadline(), now_);
  coordinator_->OnTime(now_);
  EXPECT_EQ(StateOf("student"), RunStatus::WAITING);
  const auto left = Told(1);
  ASSERT_EQ(Kinds(left), std::vector{Directive::kLeaveWorld});
  EXPECT_EQ(left[0].generation(), 1u);
  EXPECT_THAT(left[0].leave_world().reason(), HasSubstr("s1 (rank 1) is gone: silent for 5s"));
  ASSERT_TRUE(Hello(5, "s1", 2).ok());
  const auto told = Told(1);
  ASSERT_EQ(Kinds(told), (std::vector{Directive::kWorld, Directive::kTeacherEndpoints}));
  EXPECT_EQ(told[0].world().generation(), 2u);
  EXPECT_EQ(told[0].world().resume_from().path(), "c");
  EXPECT_EQ(Commit("student", 1, 120).code(), absl::StatusCode::kAborted);
}

TEST_F(CoordinatorTest, ARetryableFailureFormsANewWorldOfTheSameMembersAfterTheyLeft) {
  TrainTeacher();
  Ready(3);
  Told(1);
  ASSERT_TRUE(Fail("student", 1, /*retryable=*/true).ok());
  EXPECT_EQ(Kinds(Told(1)),
            (std::vector{Directive::kLeaveWorld, Directive::kWorld, Directive::kTeacherEndpoints}));
  ASSERT_TRUE(Fail("student", 1, /*retryable=*/true).ok());  // the other rank's word
  EXPECT_EQ(coordinator_->state().FindRun("student")->generation, 2u);
}

TEST_F(CoordinatorTest, RestartsWithoutACheckpointAreBounded) {
  TrainTeacher();
  Ready(3);
  for (uint64_t generation = 1; generation <= 32; ++generation) {
    ASSERT_TRUE(Fail("student", generation, /*retryable=*/true).ok());
  }
  EXPECT_EQ(coordinator_->GetPlan()->state(), PlanStatus::FAILED);
  EXPECT_THAT(coordinator_->GetPlan()->message(),
              HasSubstr("32 worlds broke without a new checkpoint, the last because: s0: out of"));
}

TEST_F(CoordinatorTest, AFinalFailureFailsThePlanAndStopsEveryProcess) {
  TrainTeacher();
  Ready(3);
  Told(1);
  ASSERT_TRUE(Fail("student", 1, /*retryable=*/false).ok());
  EXPECT_EQ(coordinator_->GetPlan()->state(), PlanStatus::FAILED);
  EXPECT_THAT(coordinator_->GetPlan()->message(), HasSubstr("s0: out of memory"));
  EXPECT_EQ(Kinds(Told(1)), (std::vector{Directive::kLeaveWorld, Directive::kStop}));
  EXPECT_EQ(Told(3).back().directive_case(), Directive::kStop);
}

TEST_F(CoordinatorTest, StoppingIsIdempotentAndNeedsAPlan) {
  EXPECT_EQ(coordinator_->StopPlan("x", "", now_).code(), absl::StatusCode::kNotFound);
  TrainTeacher();
  EXPECT_TRUE(coordinator_->StopPlan("x", "enough", now_).ok());
  EXPECT_TRUE(coordinator_->StopPlan("x", "enough", now_).ok());
  EXPECT_EQ(coordinator_->GetPlan()->state(), PlanStatus::STOPPED);
  EXPECT_EQ(Told(1).back().directive_case(), Directive::kStop);
}

TEST_F(CoordinatorTest, AFailedPlanGoesOnFromItsLastCheckpointInANewGenerationWhenResumed) {
  TrainTeacher();
  Ready(3);
  ASSERT_TRUE(Commit("student", 1, 100).ok());
  ASSERT_TRUE(Fail("student", 1, /*retryable=*/false).ok());
  ASSERT_EQ(coordinator_->GetPlan()->state(), PlanStatus::FAILED);
  EXPECT_EQ(coordinator_->GetPlan()->code(), 8);
  EndAll({1, 2, 3, 4});
  Restart();
  ASSERT_TRUE(coordinator_->ResumePlan("r", now_).ok());
  ASSERT_TRUE(coordinator_->ResumePlan("r", now_).ok());  // again: succeeds
  EXPECT_EQ(coordinator_->GetPlan()->state(), PlanStatus::RUNNING);
  EXPECT_EQ(coordinator_->GetPlan()->code(), 0);
  const v1::World world = WorldOfNewProcesses();
  EXPECT_EQ(world.generation(), 2u);
  EXPECT_EQ(world.resume_from().step(), 100);
}

TEST_F(CoordinatorTest, AStoppedPlanGoesOnWithNewProcessesAndLeavesThoseItToldToStopAlone) {
  TrainTeacher();
  Ready(3);
  ASSERT_TRUE(Commit("student", 1, 100).ok());
  ASSERT_TRUE(coordinator_->StopPlan("x", "enough", now_).ok());
  for (uint64_t session : {1, 2, 3, 4}) {
    EXPECT_EQ(Told(session).back().directive_case(), Directive::kStop);
  }
  ASSERT_TRUE(coordinator_->ResumePlan("r", now_).ok());
  ASSERT_TRUE(Hello(5, "u0").ok());
  ASSERT_TRUE(Hello(6, "u1").ok());
  EXPECT_EQ(StateOf("student"), RunStatus::WAITING);  // the teachers that are ready leave
  for (uint64_t session : {1, 2, 3, 4}) EXPECT_TRUE(Told(session).empty());
  EndAll({1, 2, 3, 4});
  const v1::World world = WorldOfNewProcesses();
  EXPECT_EQ(world.generation(), 2u);
  EXPECT_EQ(world.resume_from().step(), 100);
}

TEST_F(CoordinatorTest, AFailedPlanWhoseCauseStaysFailsAgainAndCanBeResumedAgain) {
  TrainTeacher();
  Ready(3, v1::TeacherState::FAILED);
  Ready(4, v1::TeacherState::FAILED);
  ASSERT_EQ(coordinator_->GetPlan()->state(), PlanStatus::FAILED);
  ASSERT_TRUE(coordinator_->ResumePlan("r1", now_).ok());
  EXPECT_EQ(coordinator_->GetPlan()->state(), PlanStatus::RUNNING);
  ASSERT_TRUE(Hello(5, "t2").ok());
  Ready(5, v1::TeacherState::FAILED);
  ASSERT_EQ(coordinator_->GetPlan()->state(), PlanStatus::FAILED);
  ASSERT_TRUE(coordinator_->ResumePlan("r1", now_).ok());  // a late copy of the first call
  EXPECT_EQ(coordinator_->GetPlan()->state(), PlanStatus::FAILED);
  ASSERT_TRUE(coordinator_->ResumePlan("r2", now_).ok());
  EXPECT_EQ(WorldOfNewProcesses().generation(), 1u);
}

TEST_F(CoordinatorTest, RestartsWithoutACheckpointAreCountedAnewWhenThePlanIsResumed) {
  ASSERT_TRUE(Hello(1, "s0").ok());
  ASSERT_TRUE(Submit().ok());
  for (uint64_t generation = 1; generation <= 32; ++generation) {
    ASSERT_TRUE(Fail("teacher", generation, /*retryable=*/true).ok());
  }
  ASSERT_EQ(coordinator_->GetPlan()->state(), PlanStatus::FAILED);
  ASSERT_TRUE(coordinator_->ResumePlan("r", now_).ok());
  ASSERT_TRUE(Hello(2, "s1").ok());
  EXPECT_EQ(StateOf("teacher"), RunStatus::ACTIVE);
  ASSERT_TRUE(Fail("teacher", 33, /*retryable=*/true).ok());
  EXPECT_EQ(coordinator_->state().FindRun("teacher")->generation, 34u);
}

TEST_F(CoordinatorTest, ResumingIsIdempotentAndNeedsAPlan) {
  EXPECT_EQ(coordinator_->ResumePlan("r", now_).code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(coordinator_->ResumePlan("", now_).code(), absl::StatusCode::kInvalidArgument);
  ASSERT_TRUE(Submit().ok());
  EXPECT_TRUE(coordinator_->ResumePlan("r", now_).ok());
  ASSERT_TRUE(coordinator_->StopPlan("x", "enough", now_).ok());
  EXPECT_TRUE(coordinator_->ResumePlan("r", now_).ok());
  EXPECT_EQ(coordinator_->GetPlan()->state(), PlanStatus::RUNNING);
  EXPECT_TRUE(coordinator_->StopPlan("x", "enough", now_).ok());  // a late copy
  EXPECT_EQ(coordinator_->GetPlan()->state(), PlanStatus::RUNNING);
}

TEST_F(CoordinatorTest, APlanAfterAnotherOneStarts) {
  ASSERT_TRUE(Hello(1, "s0").ok());
  ASSERT_TRUE(Submit().ok());
  ASSERT_TRUE(coordinator_->StopPlan("x", "enough", now_).ok());
  ASSERT_TRUE(Submit("another").ok());
  EXPECT_EQ(coordinator_->GetPlan()->state(), PlanStatus::RUNNING);
  EXPECT_EQ(coordinator_->state().FindRun("teacher")->generation, 2u);
}

TEST_F(CoordinatorTest, AScheduleUpdateIsToldToTheWorldOnce) {
  TrainTeacher();
  Ready(3);
  Told(1);
  v1::UpdateScheduleRequest request;
  request.set_idempotency_key("u");
  request.set_run_id("student");
  request.set_from_step(127);
  request.mutable_schedules()->mutable_soft_weight()->add_pieces()->mutable_constant();
  EXPECT_EQ(coordinator_->UpdateSchedule(request, now_).status().code(),
            absl::StatusCode::kFailedPrecondition);
  request.set_from_step(128);
  EXPECT_EQ(coordinator_->UpdateSchedule(request, now_)->version(), 2u);
  EXPECT_EQ(coordinator_->UpdateSchedule(request, now_)->version(), 2u);
  EXPECT_EQ(Kinds(Told(1)), std::vector{Directive::kScheduleVersion});
}

TEST_F(CoordinatorTest, ARestartKeepsTheWorldOfThoseWhoReturnUnderALargerFence) {
  TrainTeacher();
  Ready(3);
  Told(1);
  Restart();
  EXPECT_EQ(coordinator_->state().fence(), 2u);
  ASSERT_TRUE(Hello(11, "s0").ok());
  ASSERT_TRUE(Hello(12, "s1").ok());
  ASSERT_TRUE(Hello(13, "t0").ok());
  Ready(13);
  now_ += absl::Seconds(4.9);
  Beat({11, 12, 13});
  now_ += absl::Seconds(2);
  coordinator_->OnTime(now_);
  EXPECT_EQ(coordinator_->state().FindRun("student")->generation, 1u);
  EXPECT_EQ(StateOf("student"), RunStatus::ACTIVE);
  const auto told = Told(11);
  EXPECT_EQ(told[0].fence(), 2u);
  EXPECT_EQ(told.back().teacher_endpoints().endpoints_size(), 1);
}

TEST_F(CoordinatorTest, ARestartBreaksTheWorldOfThoseWhoDoNotReturn) {
  TrainTeacher();
  Ready(3);
  Restart();
  ASSERT_TRUE(Hello(11, "s0").ok());
  now_ += absl::Seconds(5);
  coordinator_->OnTime(now_);
  EXPECT_EQ(StateOf("student"), RunStatus::WAITING);
}

TEST_F(CoordinatorTest, ANewerStreamOfTheSameProcessReplacesTheOlderAndIsToldEverythingAgain) {
  ASSERT_TRUE(Hello(1, "s0").ok());
  ASSERT_TRUE(Submit().ok());
  Told(1);
  ASSERT_TRUE(Hello(2, "s0").ok());
  const auto outputs = coordinator_->TakeOutputs();
  EXPECT_EQ(outputs[0].session, 1u);
  EXPECT_EQ(outputs[0].end.code(), absl::StatusCode::kAborted);
  EXPECT_EQ(outputs.back().directive->world().generation(), 1u);
  coordinator_->OnStreamLost(1, now_);  // says nothing about the new one
  EXPECT_EQ(coordinator_->membership().Find("s0")->state, v1::MemberStatus::ALIVE);
  EXPECT_EQ(Hello(3, "s0", 9).code(), absl::StatusCode::kAlreadyExists);
}

TEST_F(CoordinatorTest, ALostAnswerOfTheDiskIsFoundByTheSameKey) {
  store_->set_append_fault(FaultyStore::Fault::kReplyLost);
  EXPECT_EQ(Submit().code(), absl::StatusCode::kUnavailable);
  store_->set_append_fault(FaultyStore::Fault::kNone);
  EXPECT_TRUE(Submit().ok());
  EXPECT_EQ(Submit("another").code(), absl::StatusCode::kAlreadyExists);
}

TEST_F(CoordinatorTest, ADecisionThatTheDiskRefusedIsTakenLater) {
  ASSERT_TRUE(Submit().ok());
  store_->set_append_fault(FaultyStore::Fault::kDiskFull);
  ASSERT_TRUE(Hello(1, "s0").ok());
  EXPECT_EQ(coordinator_->health().code(), absl::StatusCode::kResourceExhausted);
  EXPECT_EQ(StateOf("teacher"), RunStatus::WAITING);
  EXPECT_EQ(coordinator_->NextDeadline(), now_ + absl::Seconds(1));
  store_->set_append_fault(FaultyStore::Fault::kNone);
  now_ += absl::Seconds(1);
  coordinator_->OnTime(now_);
  EXPECT_EQ(StateOf("teacher"), RunStatus::ACTIVE);
}

TEST_F(CoordinatorTest, TheRendezvousExistsAsLongAsItsWorld) {
  ASSERT_TRUE(Hello(1, "s0").ok());
  ASSERT_TRUE(Submit().ok());
  EXPECT_TRUE(rendezvous_.Set({"teacher", 1}, "k", "v").ok());
  ASSERT_TRUE(Fail("teacher", 1, /*retryable=*/true).ok());
  EXPECT_EQ(rendezvous_.Set({"teacher", 1}, "k", "v").code(), absl::StatusCode::kAborted);
  EXPECT_TRUE(rendezvous_.Set({"teacher", 2}, "k", "v").ok());
}

}  // namespace
}  // namespace distill
