#include "distillation/order/run_examples.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>

namespace distill {
namespace {

using ::testing::ElementsAre;

const std::vector<int32_t> kLabels = {0, 1, -1, 0, 1, 0, 1, 0, 1, -1};

v1::RunConfig MakeRun(v1::RunConfig::TrainOn train_on) {
  v1::RunConfig run;
  run.set_train_on(train_on);
  run.mutable_training()->set_global_batch_size(2);
  return run;
}

std::set<uint64_t> IdsOfAnEpoch(const OrderOptions& options) {
  auto order = Order::Create(options);
  EXPECT_TRUE(order.ok()) << order.status();
  std::set<uint64_t> ids;
  for (int64_t step = 0; step < order->steps_per_epoch(); ++step) {
    const auto slice = order->Slice(step, 0, 1);
    for (const ExampleView& view : *slice) ids.insert(view.example_id);
  }
  return ids;
}

TEST(RunExamplesTest, ARunOnLabelledExamplesDrawsNoOther) {
  auto examples = ExamplesOfRun(MakeRun(v1::RunConfig::LABELLED), kLabels, 2, 1);
  ASSERT_TRUE(examples.ok());
  EXPECT_THAT(IdsOfAnEpoch(examples->order), ElementsAre(0, 1, 3, 4, 5, 6, 7, 8));
}

TEST(RunExamplesTest, ARunOnAllExamplesDrawsThoseWithoutALabelToo) {
  auto examples = ExamplesOfRun(MakeRun(v1::RunConfig::ALL), kLabels, 2, 1);
  ASSERT_TRUE(examples.ok());
  EXPECT_EQ(IdsOfAnEpoch(examples->order).size(), kLabels.size());
  EXPECT_EQ(examples->labels, kLabels);
}

TEST(RunExamplesTest, OnlyTheSubsetKeepsItsLabels) {
  v1::RunConfig run = MakeRun(v1::RunConfig::LABELLED);
  run.mutable_labelled_subset()->set_examples(4);
  auto examples = ExamplesOfRun(run, kLabels, 2, 1);
  ASSERT_TRUE(examples.ok());
  const std::set<uint64_t> ids = IdsOfAnEpoch(examples->order);
  EXPECT_EQ(ids.size(), 4u);
  for (uint64_t id = 0; id < kLabels.size(); ++id) {
    EXPECT_EQ(examples->labels[id], ids.count(id) ? kLabels[id] : -1) << id;
  }
}

TEST(RunExamplesTest, ABatchLargerThanTheSubsetIsRefused) {
  v1::RunConfig run = MakeRun(v1::RunConfig::LABELLED);
  run.mutable_labelled_subset()->set_examples(4);
  run.mutable_training()->set_global_batch_size(5);
  auto examples = ExamplesOfRun(run, kLabels, 2, 1);
  ASSERT_TRUE(examples.ok());
  EXPECT_EQ(Order::Create(examples->order).status().code(), absl::StatusCode::kInvalidArgument);
}

}  // namespace
}  // namespace distill
