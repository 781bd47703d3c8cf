#include "student_worker/worker/recorded_labels.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "common/executor/manual_executor.h"
#include "common/executor/thread_executor.h"
#include "common/files/fake_file_system.h"
#include "common/tensor_view/tensor_view.h"
#include "distillation/label_sets/label_set_for_test.h"

namespace distill {
namespace {

using ::testing::ElementsAreArray;
using ::testing::HasSubstr;

constexpr int64_t kSteps = 40;
constexpr uint32_t kBatch = 10;

class RecordedLabelsTest : public ::testing::Test {
 protected:
  RecordedLabelsTest() {
    EXPECT_TRUE(FillAll(&files_, "/set", SmallIdentity()).ok());
    auto set = LabelSetReader::Open(&files_, "/set", SmallIdentity(), {});
    EXPECT_TRUE(set.ok()) << set.status();
    set_ = *std::move(set);
  }

  static Order MakeOrder() {
    OrderOptions options;
    options.seed = SmallIdentity().view_seed;
    options.examples = SmallIdentity().examples;
    options.global_batch_size = kBatch;
    options.view.set_horizontal_flip(true);
    options.view.set_views_per_example(SmallIdentity().views);
    return *Order::Create(options);
  }
  std::shared_ptr<RecordedLabels> Create(Executor* executor, int64_t first_step = 0, int rank = 0,
                                         int size = 1) {
    return RecordedLabels::Create({first_step, kSteps, /*window_steps=*/3}, set_,
                                  RowsOfSlices(MakeOrder(), rank, size, set_->identity()),
                                  executor);
  }
  // Of what the order says of the step, by the seeds of the views.
  static std::vector<float> Truth(int64_t step, int rank = 0, int size = 1) {
    std::vector<float> labels;
    Order order = MakeOrder();
    const std::vector<ExampleView> slice = *order.Slice(step, rank, size);
    for (const ExampleView& seen : slice) {
      for (uint64_t view = 0; view < SmallIdentity().views; ++view) {
        if (ViewSeedOf(SmallIdentity().view_seed, view, seen.example_id) != seen.view_seed)
          continue;
        for (const float value : TrueRow(view * SmallIdentity().examples + seen.example_id)) {
          labels.push_back(value);
        }
      }
    }
    return labels;
  }
  static std::vector<float> Values(const absl::StatusOr<StepLabels>& labels) {
    EXPECT_TRUE(labels.ok()) << labels.status();
    const auto values = std::get<TensorView>(labels->at("logits")).as<float>();
    return {values.begin(), values.end()};
  }

  FakeFileSystem files_;
  std::shared_ptr<LabelSetReader> set_;
};

TEST_F(RecordedLabelsTest, EveryStepHasTheLabelsOfItsExamplesInTheViewOfItsEpoch) {
  ThreadExecutor executor({.name = "disk", .threads = 1, .max_queued = 8});
  const auto labels = Create(&executor);
  for (int64_t step = 0; step < kSteps; ++step) {
    EXPECT_THAT(Values(labels->Take(step)), ElementsAreArray(Truth(step))) << step;
  }
  EXPECT_EQ(labels->counters().served.at("recorded"), kSteps);
}

TEST_F(RecordedLabelsTest, ARankOfAResumedRunHasItsShareFromItsStepOn) {
  ThreadExecutor executor({.name = "disk", .threads = 1, .max_queued = 8});
  const auto labels = Create(&executor, /*first_step=*/17, /*rank=*/1, /*size=*/2);
  for (int64_t step = 17; step < kSteps; ++step) {
    EXPECT_THAT(Values(labels->Take(step)), ElementsAreArray(Truth(step, 1, 2))) << step;
  }
}

TEST_F(RecordedLabelsTest, AWindowIsReadAheadAndNoMore) {
  ManualExecutor executor;
  const auto labels = Create(&executor);
  EXPECT_EQ(executor.RunAll(), 3);
  EXPECT_TRUE(labels->Take(0).ok());
  EXPECT_EQ(executor.RunAll(), 1);
}

TEST_F(RecordedLabelsTest, WhoeverDoesNotWantToWaitAsksWhetherLabelsAreThere) {
  ManualExecutor executor;
  const auto labels = Create(&executor);
  EXPECT_FALSE(labels->Await(absl::ZeroDuration()));
  executor.RunNext();
  EXPECT_TRUE(labels->Await(absl::ZeroDuration()));
  EXPECT_TRUE(labels->Take(0).ok());
  EXPECT_FALSE(labels->Await(absl::ZeroDuration()));
  labels->Close(absl::AbortedError("the world has ended"));
  EXPECT_TRUE(labels->Await(absl::ZeroDuration())) << "Take returns the reason";
}

TEST_F(RecordedLabelsTest, ADamagedBlockEndsItWithTheFileInTheMessage) {
  for (const auto& [name, bytes] : FilesIn(files_, "/set")) {
    if (name == kLabelSetManifestFile) continue;
    std::string damaged = bytes;
    damaged.back() ^= 1;
    ASSERT_TRUE(files_.Write("/set/" + name, damaged).ok());
  }
  ManualExecutor executor;
  const auto labels = Create(&executor);
  executor.RunAll();
  absl::Status status;
  for (int64_t step = 0; step < 3 && status.ok(); ++step) status = labels->Take(step).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kDataLoss);
  EXPECT_THAT(std::string(status.message()), HasSubstr("blocks-0000"));
}

TEST_F(RecordedLabelsTest, CloseEndsAWaitAndReadsNoMore) {
  ManualExecutor executor;
  const auto labels = Create(&executor);
  labels->Close(absl::AbortedError("the world has ended"));
  EXPECT_EQ(labels->Take(0).status(), absl::AbortedError("the world has ended"));
  executor.RunAll();
  EXPECT_EQ(executor.pending(), 0u);
}

TEST_F(RecordedLabelsTest, AStoppedExecutorIsAnError) {
  ThreadExecutor executor({.name = "disk", .threads = 1, .max_queued = 8});
  executor.Stop();
  EXPECT_EQ(Create(&executor)->Take(0).status().code(), absl::StatusCode::kUnavailable);
}

}  // namespace
}  // namespace distill
