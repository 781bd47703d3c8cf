#include "student_worker/worker/checkpointing.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "common/files/fake_file_system.h"
#include "coordinator/client/fake_run_calls.h"
#include "distillation/models/export/manifest.h"
#include "student_worker/collectives/fake_key_value_store.h"
#include "student_worker/collectives/gloo_collectives.h"

namespace distill {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;

constexpr int kRanks = 2;
constexpr int64_t kStep = 4;
constexpr char kFolder[] = "r/checkpoints/step-000004-g3";

v1::World World() {
  v1::World world;
  world.set_run_id("r");
  world.set_generation(3);
  world.set_seed(9);
  world.mutable_run()->set_name("r");
  world.mutable_run()->mutable_model()->set_architecture("mlp");
  world.mutable_run()->mutable_training()->set_world_size(kRanks);
  world.mutable_data_set()->set_name("toy");
  world.mutable_data_set()->set_scale(1);
  world.mutable_data_set()->set_deviation(1);
  v1::TeacherFleet* teacher = world.add_teachers();
  teacher->set_role("teacher");
  teacher->set_fingerprint("f00d");
  v1::ScheduleVersion* version = world.add_schedules();
  version->set_version(7);
  v1::ScheduleSet* schedules = version->mutable_schedules();
  for (v1::Schedule* schedule :
       {schedules->mutable_temperature(), schedules->mutable_soft_weight(),
        schedules->mutable_hard_weight(), schedules->mutable_learning_rate()}) {
    v1::Schedule::Piece* piece = schedule->add_pieces();
    piece->set_end_step(1);
    piece->mutable_constant()->set_value(1);
  }
  return world;
}

std::map<std::string, TensorView> Linear() {
  return {{"linear.weight",
           MakeTensorView(ElementType::kFloat32, {2, 2}, std::vector<float>{1, 2, 3, 4})},
          {"linear.bias", MakeTensorView(ElementType::kFloat32, {2}, std::vector<float>{5, 6})}};
}

std::shared_ptr<const DataSet> Data() {
  v1::DataSetConfig config = World().data_set();
  config.set_classes(2);
  auto data = DataSet::FromArrays(
      config, MakeTensorView(ElementType::kFloat32, {1, 2}, std::vector<float>{1, 2}),
      MakeTensorView(ElementType::kInt64, {1}, std::vector<int64_t>{0}), DataSet::Files::kTraining);
  EXPECT_TRUE(data.ok()) << data.status();
  return *data;
}

// Trains nothing; its state says whose it is. It says to have computed `logits` of (1, 2).
class FakeTrainer final : public Trainer {
 public:
  FakeTrainer(int rank, absl::Status agreement, std::vector<float> logits)
      : rank_(rank), agreement_(agreement), logits_(std::move(logits)) {}

  absl::StatusOr<std::vector<ExampleView>> Slice(int64_t) override { return None(); }
  absl::StatusOr<StepResult> Step(int64_t, const StepValues&, const TeacherLabels&) override {
    return None();
  }
  absl::StatusOr<double> ValidationAccuracy() override { return None(); }
  absl::Status AgreeWithOtherRanks() override { return agreement_; }
  absl::StatusOr<Safetensors> SharedState(int64_t) const override {
    Safetensors state;
    state.tensors = Linear();
    return state;
  }
  absl::StatusOr<Safetensors> RankState(int64_t) const override {
    Safetensors state;
    state.metadata["rank"] = std::to_string(rank_);
    return state;
  }
  absl::Status Restore(int64_t, const Safetensors&, const Safetensors&) override { return None(); }
  std::vector<uint64_t> GradientBucketBytes() const override { return {24}; }
  absl::StatusOr<std::map<std::string, TensorView>> ModelTensors() const override {
    return Linear();
  }
  void DescribeModel(v1::ExportManifest& manifest) const override {
    *manifest.mutable_model() = World().run().model();
  }
  absl::StatusOr<std::string> ModelProgram() const override { return std::string(); }
  absl::StatusOr<ExportCheck> MakeExportCheck() override {
    return ExportCheck{MakeTensorView(ElementType::kInt64, {1}, std::vector<int64_t>{0}),
                       MakeTensorView(ElementType::kFloat32, {1, 2}, logits_),
                       MakeTensorView(ElementType::kFloat32, {1, 2}, std::vector<float>{1, 2})};
  }

 private:
  static absl::Status None() { return absl::UnimplementedError("not in this test"); }
  const int rank_;
  const absl::Status agreement_;
  const std::vector<float> logits_;
};

class FullDisk final : public FakeFileSystem {
 public:
  absl::Status Write(const std::string& path, std::string_view) override {
    return absl::ResourceExhaustedError(path + ": no space left on device");
  }
};

class CheckpointingTest : public ::testing::Test {
 protected:
  using Body =
      std::function<absl::Status(const SessionTools&, WorldControl&, Trainer&, Collectives&)>;

  // What `body` returns on each rank, whose disk is files_[rank].
  std::vector<absl::Status> OnEveryRank(const Body& body) {
    FakeKeyValueStore store;
    std::vector<absl::Status> statuses(kRanks);
    std::vector<std::thread> threads;
    for (int rank = 0; rank < kRanks; ++rank) {
      threads.emplace_back([&, rank] {
        GlooOptions gloo;
        gloo.rank = rank;
        gloo.size = kRanks;
        auto collectives = ConnectGloo(gloo, &store);
        ASSERT_TRUE(collectives.ok()) << collectives.status();
        SessionTools tools;
        tools.run_dir = "/runs";
        tools.files = files_[rank];
        tools.coordinator = &coordinator_;
        auto control = WorldControl::Create(World(), /*fence=*/5);
        ASSERT_TRUE(control.ok()) << control.status();
        FakeTrainer trainer(rank, agreement_, logits_);
        statuses[rank] = body(tools, **control, trainer, **collectives);
      });
    }
    for (std::thread& thread : threads) thread.join();
    return statuses;
  }
  std::vector<absl::Status> Save() {
    return OnEveryRank([](const SessionTools& tools, WorldControl& control, Trainer& trainer,
                          Collectives& collectives) {
      return SaveCheckpoint(tools, control, trainer, collectives, kStep);
    });
  }
  bool Exists(const std::string& path) { return *shared_disk_.Exists("/runs/" + path); }

  FakeFileSystem shared_disk_;
  FullDisk full_disk_;
  std::vector<FileSystem*> files_ = {&shared_disk_, &shared_disk_};
  // Only rank 0 asks it anything.
  FakeRunCalls coordinator_;
  absl::Status agreement_;
  // Those of Linear().
  std::vector<float> logits_ = {10, 17};
};

TEST_F(CheckpointingTest, WhatIsCommittedIsReadBackByEveryRank) {
  for (const absl::Status& status : Save()) EXPECT_TRUE(status.ok()) << status;
  ASSERT_EQ(coordinator_.commits.size(), 1u);
  EXPECT_EQ(coordinator_.commits[0].fence(), 5u);
  const v1::CheckpointRef& ref = coordinator_.commits[0].checkpoint();
  EXPECT_EQ(ref.path(), kFolder);
  const auto control = WorldControl::Create(World(), /*fence=*/5);
  ASSERT_TRUE(control.ok()) << control.status();
  for (int rank = 0; rank < kRanks; ++rank) {
    const auto read = ReadCheckpoint(shared_disk_, "/runs", ref, ExpectationOf(**control), rank);
    ASSERT_TRUE(read.ok()) << read.status();
    EXPECT_EQ(read->rank.metadata.at("rank"), std::to_string(rank));
    EXPECT_EQ(ModelDigest(read->shared.tensors), ModelDigest(Linear()));
    EXPECT_EQ(read->manifest.schedule_version(), 7u);
    EXPECT_EQ(read->manifest.step(), kStep);
  }
  // Labels of a set that another teacher made.
  (*control)->SetTeacherFingerprint("recorded", "beef");
  EXPECT_EQ(ReadCheckpoint(shared_disk_, "/runs", ref, ExpectationOf(**control), 0).status().code(),
            absl::StatusCode::kFailedPrecondition);
}

TEST_F(CheckpointingTest, NothingIsCommittedWhereTheDiskOfOneRankIsFull) {
  for (int full = 0; full < kRanks; ++full) {
    SCOPED_TRACE(full);
    files_ = {&shared_disk_, &shared_disk_};
    files_[full] = &full_disk_;
    const std::vector<absl::Status> statuses = Save();
    EXPECT_EQ(statuses[full].code(), absl::StatusCode::kResourceExhausted);
    const std::string file = full == 0 ? "/shared.safetensors" : "/rank-1.safetensors";
    EXPECT_THAT(std::string(statuses[full].message()), HasSubstr(kFolder + file));
    EXPECT_THAT(std::string(statuses[full].message()), HasSubstr("run r at step 4"));
    EXPECT_EQ(statuses[1 - full].code(), absl::StatusCode::kAborted) << statuses[1 - full];
    EXPECT_THAT(coordinator_.commits, IsEmpty());
    EXPECT_FALSE(Exists(std::string(kFolder) + "/manifest.json"));
  }
}

TEST_F(CheckpointingTest, RanksWhoseModelsDifferWriteNothing) {
  agreement_ = absl::InternalError("the models differ");
  for (const absl::Status& status : Save()) EXPECT_EQ(status, agreement_);
  EXPECT_THAT(coordinator_.commits, IsEmpty());
  EXPECT_FALSE(Exists(kFolder));
}

TEST_F(CheckpointingTest, ACommitThatIsRefusedFailsRankZeroAndRemovesNothing) {
  coordinator_.commit_answer = absl::AbortedError("an older fence");
  EXPECT_EQ(Save()[0].code(), absl::StatusCode::kAborted);
}

TEST_F(CheckpointingTest, OnlyCheckpointsOfThisRunAreRemovedAsObsolete) {
  const std::string obsolete = "r/checkpoints/step-000002-g1";
  const std::vector<std::string> kept = {"r/export", "r/checkpoints",
                                         "other/checkpoints/step-000002-g1",
                                         "rr/checkpoints/step-000002-g1", "other/export"};
  coordinator_.commit_answer->add_obsolete_paths(obsolete);
  for (const std::string& path : kept) {
    ASSERT_TRUE(shared_disk_.MakeDirectories("/runs/" + path).ok());
    coordinator_.commit_answer->add_obsolete_paths(path);
  }
  ASSERT_TRUE(shared_disk_.MakeDirectories("/runs/" + obsolete).ok());
  coordinator_.commit_answer->add_obsolete_paths("");
  coordinator_.commit_answer->add_obsolete_paths(".");
  coordinator_.commit_answer->add_obsolete_paths("/runs/other/export");
  // The fake disk refuses "..", a real one goes there: it must not even be asked.
  coordinator_.commit_answer->add_obsolete_paths(obsolete + "/../../../other/export");
  for (const absl::Status& status : Save()) EXPECT_TRUE(status.ok()) << status;
  EXPECT_FALSE(Exists(obsolete));
  EXPECT_TRUE(Exists(kFolder));
  for (const std::string& path : kept) EXPECT_TRUE(Exists(path)) << path;
}

TEST_F(CheckpointingTest, RankZeroAloneExportsAndFinishesTheRun) {
  files_[1] = &full_disk_;
  const auto data = Data();
  const auto statuses = OnEveryRank([&](const SessionTools& tools, WorldControl& control,
                                        Trainer& trainer, Collectives& collectives) {
    return FinishWithExport(tools, control, trainer, collectives, *data);
  });
  for (const absl::Status& status : statuses) EXPECT_TRUE(status.ok()) << status;
  ASSERT_EQ(coordinator_.finished.size(), 1u);
  const v1::FinishRunRequest& finished = coordinator_.finished[0];
  EXPECT_EQ(finished.export_path(), "r/export");
  EXPECT_EQ(finished.fence(), 5u);
  EXPECT_EQ(finished.generation(), 3u);
  const auto read = ReadExport(shared_disk_, "/runs/r/export");
  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_EQ(read->manifest.fingerprint(), finished.fingerprint());
  EXPECT_EQ(read->manifest.seed(), 9u);
}

TEST_F(CheckpointingTest, ARunWhoseExportCannotBeWrittenIsNotFinished) {
  files_[0] = &full_disk_;
  const auto data = Data();
  const auto statuses = OnEveryRank([&](const SessionTools& tools, WorldControl& control,
                                        Trainer& trainer, Collectives& collectives) {
    return FinishWithExport(tools, control, trainer, collectives, *data);
  });
  EXPECT_EQ(statuses[0].code(), absl::StatusCode::kResourceExhausted);
  EXPECT_THAT(std::string(statuses[0].message()), HasSubstr("/runs/r/export/"));
  EXPECT_THAT(coordinator_.finished, IsEmpty());
}

TEST_F(CheckpointingTest, ARunWhoseExportComputesSomethingElseIsNotFinished) {
  logits_ = {10, 18};
  const auto data = Data();
  const auto statuses = OnEveryRank([&](const SessionTools& tools, WorldControl& control,
                                        Trainer& trainer, Collectives& collectives) {
    return FinishWithExport(tools, control, trainer, collectives, *data);
  });
  EXPECT_EQ(statuses[0].code(), absl::StatusCode::kDataLoss);
  EXPECT_THAT(std::string(statuses[0].message()), HasSubstr("class 1: logit 17"));
  EXPECT_THAT(coordinator_.finished, IsEmpty());
}

}  // namespace
}  // namespace distill
