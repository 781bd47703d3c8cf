#include "coordinator/service/decisions/rendezvous.h"

#include <gtest/gtest.h>

#include <optional>
#include <thread>

namespace distill {
namespace {

const Rendezvous::Scope kWorld = {"run", 1};
using Strings = std::vector<std::string>;

class RendezvousTest : public ::testing::Test {
 protected:
  RendezvousTest() { store_.SetWorlds({kWorld}); }
  uint64_t Get(const Strings& keys, const Rendezvous::Scope& scope = kWorld) {
    return store_.Get(scope, keys, [this](Rendezvous::Values values) { answer_ = values; });
  }

  Rendezvous store_;
  std::optional<Rendezvous::Values> answer_;
};

TEST_F(RendezvousTest, AGetWaitsUntilEveryKeyIsThere) {
  EXPECT_NE(Get({"b", "a"}), 0u);
  EXPECT_TRUE(store_.Set(kWorld, "a", "1").ok());
  EXPECT_FALSE(answer_.has_value());
  EXPECT_TRUE(store_.Set(kWorld, "b", "2").ok());
  EXPECT_EQ(**answer_, (Strings{"2", "1"}));
  EXPECT_EQ(Get({"a"}), 0u);
  EXPECT_EQ(**answer_, Strings{"1"});
}

TEST_F(RendezvousTest, AddStartsAtZeroKeepsDecimalTextAndWakesWaiters) {
  Get({"n"});
  EXPECT_EQ(*store_.Add(kWorld, "n", 5), 5);
  EXPECT_EQ(**answer_, Strings{"5"});
  EXPECT_EQ(*store_.Add(kWorld, "n", -7), -2);
  ASSERT_TRUE(store_.Set(kWorld, "x", "text").ok());
  EXPECT_EQ(store_.Add(kWorld, "x", 1).status().code(), absl::StatusCode::kInvalidArgument);
}

TEST_F(RendezvousTest, AWorldThatEndsAbortsItsWaitersAndForgetsItsKeys) {
  ASSERT_TRUE(store_.Set(kWorld, "a", "1").ok());
  Get({"b"});
  store_.SetWorlds({{"run", 2}});
  EXPECT_EQ(answer_->status().code(), absl::StatusCode::kAborted);
  EXPECT_EQ(store_.Set(kWorld, "a", "1").code(), absl::StatusCode::kAborted);
  EXPECT_EQ(store_.Add(kWorld, "a", 1).status().code(), absl::StatusCode::kAborted);
  EXPECT_NE(Get({"a"}, {"run", 2}), 0u);
}

TEST_F(RendezvousTest, CancelAnswersOnce) {
  const uint64_t waiter = Get({"a"});
  store_.Cancel(waiter);
  EXPECT_EQ(answer_->status().code(), absl::StatusCode::kDeadlineExceeded);
  answer_.reset();
  store_.Cancel(waiter);
  EXPECT_TRUE(store_.Set(kWorld, "a", "1").ok());
  EXPECT_FALSE(answer_.has_value());
}

TEST_F(RendezvousTest, TheStoreIsBounded) {
  const std::string big(Rendezvous::kMaxBytes - 10, 'x');
  EXPECT_TRUE(store_.Set(kWorld, "a", big).ok());
  EXPECT_TRUE(store_.Set(kWorld, "a", big).ok());
  EXPECT_EQ(store_.Set(kWorld, "b", "123456789").code(), absl::StatusCode::kResourceExhausted);
}

TEST_F(RendezvousTest, ConcurrentAddsAreAllCounted) {
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([this] {
      for (int i = 0; i < 1000; ++i) ASSERT_TRUE(store_.Add(kWorld, "n", 1).ok());
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(*store_.Add(kWorld, "n", 0), 4000);
}

}  // namespace
}  // namespace distill
