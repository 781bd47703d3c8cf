#include "distillation/order/order.h"

#include <gtest/gtest.h>

#include <map>
#include <set>

#include "common/random/test_seed.h"

namespace distill {
namespace {

OrderOptions Options(uint64_t examples, uint64_t batch) {
  OrderOptions options;
  options.seed = 11;
  options.examples = examples;
  options.global_batch_size = batch;
  return options;
}

// The global batch of a step as the ranks of a world see it, in rank order.
std::vector<ExampleView> Batch(Order& order, int64_t step, uint32_t world_size) {
  std::vector<ExampleView> batch;
  for (uint32_t rank = 0; rank < world_size; ++rank) {
    const auto slice = order.Slice(step, rank, world_size);
    EXPECT_TRUE(slice.ok()) << slice.status();
    batch.insert(batch.end(), slice->begin(), slice->end());
  }
  return batch;
}

TEST(Order, AnEpochVisitsEachExampleAtMostOnceAndAllButTheRemainder) {
  OrderOptions options = Options(103, 10);
  options.seed = TestSeed();
  Order order = *Order::Create(options);
  EXPECT_EQ(order.steps_per_epoch(), 10);
  std::set<uint64_t> seen;
  for (int64_t step = 0; step < 10; ++step) {
    for (const ExampleView& view : Batch(order, step, 2)) {
      EXPECT_TRUE(seen.insert(view.example_id).second) << view.example_id;
      EXPECT_LT(view.example_id, 103u);
    }
  }
  EXPECT_EQ(seen.size(), 100u);
}

TEST(Order, TheBatchIsTheSameForAnyWorldSizeAndInAnyOrderOfAsking) {
  OrderOptions options = Options(240, 24);
  options.view.set_horizontal_flip(true);
  Order forwards = *Order::Create(options);
  Order backwards = *Order::Create(options);
  std::map<int64_t, std::vector<ExampleView>> batches;
  for (int64_t step = 0; step < 25; ++step) batches[step] = Batch(forwards, step, 1);
  for (int64_t step = 24; step >= 0; --step) {
    for (const uint32_t world_size : {1, 2, 3, 8}) {
      EXPECT_EQ(Batch(backwards, step, world_size), batches[step]) << step;
    }
  }
}

TEST(Order, EpochsAndSeedsDiffer) {
  Order order = *Order::Create(Options(1000, 100));
  OrderOptions other_options = Options(1000, 100);
  other_options.seed = 12;
  Order other = *Order::Create(other_options);
  EXPECT_NE(Batch(order, 0, 1), Batch(order, 10, 1));
  EXPECT_NE(Batch(order, 0, 1), Batch(other, 0, 1));
}

TEST(Order, UnaugmentedViewsHaveTheSeedZeroAndAugmentedOnesNever) {
  Order plain = *Order::Create(Options(100, 50));
  OrderOptions options = Options(100, 50);
  options.view.set_max_shift_pixels(2);
  Order augmented = *Order::Create(options);
  for (const ExampleView& view : Batch(plain, 0, 1)) EXPECT_EQ(view.view_seed, 0u);
  for (const ExampleView& view : Batch(augmented, 0, 1)) EXPECT_NE(view.view_seed, 0u);
}

TEST(Order, ViewsPerExampleBoundsHowManyViewsAnExampleHas) {
  OrderOptions options = Options(10, 10);
  options.view.set_horizontal_flip(true);
  options.view.set_views_per_example(3);
  Order order = *Order::Create(options);
  std::map<uint64_t, std::set<uint64_t>> views;
  for (int64_t step = 0; step < 30; ++step) {
    for (const ExampleView& view : Batch(order, step, 1)) {
      views[view.example_id].insert(view.view_seed);
      EXPECT_EQ(view.view_seed, ViewSeedOf(options.seed, step % 3, view.example_id));
    }
  }
  for (const auto& [id, seeds] : views) EXPECT_EQ(seeds.size(), 3u) << id;
}

TEST(Order, ABatchThatDoesNotFitIsRefused) {
  EXPECT_EQ(Order::Create(Options(9, 10)).status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(Order::Create(Options(9, 0)).status().code(), absl::StatusCode::kInvalidArgument);
  Order order = *Order::Create(Options(100, 10));
  EXPECT_EQ(order.Slice(0, 0, 3).status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(order.Slice(0, 2, 2).status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(order.Slice(-1, 0, 1).status().code(), absl::StatusCode::kInvalidArgument);
}

}  // namespace
}  // namespace distill
