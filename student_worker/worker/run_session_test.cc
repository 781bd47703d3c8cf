#include "student_worker/worker/run_session.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/synchronization/notification.h"
#include "common/clock/fake_clock.h"
#include "common/executor/executor.h"
#include "common/files/fake_file_system.h"
#include "common/tensor_view/tensor_view.h"
#include "distillation/label_sets/label_set_for_test.h"
#include "distillation/label_sets/run_label_set.h"
#include "student_worker/collectives/fake_key_value_store.h"

namespace distill {
namespace {

using ::testing::ElementsAre;

constexpr absl::Duration kPatience = absl::Seconds(20);
constexpr char kRecords[] = "/runs/r/metrics.rank0.jsonl";

// A world of one rank that may take two steps of eight.
v1::World World() {
  v1::World world;
  world.set_run_id("r");
  world.set_generation(3);
  world.set_seed(9);
  v1::World::Member* member = world.add_members();
  member->set_worker("student");
  member->set_incarnation(5);
  v1::RunConfig& run = *world.mutable_run();
  run.set_name("r");
  run.mutable_model()->set_architecture("mlp");
  v1::TermConfig* hard = run.add_objective();
  hard->set_name("hard");
  hard->mutable_hard_cross_entropy();
  v1::TrainingConfig& training = *run.mutable_training();
  training.set_world_size(1);
  training.set_steps(8);
  training.set_global_batch_size(2);
  training.mutable_sgd();
  run.mutable_labels()->set_window_steps(2);
  v1::DataSetConfig& data_set = *world.mutable_data_set();
  data_set.set_name("toy");
  data_set.set_classes(3);
  data_set.set_scale(1);
  data_set.set_deviation(1);
  v1::ScheduleVersion* version = world.add_schedules();
  version->set_version(1);
  v1::ScheduleSet* schedules = version->mutable_schedules();
  for (v1::Schedule* schedule :
       {schedules->mutable_temperature(), schedules->mutable_soft_weight(),
        schedules->mutable_hard_weight(), schedules->mutable_learning_rate()}) {
    v1::Schedule::Piece* piece = schedule->add_pieces();
    piece->set_end_step(1);
    piece->mutable_constant()->set_value(1);
  }
  *run.mutable_schedules() = *schedules;
  world.mutable_grant()->set_through_step(2);
  return world;
}

std::shared_ptr<const DataSet> Data() {
  auto data = DataSet::FromArrays(
      World().data_set(),
      MakeTensorView(ElementType::kFloat32, {4, 2}, std::vector<float>{1, 2, 3, 4, 5, 6, 7, 8}),
      MakeTensorView(ElementType::kInt64, {4}, std::vector<int64_t>{0, 1, 2, 0}),
      DataSet::Files::kTraining);
  EXPECT_TRUE(data.ok()) << data.status();
  return *data;
}

// A coordinator of which a session that ends early asks the rendezvous alone.
class Rendezvous final : public RunCalls {
 public:
  absl::StatusOr<v1::CommitCheckpointResponse> CommitCheckpoint(
      const v1::CommitCheckpointRequest&) override {
    return absl::UnimplementedError("not in this test");
  }
  absl::Status FinishRun(const v1::FinishRunRequest&) override {
    return absl::UnimplementedError("not in this test");
  }
  absl::Status FailRun(const v1::FailRunRequest&) override {
    return absl::UnimplementedError("not in this test");
  }
  absl::Status StoreSet(const v1::StoreScope&, const std::string& key,
                        const std::string& value) override {
    return store_.Set(key, value);
  }
  absl::StatusOr<std::vector<std::string>> StoreGet(const v1::StoreScope&,
                                                    const std::vector<std::string>& keys,
                                                    absl::Duration timeout) override {
    return store_.Get(keys, timeout);
  }
  absl::StatusOr<int64_t> StoreAdd(const v1::StoreScope&, const std::string& key,
                                   int64_t amount) override {
    return store_.Add(key, amount);
  }

 private:
  FakeKeyValueStore store_;
};

class Observed final : public SessionObserver {
 public:
  void OnSession(const std::string& run_id) override { events.push_back("session " + run_id); }
  void OnStep(const std::string&, const StepRecord& record, int64_t) override {
    events.push_back("step " + std::to_string(record.step));
  }
  void OnValidation(const std::string&, double) override {}
  void OnCheckpoint(const std::string&, absl::Duration) override {}
  void OnLabels(const std::string&, const std::string&, const LabelSource::Counters&,
                const LabelSource::Counters&, bool) override {}

  std::vector<std::string> events;
};

// Runs the first `count` closures at once, and the others never.
class ExecutorThatStops final : public Executor {
 public:
  explicit ExecutorThatStops(int count) : left_(count) {}
  absl::Status Schedule(absl::AnyInvocable<void()> closure) override {
    if (left_-- > 0) closure();
    return absl::OkStatus();
  }

 private:
  int left_;
};

// Tells when something was appended to the records.
class WatchedFiles final : public FakeFileSystem {
 public:
  absl::StatusOr<std::unique_ptr<AppendFile>> OpenForAppend(const std::string& path) override {
    auto file = FakeFileSystem::OpenForAppend(path);
    if (!file.ok() || path != kRecords) return file;
    return std::make_unique<Watched>(*std::move(file), &appended);
  }

  absl::Notification appended;

 private:
  class Watched final : public AppendFile {
   public:
    Watched(std::unique_ptr<AppendFile> file, absl::Notification* appended)
        : file_(std::move(file)), appended_(appended) {}
    absl::Status Append(std::string_view bytes) override {
      const absl::Status status = file_->Append(bytes);
      if (!appended_->HasBeenNotified()) appended_->Notify();
      return status;
    }
    absl::Status Sync() override { return file_->Sync(); }

   private:
    const std::unique_ptr<AppendFile> file_;
    absl::Notification* const appended_;
  };
};

class RunSessionTest : public ::testing::Test {
 protected:
  RunSessionTest() {
    tools_.worker = "student";
    tools_.incarnation = 5;
    tools_.bind_host = "127.0.0.1";
    tools_.run_dir = "/runs";
    tools_.files = &files_;
    tools_.clock = &clock_;
    tools_.coordinator = &coordinator_;
    tools_.observer = &observed_;
    tools_.report = [](const v1::Progress&, const std::string&) {};
  }

  int64_t Records() {
    const auto text = files_.Read(kRecords, 1 << 20);
    EXPECT_TRUE(text.ok()) << text.status();
    return text.ok() ? std::count(text->begin(), text->end(), '\n') : 0;
  }

  WatchedFiles files_;
  FakeClock clock_;
  Rendezvous coordinator_;
  Observed observed_;
  SessionTools tools_;
};

const absl::Status kOver = absl::AbortedError("the world is over");

TEST_F(RunSessionTest, WhileItWaitsForAGrantTheRecordsOfItsStepsAreWritten) {
  const auto control = WorldControl::Create(World(), /*fence=*/1);
  ASSERT_TRUE(control.ok()) << control.status();
  int64_t written = -1;
  tools_.report = [&](const v1::Progress& progress, const std::string&) {
    if (progress.step() != 2) return;  // Of two steps: no other may be taken.
    written = Records();
    (*control)->End(kOver);
  };
  EXPECT_EQ(RunSession(tools_, Data(), **control), kOver);
  EXPECT_EQ(written, 2);
}

// A run whose labels lie on a disk that stops after three blocks.
class RunSessionWaitsTest : public RunSessionTest {
 protected:
  RunSessionWaitsTest() {
    Fill();
    tools_.reading_executor = &disk_;
    auto control = WorldControl::Create(world_, /*fence=*/1);
    EXPECT_TRUE(control.ok()) << control.status();
    control_ = *std::move(control);
  }

  void Fill() {
    world_.mutable_grant()->set_through_step(8);
    v1::TeacherConfig* teacher = world_.mutable_run()->add_teachers();
    teacher->set_role("t");
    teacher->set_recorded_labels("/set");
    teacher->add_outputs()->set_name("logits");
    LabelSetIdentity identity = LabelSetOf(world_.run(), world_.data_set(), world_.seed(), "logits",
                                           data_->size(v1::TRAIN));
    identity.fingerprint = "f00d";
    identity.numerics_class = "avx2";
    identity.codec = "dense_fp16";
    identity.block_rows = 8;
    identity.part_blocks = 4;
    EXPECT_TRUE(FillAll(&files_, "/set", identity).ok());
  }
  // Trains until `happened`, which the session notifies.
  void TrainUntil(absl::Notification& happened) {
    absl::Status status;
    std::thread trainer([&] { status = RunSession(tools_, data_, *control_); });
    EXPECT_TRUE(happened.WaitForNotificationWithTimeout(kPatience));
    control_->End(kOver);
    trainer.join();
    EXPECT_EQ(status, kOver);
  }

  v1::World world_ = World();
  const std::shared_ptr<const DataSet> data_ = Data();
  ExecutorThatStops disk_{/*count=*/3};
  std::unique_ptr<WorldControl> control_;
};

TEST_F(RunSessionWaitsTest, WhileItWaitsForLabelsTheRecordsOfItsStepsAreWritten) {
  int64_t records = 0;
  absl::Notification told;
  tools_.report_every = absl::Milliseconds(1);
  tools_.report = [&](const v1::Progress& progress, const std::string&) {
    if (progress.step() < 3 || told.HasBeenNotified()) return;
    records = Records();
    told.Notify();
  };
  TrainUntil(told);
  EXPECT_EQ(records, 3);
}

TEST_F(RunSessionWaitsTest, ALongWaitForLabelsIsReportedWithWhomItIsFor) {
  std::string note;
  double waiting = 0;
  absl::Notification told;
  tools_.report_every = absl::Milliseconds(1);
  tools_.report = [&](const v1::Progress& progress, const std::string&) {
    if (progress.step() < 3 || told.HasBeenNotified()) return;
    clock_.Advance(absl::Seconds(1));
    if (progress.note().empty()) return;
    note = progress.note();
    waiting = progress.teacher_wait_ratio();
    told.Notify();
  };
  TrainUntil(told);
  EXPECT_EQ(note, "waits 5s for labels of teacher role t: the disk of the label set");
  EXPECT_EQ(waiting, 1) << "of the last second";
}

TEST_F(RunSessionTest, AnObserverHearsOfASessionBeforeItsSteps) {
  const auto control = WorldControl::Create(World(), /*fence=*/1);
  ASSERT_TRUE(control.ok()) << control.status();
  tools_.report = [&](const v1::Progress& progress, const std::string&) {
    if (progress.step() == 2) (*control)->End(kOver);
  };
  EXPECT_EQ(RunSession(tools_, Data(), **control), kOver);
  EXPECT_THAT(observed_.events, ElementsAre("session r", "step 0", "step 1"));
}

}  // namespace
}  // namespace distill
