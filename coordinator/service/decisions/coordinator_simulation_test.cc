// Scripted members in seeded orders of events, with deaths, silences, lost
// streams and coordinator restarts, on a fake clock. After each event the promises
// of coordinator.proto are checked.
#include <gtest/gtest.h>

#include <random>

#include "common/rpc/peer_identity.h"
#include "coordinator/journal/journal.h"
#include "coordinator/service/decisions/coordinator.h"
#include "coordinator/store/memory_store.h"

namespace distill {
namespace {

using v1::RunStatus;

struct Worker {
  std::string name;
  uint64_t incarnation = 1;
  uint64_t session = 0;  // 0: no stream
  bool dead = false;
  bool stop = false;  // told to exit
  uint64_t sequence = 0;
  v1::Serve serve;
  v1::World world;
  int64_t granted = 0;
  int64_t step = 0;
};

class Simulation {
 public:
  explicit Simulation(uint64_t seed) : random_(seed) {
    for (const char* name : {"s0", "s1", "s2", "t0", "t1"}) workers_.emplace_back().name = name;
    Restart();
    v1::SubmitPlanRequest request;
    request.set_idempotency_key("k");
    request.mutable_plan()->add_data_sets()->set_name("d");
    for (const char* name : {"teacher", "student"}) {
      v1::RunConfig* run = request.mutable_plan()->add_runs();
      run->set_name(name);
      run->set_data_set("d");
      run->mutable_training()->set_steps(400);
      run->mutable_training()->set_world_size(2);
    }
    request.mutable_plan()->mutable_runs(1)->add_teachers()->set_run("teacher");
    EXPECT_TRUE(coordinator_->SubmitPlan(request, now_).ok());
  }

  // True when the plan finished.
  bool Run() {
    for (int event = 0; event < 6000; ++event) {
      Event(/*faults=*/event < 1500);
      Deliver();
      Check();
      if (::testing::Test::HasFailure()) return false;
      if (!coordinator_->state().plan_running()) break;
    }
    return coordinator_->state().plan_state() == v1::PlanStatus::FINISHED;
  }
  int restarts() const { return restarts_; }
  int resumptions() const { return resumptions_; }
  int worlds() const { return worlds_; }

 private:
  uint64_t Pick(uint64_t n) { return random_() % n; }

  void Restart() {
    ++restarts_;
    coordinator_.reset();
    store_ = std::make_unique<MemoryStore>(disk_);
    CoordinatorOptions options;
    options.journal.snapshot_every_records = 7;
    options.max_worlds_without_commit = 100'000;
    options.resolve_plan = [](const v1::PlanConfig& plan) { return plan; };
    options.data_set_digest = [](const v1::DataSetConfig&) { return "x"; };
    coordinator_ = *Coordinator::Start(store_.get(), &rendezvous_, options, now_);
    EXPECT_GT(coordinator_->state().fence(), fence_) << "the fence rises at each start";
    fence_ = coordinator_->state().fence();
    for (Worker& worker : workers_) worker.session = 0;
  }

  void Event(bool faults) {
    now_ += absl::Milliseconds(Pick(400));
    Worker& worker = workers_[Pick(workers_.size())];
    switch (faults ? Pick(100) : 100) {
      case 0:
        Restart();
        return;
      case 1:
        worker.dead = true;
        return;  // silent
      case 2:
        worker.dead = true;
        Lose(worker);
        return;  // reset
      case 3:
        Lose(worker);
        return;  // stream only
      case 4:
        Reborn(worker);
        return;
      case 5:
        now_ += absl::Seconds(Pick(7));
        break;
      case 6:
        FailWorld(worker, /*retryable=*/true);
        return;
      case 7:
        Interrupt(worker);
        return;
      default:
        break;
    }
    if (!faults && worker.dead) Reborn(worker);
    coordinator_->OnTime(now_);
    Deliver();
    for (Worker& each : workers_) {
      if (each.stop && !each.dead && Pick(8) == 0) Exit(each);
      Beat(each);
    }
    if (worker.session != 0 && !worker.dead) Work(worker);
  }

  void Lose(Worker& worker) {
    if (worker.session != 0) coordinator_->OnStreamLost(worker.session, now_);
    worker.session = 0;
  }
  void Reborn(Worker& worker) {
    Lose(worker);
    const std::string name = worker.name;
    const uint64_t incarnation = worker.incarnation + 1;
    worker = Worker();
    worker.name = name;
    worker.incarnation = incarnation;
  }
  // As told; its supervisor starts it again.
  void Exit(Worker& worker) {
    v1::AttendReport report;
    report.mutable_leaving();
    if (worker.session != 0) (void)coordinator_->OnReport(worker.session, report, now_);
    Reborn(worker);
  }
  // The plan ends for a reason that somebody then mends.
  void Interrupt(Worker& worker) {
    const std::string key = std::to_string(++resumptions_);
    if (Pick(2)) FailWorld(worker, /*retryable=*/false);
    if (Pick(2)) {
      EXPECT_TRUE(coordinator_->StopPlan("stop" + key, "", now_).ok());
    }
    Deliver();
    Check();
    if (Pick(2)) Restart();
    now_ += absl::Seconds(Pick(7));
    EXPECT_TRUE(coordinator_->ResumePlan("resume" + key, now_).ok());
    EXPECT_TRUE(coordinator_->state().plan_running());
  }
  void FailWorld(Worker& worker, bool retryable) {
    if (worker.world.run_id().empty()) return;
    v1::FailRunRequest request;
    request.set_run_id(worker.world.run_id());
    request.set_generation(worker.world.generation());
    request.set_retryable(retryable);
    EXPECT_TRUE(coordinator_->FailRun(request, now_).ok());
  }

  void Beat(Worker& worker) {
    if (worker.dead) return;
    if (worker.session != 0) {
      v1::AttendReport report;
      report.mutable_heartbeat();
      if (coordinator_->OnReport(worker.session, report, now_).ok()) return;
      Lose(worker);
    }
    v1::Hello hello;
    hello.set_role(worker.name[0] == 't' ? v1::TEACHER_SERVER : v1::STUDENT_WORKER);
    hello.set_worker(worker.name);
    hello.set_incarnation(worker.incarnation);
    worker.session = ++last_session_;
    worker.sequence = 0;
    if (!coordinator_->OnHello(worker.session, PeerIdentity{}, hello, now_).ok())
      worker.session = 0;
    Deliver();
  }

  void Work(Worker& worker) {
    v1::AttendReport report;
    if (worker.name[0] == 't') {
      if (worker.serve.model().empty()) return;
      report.mutable_teacher_state()->set_state(v1::TeacherState::READY);
      report.mutable_teacher_state()->set_model(worker.serve.model());
      report.mutable_teacher_state()->set_fingerprint(worker.serve.fingerprint());
      (void)coordinator_->OnReport(worker.session, report, now_);
      return;
    }
    if (worker.world.run_id().empty()) return;
    worker.step = std::min<int64_t>(worker.granted, worker.step + Pick(60));
    report.set_run_id(worker.world.run_id());
    report.mutable_progress()->set_generation(worker.world.generation());
    report.mutable_progress()->set_step(worker.step);
    (void)coordinator_->OnReport(worker.session, report, now_);
    Commit(worker);
  }

  void Commit(const Worker& worker) {
    const std::string id = worker.world.run_id();
    v1::CommitCheckpointRequest request;
    request.set_fence(fence_);
    request.mutable_checkpoint()->set_run_id(id);
    request.mutable_checkpoint()->set_generation(worker.world.generation());
    request.mutable_checkpoint()->set_step(worker.step);
    request.mutable_checkpoint()->set_path("c");
    request.mutable_checkpoint()->set_manifest_digest("d");
    const CoordinatorState::Run run = *coordinator_->state().FindRun(id);
    const bool current =
        run.state == RunStatus::ACTIVE && run.generation == worker.world.generation();
    const bool committed = coordinator_->CommitCheckpoint(request, now_).ok();
    if (!current && committed) {
      EXPECT_TRUE(!run.checkpoints.empty() && run.checkpoints.back().step() == worker.step)
          << "a world that is not current has committed something new";
    }
    if (!committed || worker.step < 400) return;
    v1::FinishRunRequest finish;
    finish.set_fence(fence_);
    finish.set_run_id(id);
    finish.set_generation(worker.world.generation());
    finish.set_fingerprint("f");
    (void)coordinator_->FinishRun(finish, now_);
  }

  void Deliver() {
    for (const Coordinator::Output& output : coordinator_->TakeOutputs()) {
      for (Worker& worker : workers_) {
        if (worker.session != output.session || worker.session == 0) continue;
        if (output.directive.has_value()) {
          Take(worker, *output.directive);
        } else {
          worker.session = 0;
        }
      }
    }
  }

  void Take(Worker& worker, const v1::Directive& directive) {
    EXPECT_EQ(directive.fence(), fence_);
    EXPECT_EQ(directive.sequence(), ++worker.sequence) << worker.name;
    if (directive.has_serve()) worker.serve = directive.serve();
    if (directive.has_leave_world()) worker.world.Clear();
    if (directive.has_stop()) worker.stop = true;
    if (directive.has_step_grant()) {
      EXPECT_EQ(directive.generation(), worker.world.generation());
      EXPECT_GT(directive.step_grant().through_step(), worker.granted);
      worker.granted = directive.step_grant().through_step();
    }
    if (!directive.has_world()) return;
    const bool same = worker.world.run_id() == directive.world().run_id() &&
                      worker.world.generation() == directive.world().generation();
    worker.world = directive.world();
    worker.granted = worker.world.grant().through_step();
    if (same) return;
    ++worlds_;
    worker.step = worker.world.resume_from().step();
  }

  void Check() {
    std::set<std::string> busy;
    for (const CoordinatorState::Run& run : coordinator_->state().runs()) {
      int64_t& granted = granted_[run.config.name()];
      EXPECT_GE(run.granted_through, granted) << "a grant shrank";
      granted = run.granted_through;
      uint64_t& generation = generation_[run.config.name()];
      EXPECT_GE(run.generation, generation) << "a generation went back";
      generation = run.generation;
      if (run.state != RunStatus::ACTIVE) continue;
      std::set<uint32_t> ranks;
      for (const auto& member : run.members) {
        EXPECT_TRUE(busy.insert(member.worker()).second) << "in two worlds: " << member.worker();
        EXPECT_TRUE(ranks.insert(member.rank()).second) << "a rank twice";
        EXPECT_LT(member.rank(), 2u);
      }
    }
    MemoryStore copy(std::make_shared<MemoryDisk>(*disk_));
    const auto replayed = Journal::Open(&copy, {});
    ASSERT_TRUE(replayed.ok()) << replayed.status();
    EXPECT_EQ((*replayed)->state().Status().SerializeAsString(),
              coordinator_->state().Status().SerializeAsString());
  }

  std::mt19937_64 random_;
  absl::Time now_ = absl::UnixEpoch();
  std::shared_ptr<MemoryDisk> disk_ = std::make_shared<MemoryDisk>();
  Rendezvous rendezvous_;
  std::unique_ptr<MemoryStore> store_;
  std::unique_ptr<Coordinator> coordinator_;
  std::vector<Worker> workers_;
  uint64_t last_session_ = 0;
  uint64_t fence_ = 0;
  int restarts_ = 0;
  int resumptions_ = 0;
  int worlds_ = 0;
  std::map<std::string, int64_t> granted_;
  std::map<std::string, uint64_t> generation_;
};

TEST(CoordinatorSimulation, KeepsItsPromisesAndFinishesThePlanUnderEveryOrderOfEvents) {
  int restarts = 0, worlds = 0, resumptions = 0;
  for (uint64_t seed = 1; seed <= 100; ++seed) {
    SCOPED_TRACE(testing::Message() << "seed " << seed);
    Simulation simulation(seed);
    ASSERT_TRUE(simulation.Run());
    restarts += simulation.restarts();
    worlds += simulation.worlds();
    resumptions += simulation.resumptions();
  }
  EXPECT_GT(restarts, 110);
  EXPECT_GT(worlds, 500);
  EXPECT_GT(resumptions, 100);
}

}  // namespace
}  // namespace distill
