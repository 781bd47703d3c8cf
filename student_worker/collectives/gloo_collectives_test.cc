#include "student_worker/collectives/gloo_collectives.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>
#include <torch/csrc/autograd/variable.h>

#include <thread>
#include <vector>

#include "student_worker/collectives/fake_key_value_store.h"

namespace distill {
namespace {

// Runs `body` as each rank of a world of `size`, one thread a rank.
template <typename Body>
void RunWorld(int size, Body body) {
  FakeKeyValueStore store;
  std::vector<std::thread> threads;
  for (int rank = 0; rank < size; ++rank) {
    threads.emplace_back([&, rank] {
      GlooOptions options;
      options.rank = rank;
      options.size = size;
      options.bucket_bytes = 32;
      auto world = ConnectGloo(options, &store);
      ASSERT_TRUE(world.ok()) << world.status();
      body(**world);
    });
  }
  for (std::thread& thread : threads) thread.join();
}

TEST(GlooCollectives, SumsAndBroadcastsOverAllRanks) {
  RunWorld(2, [](Collectives& world) {
    std::vector<float> values = {1.0f + world.rank(), 10.0f};
    ASSERT_TRUE(world.AllReduceSum(std::span<float>(values)).ok());
    EXPECT_EQ(values, (std::vector<float>{3.0f, 20.0f}));

    std::vector<double> precise = {1e-12 * (world.rank() + 1)};
    ASSERT_TRUE(world.AllReduceSum(std::span<double>(precise)).ok());
    EXPECT_DOUBLE_EQ(precise[0], 3e-12);

    std::vector<float> mine = {static_cast<float>(world.rank())};
    ASSERT_TRUE(world.Broadcast(std::span<float>(mine), 1).ok());
    EXPECT_EQ(mine[0], 1.0f);
    EXPECT_TRUE(world.Barrier().ok());
  });
}

TEST(GlooCollectives, GradientsAreTheMeanOfAllRanks) {
  RunWorld(2, [](Collectives& world) {
    at::Tensor w = at::ones({3, 4}).set_requires_grad(true);
    at::Tensor v = at::ones({8}).set_requires_grad(true);
    auto reducer = world.MakeGradientReducer({w, v});
    ASSERT_TRUE(reducer.ok()) << reducer.status();
    EXPECT_EQ((*reducer)->BucketBytes().size(), 2u);
    for (int step = 1; step <= 3; ++step) {  // c10d rebuilds its buckets after the first step
      (*reducer)->BeforeForward();
      const at::Tensor loss = (w.sum() + v.sum() * 2) * (step * (world.rank() + 1.0));
      ASSERT_TRUE((*reducer)->Backward(loss).ok());
      EXPECT_TRUE(w.grad().eq(1.5 * step).all().item<bool>());
      EXPECT_TRUE(v.grad().eq(3.0 * step).all().item<bool>());
    }
  });
}

TEST(GlooCollectives, ARankThatNeverComesIsUnavailableAndNotAHang) {
  FakeKeyValueStore store;
  GlooOptions options;
  options.size = 2;
  options.timeout = absl::Milliseconds(200);
  const auto world = ConnectGloo(options, &store);
  EXPECT_EQ(world.status().code(), absl::StatusCode::kUnavailable);
}

TEST(GlooCollectives, ALostPeerEndsAPendingCall) {
  RunWorld(2, [](Collectives& world) {
    if (world.rank() == 1) return;  // its sockets close
    std::vector<float> values(4);
    EXPECT_EQ(world.AllReduceSum(std::span<float>(values)).code(), absl::StatusCode::kUnavailable);
  });
}

TEST(GlooCollectives, AfterAbortEveryCallIsAborted) {
  RunWorld(1, [](Collectives& world) {
    world.Abort();
    std::vector<float> values(4);
    EXPECT_EQ(world.AllReduceSum(std::span<float>(values)).code(), absl::StatusCode::kAborted);
    EXPECT_EQ(world.Barrier().code(), absl::StatusCode::kAborted);
    EXPECT_EQ(world.MakeGradientReducer({}).status().code(), absl::StatusCode::kAborted);
  });
}

TEST(GlooCollectives, ARankOutsideTheWorldIsRefused) {
  FakeKeyValueStore store;
  GlooOptions options;
  options.rank = 2;
  options.size = 2;
  EXPECT_EQ(ConnectGloo(options, &store).status().code(), absl::StatusCode::kInvalidArgument);
}

}  // namespace
}  // namespace distill
