#include "teacher_server/batching/fair_queue.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <map>
#include <random>
#include <set>
#include <utility>
#include <vector>

#include "common/random/test_seed.h"

namespace distill {
namespace {

using ::testing::ElementsAre;

FairItem Item(uint64_t id, uint64_t run, uint64_t stream, int64_t cost = 1, int64_t weight = 1,
              int kind = 0) {
  return {id, run, stream, weight, cost, kind};
}

bool Any(int) { return true; }

std::vector<uint64_t> TakeAll(FairQueue& queue, size_t count = 1000) {
  std::vector<uint64_t> ids;
  while (ids.size() < count) {
    const auto id = queue.Next(Any);
    if (!id.has_value()) break;
    queue.Take(*id);
    ids.push_back(*id);
  }
  return ids;
}

TEST(FairQueue, StreamsOfARunTakeTurnsAndEachKeepsItsOrder) {
  FairQueue queue;
  for (uint64_t id = 1; id <= 4; ++id) queue.Push(Item(id, 1, 7, 2));
  queue.Push(Item(5, 1, 8, 2));
  queue.Push(Item(6, 1, 8, 2));
  EXPECT_THAT(TakeAll(queue), ElementsAre(1, 5, 2, 6, 3, 4));
  EXPECT_EQ(queue.Next(Any), std::nullopt);
}

TEST(FairQueue, ARunOfManyStreamsGetsNoMoreThanARunOfOne) {
  FairQueue queue;
  uint64_t id = 0;
  for (uint64_t stream = 1; stream <= 4; ++stream) {
    for (int i = 0; i < 10; ++i) queue.Push(Item(++id, 1, stream));
  }
  for (int i = 0; i < 20; ++i) queue.Push(Item(100 + i, 2, 1));
  int of_second = 0;
  for (const uint64_t taken : TakeAll(queue, 20)) of_second += taken >= 100;
  EXPECT_EQ(of_second, 10);
}

TEST(FairQueue, CostCountsNotNumber) {
  FairQueue queue;
  for (uint64_t id = 1; id <= 8; ++id) queue.Push(Item(id, 1, 1, 1));
  for (uint64_t id = 101; id <= 102; ++id) queue.Push(Item(id, 1, 2, 4));
  EXPECT_THAT(TakeAll(queue), ElementsAre(1, 2, 3, 101, 4, 5, 6, 7, 102, 8));
}

TEST(FairQueue, ARunsWeightIsItsShare) {
  FairQueue queue;
  for (uint64_t id = 1; id <= 40; ++id) queue.Push(Item(id, 1, 1, 1, 3));
  for (uint64_t id = 101; id <= 140; ++id) queue.Push(Item(id, 2, 1, 1, 1));
  int of_first = 0;
  for (const uint64_t taken : TakeAll(queue, 40)) of_first += taken < 100;
  EXPECT_EQ(of_first, 30);
}

TEST(FairQueue, WhoIsPassedOverForItsKindIsServedFirstAfterwards) {
  FairQueue queue;
  for (uint64_t id = 1; id <= 20; ++id) queue.Push(Item(id, 1, 1, 1, 1, 0));
  for (uint64_t id = 101; id <= 120; ++id) queue.Push(Item(id, 2, 1, 1, 1, 5));
  const auto first_kind = [](int kind) { return kind == 0; };
  for (int i = 0; i < 8; ++i) queue.Take(*queue.Next(first_kind));
  for (const uint64_t taken : TakeAll(queue, 7)) EXPECT_GT(taken, 100u);
}

TEST(FairQueue, WhatIsServedFirstIsForetold) {
  FairQueue queue;
  EXPECT_EQ(queue.CostUntil(Item(1, 1, 1, 5)), 5);
  queue.Push(Item(1, 1, 1, 5));
  queue.Push(Item(2, 1, 2, 100));
  queue.Push(Item(3, 2, 1, 3));
  // Its own 5 + 5, as much of its neighbour, and the 3 of the other run.
  EXPECT_EQ(queue.CostUntil(Item(9, 1, 1, 5)), 10 + 10 + 3);
  EXPECT_EQ(queue.CostUntil(Item(9, 3, 1, 1)), 1 + 1 + 1);
  EXPECT_EQ(queue.CostUntil(Item(9, 3, 1, 4, 2)), 4 + 2 + 2);
}

// Random pushes, takes and removals. Between any two flows that wait throughout, the
// difference of service stays within the stated bound; nothing is lost or doubled.
class FairSimulation {
 public:
  explicit FairSimulation(uint64_t seed) : random_(seed) {
    for (uint64_t run = 0; run < kRuns; ++run) weights_[run] = 1 + Below(4);
  }

  void Run(int events) {
    for (int i = 0; i < events && !testing::Test::HasFailure(); ++i) {
      const int64_t kind = Below(20);
      if (kind < 10) {
        if (items_.size() < 300) Push();
      } else if (kind < 19) {
        Take();
      } else if (!items_.empty()) {
        auto at = items_.lower_bound(static_cast<uint64_t>(Below(next_)));
        if (at == items_.end()) at = items_.begin();
        queue_.Remove(at->first);
        Gone(at->first);
      }
      ASSERT_EQ(queue_.size(), items_.size());
    }
  }

  double worst_runs() const { return worst_runs_; }
  double worst_streams() const { return worst_streams_; }

 private:
  static constexpr uint64_t kRuns = 3;
  static constexpr int64_t kMaxCost = 8;

  // Service since each pair of flows has been waiting together.
  using Flow = uint64_t;
  struct Flows {
    std::map<Flow, int> waiting;
    std::map<std::pair<Flow, Flow>, double> difference;
  };

  int64_t Below(int64_t bound) { return static_cast<int64_t>(random_() % bound); }

  static void Enter(Flows& flows, Flow flow) {
    if (flows.waiting[flow]++ > 0) return;
    for (auto& [pair, difference] : flows.difference) {
      if (pair.first == flow || pair.second == flow) difference = 0;
    }
  }
  static void Leave(Flows& flows, Flow flow) {
    if (--flows.waiting[flow] == 0) flows.waiting.erase(flow);
  }
  // Called while the served item still counts as waiting.
  static double Serve(Flows& flows, Flow served, double amount) {
    double worst = 0;
    for (const auto& [other, count] : flows.waiting) {
      if (other == served) continue;
      const bool first = served < other;
      double& difference =
          flows.difference[first ? std::pair(served, other) : std::pair(other, served)];
      difference += first ? amount : -amount;
      worst = std::max(worst, std::abs(difference));
    }
    return worst;
  }

  void Push() {
    FairItem item;
    item.id = next_++;
    item.run = Below(kRuns);
    item.stream = Below(3);
    item.cost = 1 + Below(kMaxCost);
    item.weight = weights_[item.run];
    queue_.Push(item);
    items_[item.id] = item;
    Enter(runs_, item.run);
    Enter(streams_[item.run], item.stream);
  }

  void Take() {
    const auto id = queue_.Next(Any);
    ASSERT_EQ(id.has_value(), !items_.empty());
    if (!id.has_value()) return;
    ASSERT_TRUE(items_.contains(*id)) << "lost or doubled";
    const FairItem item = items_[*id];
    queue_.Take(*id);
    const double cost = static_cast<double>(item.cost);
    worst_runs_ = std::max(worst_runs_, Serve(runs_, item.run, cost / item.weight));
    worst_streams_ = std::max(worst_streams_, Serve(streams_[item.run], item.stream, cost));
    // 2 + max / w + max / w', with the lightest weights there are.
    const double bound = 2 + 2.0 * kMaxCost;
    EXPECT_LT(worst_runs_, bound) << "between runs";
    EXPECT_LT(worst_streams_, bound) << "between streams";
    Gone(*id);
  }

  void Gone(uint64_t id) {
    const FairItem item = items_[id];
    Leave(runs_, item.run);
    Leave(streams_[item.run], item.stream);
    items_.erase(id);
  }

  std::mt19937_64 random_;
  FairQueue queue_;
  uint64_t next_ = 1;
  std::map<uint64_t, int64_t> weights_;
  std::map<uint64_t, FairItem> items_;
  Flows runs_;
  std::map<uint64_t, Flows> streams_;
  double worst_runs_ = 0;
  double worst_streams_ = 0;
};

TEST(FairQueue, OverRandomEventsServiceStaysWithinTheBound) {
  const uint64_t seed = TestSeed();
  for (uint64_t run = 0; run < 10; ++run) {
    SCOPED_TRACE(testing::Message() << "seed " << seed << " run " << run);
    FairSimulation simulation(seed + run);
    simulation.Run(100'000);
    if (HasFailure()) return;
    std::cout << "largest difference of service between runs " << simulation.worst_runs()
              << ", between streams " << simulation.worst_streams() << ", bound 18\n";
  }
}

}  // namespace
}  // namespace distill
