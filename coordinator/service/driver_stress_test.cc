// The coordinator's decisions, membership, state and journal behind their Driver, without gRPC:
// members that attend, train, vanish and come back as others, a plan that is stopped and
// resumed, schedules that change, writes whose answer is lost, watchers and time, all at once.
// For TSan, and for what must hold however they meet.
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <random>
#include <string>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/synchronization/mutex.h"
#include "absl/synchronization/notification.h"
#include "absl/time/time.h"
#include "common/clock/fake_clock.h"
#include "common/clock/fake_timer_queue.h"
#include "common/executor/stress_threads.h"
#include "common/executor/thread_executor.h"
#include "common/random/test_seed.h"
#include "common/rpc/peer_identity.h"
#include "coordinator/journal/faulty_store.h"
#include "coordinator/journal/journal.h"
#include "coordinator/service/decisions/coordinator.h"
#include "coordinator/service/decisions/rendezvous.h"
#include "coordinator/service/driver.h"
#include "coordinator/store/memory_store.h"
#include "proto/coordinator.pb.h"

namespace distill {
namespace {

constexpr int64_t kSteps = 600;
constexpr int kUpdates = 40;
constexpr absl::Duration kPatience = absl::Seconds(40);

// The coordinator's end of one stream. What it sends is numbered without a gap, is of one
// fence, and ends once.
class Attendance final : public DirectiveSink {
 public:
  void Send(v1::Directive directive) override {
    absl::MutexLock lock(&mutex_);
    EXPECT_FALSE(ended_) << "a directive after the end";
    EXPECT_EQ(directive.sequence(), ++sequence_);
    EXPECT_EQ(directive.fence(), 1u);
    directives_.push_back(std::move(directive));
  }
  void End(const absl::Status& status) override {
    absl::MutexLock lock(&mutex_);
    EXPECT_FALSE(ended_) << "ended twice: " << status;
    ended_ = true;
  }
  // Nothing when there is none now.
  std::optional<v1::Directive> Next() {
    absl::MutexLock lock(&mutex_);
    if (directives_.empty()) return std::nullopt;
    v1::Directive next = std::move(directives_.front());
    directives_.pop_front();
    return next;
  }
  bool ended() const {
    absl::MutexLock lock(&mutex_);
    return ended_;
  }

 private:
  mutable absl::Mutex mutex_;
  uint64_t sequence_ ABSL_GUARDED_BY(mutex_) = 0;
  bool ended_ ABSL_GUARDED_BY(mutex_) = false;
  std::deque<v1::Directive> directives_ ABSL_GUARDED_BY(mutex_);
};

// Offered on the executor, which needs no lock; read when that has ended.
class Watcher final : public PlanWatcher {
 public:
  explicit Watcher(std::atomic<bool>* finished) : finished_(finished) {}
  bool Offer(const v1::PlanStatus& status) override {
    EXPECT_NE(status.SerializeAsString(), last.SerializeAsString()) << "told what it knows";
    last = status;
    if (status.state() == v1::PlanStatus::FINISHED) *finished_ = true;
    return true;
  }
  bool Gone() override { return false; }
  v1::PlanStatus last;

 private:
  std::atomic<bool>* const finished_;
};

// What a process knows.
struct Member {
  std::string name;
  uint64_t incarnation = 1;
  uint64_t session = 0;
  std::shared_ptr<Attendance> stream;
  v1::Serve serve;
  v1::World world;
  int64_t granted = 0;
  int64_t step = 0;
  bool stop = false;
};

class DriverStressTest : public ::testing::Test {
 protected:
  DriverStressTest() {
    CoordinatorOptions options;
    options.journal.snapshot_every_records = 7;
    options.max_worlds_without_commit = 100'000;
    options.resolve_plan = [](const v1::PlanConfig& plan) { return plan; };
    options.data_set_digest = [](const v1::DataSetConfig&) { return "x"; };
    auto coordinator = Coordinator::Start(&store_, &rendezvous_, options,
                                          absl::UnixEpoch() + clock_.MonotonicNow());
    EXPECT_TRUE(coordinator.ok()) << coordinator.status();
    driver_ = std::make_unique<Driver>(
        *std::move(coordinator), &executor_, &timers_, &clock_,
        [](const absl::Status& status) { ADD_FAILURE() << "lost its store: " << status; });
    EXPECT_TRUE(driver_->Begin().ok());
  }

  // Runs `decide` as the service does, and waits for what it gives.
  template <typename T>
  T Ask(std::function<T(Coordinator&, absl::Time)> decide) {
    const auto result = std::make_shared<std::optional<T>>();
    const auto done = std::make_shared<absl::Notification>();
    const absl::Status posted = driver_->Post([=](Coordinator& coordinator, absl::Time now) {
      result->emplace(decide(coordinator, now));
      done->Notify();
    });
    EXPECT_TRUE(posted.ok()) << posted;
    if (!done->WaitForNotificationWithTimeout(kPatience)) {
      ADD_FAILURE() << "the executor does not get on";
      finished_ = true;
      return T();
    }
    return **result;
  }

  void Submit() {
    v1::SubmitPlanRequest request;
    request.set_idempotency_key("k");
    request.mutable_plan()->add_data_sets()->set_name("d");
    for (const char* name : {"teacher", "student"}) {
      v1::RunConfig* run = request.mutable_plan()->add_runs();
      run->set_name(name);
      run->set_data_set("d");
      run->mutable_training()->set_steps(kSteps);
      run->mutable_training()->set_world_size(2);
    }
    request.mutable_plan()->mutable_runs(1)->add_teachers()->set_run("teacher");
    const absl::Status submitted = Ask<absl::Status>([&](Coordinator& coordinator, absl::Time now) {
      return coordinator.SubmitPlan(request, now).status();
    });
    EXPECT_TRUE(submitted.ok()) << submitted;
  }

  void RunMember(const std::string& name, uint64_t seed) {
    std::mt19937_64 random(seed);
    Member member;
    member.name = name;
    while (!finished_) {
      Attend(member, random);
      if (member.stream != nullptr) Work(member, random);
      absl::MutexLock lock(&time_mutex_);
      timers_.Advance(absl::Milliseconds(random() % 40));
    }
  }

  // Says hello where there is no stream, takes what was sent, and sometimes vanishes.
  void Attend(Member& member, std::mt19937_64& random) {
    if (member.stream != nullptr) {
      while (std::optional<v1::Directive> directive = member.stream->Next()) {
        Take(member, *directive);
      }
      v1::AttendReport report;
      const uint64_t draw = random() % 200;
      if (draw == 0 || member.stop) {
        report.mutable_leaving();
        EXPECT_TRUE(driver_->Report(member.session, report).ok());
        driver_->Lost(member.session);
        Reborn(member);
      } else if (draw == 1 || member.stream->ended()) {
        driver_->Lost(member.session);
        member.stream = nullptr;
      } else {
        report.mutable_heartbeat();
        EXPECT_TRUE(driver_->Report(member.session, report).ok());
      }
    }
    if (member.stream != nullptr) return;
    v1::Hello hello;
    hello.set_role(member.name[0] == 't' ? v1::TEACHER_SERVER : v1::STUDENT_WORKER);
    hello.set_worker(member.name);
    hello.set_incarnation(member.incarnation);
    member.session = ++last_session_;
    member.stream = std::make_shared<Attendance>();
    EXPECT_TRUE(driver_->Hello(member.session, PeerIdentity{}, hello, member.stream).ok());
  }
  static void Reborn(Member& member) {
    Member another;
    another.name = member.name;
    another.incarnation = member.incarnation + 1;
    member = std::move(another);
  }

  static void Take(Member& member, const v1::Directive& directive) {
    if (directive.has_serve()) member.serve = directive.serve();
    if (directive.has_leave_world()) member.world.Clear();
    if (directive.has_stop()) member.stop = true;
    if (directive.has_step_grant()) {
      EXPECT_EQ(directive.generation(), member.world.generation());
      EXPECT_GT(directive.step_grant().through_step(), member.granted) << "a grant shrank";
      member.granted = directive.step_grant().through_step();
    }
    if (!directive.has_world()) return;
    const bool same = member.world.run_id() == directive.world().run_id() &&
                      member.world.generation() == directive.world().generation();
    member.world = directive.world();
    member.granted = member.world.grant().through_step();
    if (!same) member.step = member.world.resume_from().step();
  }

  // A step and a checkpoint of the run, or a ready teacher.
  void Work(Member& member, std::mt19937_64& random) {
    v1::AttendReport report;
    if (member.name[0] == 't') {
      if (member.serve.model().empty()) return Pass();
      report.mutable_teacher_state()->set_state(v1::TeacherState::READY);
      report.mutable_teacher_state()->set_model(member.serve.model());
      report.mutable_teacher_state()->set_fingerprint(member.serve.fingerprint());
      EXPECT_TRUE(driver_->Report(member.session, report).ok());
      return Pass();
    }
    if (member.world.run_id().empty()) return Pass();
    member.step = std::min<int64_t>(member.granted, member.step + random() % 20);
    report.set_run_id(member.world.run_id());
    report.mutable_progress()->set_generation(member.world.generation());
    report.mutable_progress()->set_step(member.step);
    EXPECT_TRUE(driver_->Report(member.session, report).ok());
    Commit(member);
  }
  void Pass() {
    Ask<bool>([](Coordinator&, absl::Time) { return true; });
  }
  void Commit(const Member& member) {
    v1::CommitCheckpointRequest commit;
    commit.set_fence(1);
    v1::CheckpointRef* checkpoint = commit.mutable_checkpoint();
    checkpoint->set_run_id(member.world.run_id());
    checkpoint->set_generation(member.world.generation());
    checkpoint->set_step(member.step);
    checkpoint->set_path("c");
    checkpoint->set_manifest_digest("d");
    v1::FinishRunRequest finish;
    finish.set_fence(1);
    finish.set_run_id(member.world.run_id());
    finish.set_generation(member.world.generation());
    finish.set_fingerprint("f");
    Ask<bool>([&](Coordinator& coordinator, absl::Time now) {
      const CoordinatorState::Run run = *coordinator.state().FindRun(commit.checkpoint().run_id());
      const bool current =
          run.state == v1::RunStatus::ACTIVE && run.generation == finish.generation();
      const bool committed = coordinator.CommitCheckpoint(commit, now).ok();
      if (committed && !current) {
        EXPECT_TRUE(!run.checkpoints.empty() && run.checkpoints.back().step() == checkpoint->step())
            << "a world that is not current has committed something new";
      }
      if (committed && checkpoint->step() == kSteps) (void)coordinator.FinishRun(finish, now);
      return committed;
    });
  }

  // New schedules under keys of their own, each asked for until it is there. One in four times
  // the first answer is lost, after it was written.
  void Update(const std::string& run, uint64_t seed) {
    std::mt19937_64 random(seed);
    for (int i = 0; i < kUpdates && !finished_; ++i) {
      v1::UpdateScheduleRequest request;
      request.set_idempotency_key(run + std::to_string(i));
      request.set_run_id(run);
      request.mutable_schedules()
          ->mutable_soft_weight()
          ->add_pieces()
          ->mutable_constant()
          ->set_value(0.5);
      const bool lose = random() % 4 == 0;
      const auto version = Ask<uint64_t>([&](Coordinator& coordinator, absl::Time now) {
        request.set_from_step(coordinator.state().FindRun(run)->FirstFreeStep());
        if (lose) {
          store_.set_append_fault(FaultyStore::Fault::kReplyLost);
          EXPECT_FALSE(coordinator.UpdateSchedule(request, now).ok());
          store_.set_append_fault(FaultyStore::Fault::kNone);
        }
        const auto added = coordinator.UpdateSchedule(request, now);
        return added.ok() ? added->version() : uint64_t{0};
      });
      absl::MutexLock lock(&mutex_);
      if (version != 0) versions_[run][version] = request.idempotency_key();
    }
  }

  // Stops the plan and resumes it, and looks at it from aside.
  void Operate() {
    for (int i = 0; i < 6 && !finished_; ++i) {
      const std::string key = std::to_string(i);
      for (int look = 0; look < 60; ++look) {
        Ask<bool>([](Coordinator& coordinator, absl::Time) { return coordinator.GetPlan().ok(); });
      }
      const absl::Status stopped = Ask<absl::Status>([&](Coordinator& coordinator, absl::Time now) {
        return coordinator.StopPlan("stop" + key, "", now);
      });
      const absl::Status resumed = Ask<absl::Status>([&](Coordinator& coordinator, absl::Time now) {
        return coordinator.ResumePlan("resume" + key, now);
      });
      EXPECT_TRUE(stopped.ok() && resumed.ok()) << stopped << " " << resumed;
    }
  }

  FakeClock clock_;
  absl::Mutex time_mutex_;
  FakeTimerQueue timers_{&clock_};
  ThreadExecutor executor_{{.name = "coordinator", .threads = 1, .max_queued = 1 << 16}};
  const std::shared_ptr<MemoryDisk> disk_ = std::make_shared<MemoryDisk>();
  MemoryStore memory_{disk_};
  FaultyStore store_{&memory_};
  Rendezvous rendezvous_;
  std::atomic<uint64_t> last_session_{0};
  std::atomic<bool> finished_{false};

  absl::Mutex mutex_;
  // By run: version to key, as answered.
  std::map<std::string, std::map<uint64_t, std::string>> versions_ ABSL_GUARDED_BY(mutex_);
  std::unique_ptr<Driver> driver_;
};

TEST_F(DriverStressTest, ThePlanFinishesAndTheJournalHasEveryAnswerOnce) {
  const uint64_t seed = TestSeed();
  Submit();
  const auto watcher = std::make_shared<Watcher>(&finished_);
  ASSERT_TRUE(driver_->Watch(watcher).ok());
  StressThreads threads;
  uint64_t member = seed;
  for (const char* name : {"s0", "s1", "s2", "t0", "t1"}) {
    threads.Start(name, [this, name, own = ++member] { RunMember(name, own); });
  }
  for (const char* run : {"teacher", "student"}) {
    threads.Start(std::string("schedules of ") + run,
                  [this, run, own = ++member] { Update(run, own); });
  }
  threads.Start("operator", [this] { Operate(); });
  threads.Join();

  std::optional<v1::PlanStatus> status;
  std::map<std::string, std::map<uint64_t, std::string>> kept;
  Ask<bool>([&](Coordinator& coordinator, absl::Time) {
    status = *coordinator.GetPlan();
    for (const CoordinatorState::Run& run : coordinator.state().runs()) {
      for (const auto& [key, version] : run.schedule_keys) kept[run.config.name()][version] = key;
      EXPECT_EQ(run.schedules.size(), run.schedule_keys.size() + 1) << "beside the configured one";
      EXPECT_EQ(run.checkpoints.back().step(), kSteps);
    }
    return true;
  });
  ASSERT_TRUE(executor_.StopWithin(kPatience));
  EXPECT_EQ(status->state(), v1::PlanStatus::FINISHED);
  EXPECT_EQ(watcher->last.SerializeAsString(), status->SerializeAsString());
  absl::MutexLock lock(&mutex_);
  EXPECT_GT(versions_.size(), 0u);
  EXPECT_EQ(kept, versions_);

  MemoryStore copy(std::make_shared<MemoryDisk>(*disk_));
  const auto replayed = Journal::Open(&copy, {});
  ASSERT_TRUE(replayed.ok()) << replayed.status();
  status->clear_members();
  for (v1::RunStatus& run : *status->mutable_runs()) run.clear_progress();
  EXPECT_EQ((*replayed)->state().Status().SerializeAsString(), status->SerializeAsString());
}

}  // namespace
}  // namespace distill
