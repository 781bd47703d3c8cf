// Ranks that set, add, wait and give up while worlds come and go. For TSan, and for what must
// hold however they meet.
#include <gtest/gtest.h>

#include <atomic>
#include <cstdint>
#include <random>
#include <set>
#include <string>

#include "absl/status/status.h"
#include "common/executor/stress_threads.h"
#include "common/random/test_seed.h"
#include "coordinator/service/decisions/rendezvous.h"

namespace distill {
namespace {

constexpr int kRanks = 6;
constexpr int kCallsOfEach = 2000;
constexpr uint64_t kKeys = 5;

class RendezvousStressTest : public ::testing::Test {
 protected:
  void RunRank(uint64_t seed) {
    std::mt19937_64 random(seed);
    uint64_t waiter = 0;
    for (int call = 0; call < kCallsOfEach; ++call) {
      // "counted" stays; of "run" there is a new world again and again.
      if (random() % 16 == 0) rendezvous_.SetWorlds({{"counted", 1}, {"run", ++generation_}});
      const Rendezvous::Scope scope{"run", generation_};
      const std::string key = std::to_string(random() % kKeys);
      switch (random() % 4) {
        case 0: {
          const absl::Status set = rendezvous_.Set(scope, key, "value of " + key);
          EXPECT_TRUE(set.ok() || absl::IsAborted(set)) << set;
          break;
        }
        case 1:
          added_ += rendezvous_.Add({"counted", 1}, "count", 1).ok();
          break;
        case 2:
          rendezvous_.Cancel(waiter);
          break;
        default:
          ++asked_;
          waiter = rendezvous_.Get(scope, {key, std::to_string(random() % kKeys)},
                                   [this, key](const Rendezvous::Values& values) {
                                     ++answered_;
                                     if (values.ok()) {
                                       EXPECT_EQ((*values)[0], "value of " + key);
                                     }
                                   });
      }
    }
  }
  Rendezvous rendezvous_;
  std::atomic<uint64_t> generation_{1};
  std::atomic<int64_t> added_{0};
  std::atomic<int64_t> asked_{0};
  std::atomic<int64_t> answered_{0};
};

TEST_F(RendezvousStressTest, EveryGetIsAnsweredOnceAndEveryAddCounts) {
  const uint64_t seed = TestSeed();
  rendezvous_.SetWorlds({{"counted", 1}, {"run", generation_}});
  StressThreads threads;
  for (int i = 0; i < kRanks; ++i) {
    threads.Start("rank " + std::to_string(i), [this, seed, i] { RunRank(seed + i); });
  }
  threads.Join();
  const auto count = rendezvous_.Add({"counted", 1}, "count", 0);
  ASSERT_TRUE(count.ok()) << count.status();
  EXPECT_EQ(*count, added_);
  rendezvous_.SetWorlds({});
  EXPECT_EQ(answered_, asked_);
}

}  // namespace
}  // namespace distill
