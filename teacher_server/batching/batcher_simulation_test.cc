// The batcher against a million random events in virtual time.
#include <gtest/gtest.h>

#include <array>
#include <cmath>
#include <iostream>
#include <map>
#include <random>
#include <set>
#include <utility>
#include <vector>

#include "common/random/test_seed.h"
#include "teacher_server/batching/batcher.h"
#include "teacher_server/batching/shape_bucket.h"

namespace distill {
namespace {

struct Scenario {
  const char* name = "";
  // One kind of request, so that the bound on fairness applies; else lengths and exact
  // requests are mixed.
  bool one_kind = true;
  // The device computes in order and takes just the predicted time; else batches end
  // in any order after any time.
  bool truthful = true;
  int max_in_flight = 2;
  // Mean time between arrivals.
  absl::Duration arrivals;
  // Of the three runs.
  std::array<int64_t, 3> weights = {100, 200, 300};
};

// Rounding of the moving averages.
constexpr absl::Duration kRounding = absl::Nanoseconds(100);

class Simulation {
 public:
  Simulation(const Scenario& scenario, uint64_t seed)
      : scenario_(scenario), random_(seed), options_(Options(scenario)), batcher_(options_) {
    if (scenario_.truthful) Teach();
  }

  void Run(int events) {
    for (int i = 0; i < events && !testing::Test::HasFailure(); ++i) Step();
    batcher_.Drain();
    draining_ = true;
    Settle();
    while (!flights_.empty() && !testing::Test::HasFailure()) {
      now_ = std::max(now_, flights_.front().end);
      CompleteOne(0);
      Settle();
    }
    EXPECT_TRUE(waiting_.empty()) << "lost";
    EXPECT_EQ(batcher_.waiting_examples(), 0);
  }

  void Print() const {
    std::cout << scenario_.name << ": " << added_ << " added, " << refused_ << " refused, "
              << expired_ << " expired, " << cancelled_ << " cancelled, " << sent_ << " sent ("
              << late_ << " late); promised " << promised_;
    for (const auto& [reason, count] : reasons_) {
      std::cout << ", " << BatchReasonName(reason) << " " << count;
    }
    if (scenario_.one_kind) std::cout << "; largest unfairness " << unfairness_;
    std::cout << "\n";
  }

 private:
  struct Waiting {
    BatchRequest request;
    absl::Duration arrival;
    // What had to be computed before it was done, when it came.
    absl::Duration ahead;
    // all_work_ when it had come.
    absl::Duration all_work;
  };
  struct Flight {
    uint64_t id = 0;
    int64_t examples = 0;
    absl::Duration begin;
    absl::Duration end;
  };

  static BatcherOptions Options(const Scenario& scenario) {
    BatcherOptions options;
    options.max_batch_examples = 8;
    options.max_queue_examples = 64;
    options.max_in_flight = scenario.max_in_flight;
    return options;
  }

  int64_t Below(int64_t bound) { return static_cast<int64_t>(random_() % bound); }

  // A straight cost, so that predictions are exact.
  static absl::Duration Cost(int64_t examples, int64_t length) {
    return absl::Microseconds(500) +
           absl::Microseconds(100) * examples * BucketLength(ShapeBucket(length));
  }
  static absl::Duration Alone(const BatchRequest& request) {
    return Cost(request.examples, request.length);
  }
  absl::Duration BusyUntil() const {
    return flights_.empty() ? now_ : std::max(now_, flights_.back().end);
  }

  void Teach() {
    for (const int64_t length :
         scenario_.one_kind ? std::vector<int64_t>{0} : std::vector<int64_t>{0, 1, 2, 3, 4}) {
      for (const int64_t examples : {1, 8}) {
        BatchRequest request;
        request.id = next_id_++;
        request.examples = examples;
        request.length = length;
        ASSERT_TRUE(batcher_.Add(request, now_).ok());
        batcher_.Complete(batcher_.Next(now_)->id, Cost(examples, length), now_);
      }
    }
  }

  // Whatever comes first: an arrival, a completion, a wakeup.
  void Step() {
    absl::Duration next = next_arrival_;
    enum { kArrival, kCompletion, kWakeup } what = kArrival;
    if (!flights_.empty() && flights_.front().end < next) {
      what = kCompletion;
      next = flights_.front().end;
    }
    if (const absl::Duration wakeup = batcher_.NextWakeup(); wakeup < next) {
      what = kWakeup;
      next = wakeup;
    }
    ASSERT_GE(next, now_) << "settled, and yet something was to do";
    now_ = next;
    const int64_t before = sent_batches_ + expired_;
    if (what == kArrival) {
      next_arrival_ = now_ + Below(2000) * scenario_.arrivals / 1000;
      Arrive();
    } else if (what == kCompletion) {
      CompleteOne(0);
    }
    Settle();
    EXPECT_TRUE(what != kWakeup || sent_batches_ + expired_ > before) << "woken for nothing";
  }

  void Arrive() {
    if (Below(20) == 0 && !waiting_.empty()) {
      auto at = waiting_.lower_bound(static_cast<uint64_t>(Below(next_id_)));
      if (at == waiting_.end()) at = waiting_.begin();
      ASSERT_TRUE(batcher_.Cancel(at->first));
      ++cancelled_;
      Leave(at->first);
      return;
    }
    BatchRequest request;
    request.id = next_id_++;
    request.run = Below(3);
    request.stream = Below(3);
    request.weight = scenario_.weights[request.run];
    request.examples = 1 + Below(4);
    if (!scenario_.one_kind) {
      request.length = Below(5);
      request.exact = Below(10) == 0;
    }
    if (Below(2) == 0) request.deadline = now_ + absl::Microseconds(1 + Below(20'000));
    Add(request);
  }

  void Add(const BatchRequest& request) {
    Waiting entry{request, now_, BusyUntil() - now_ + Alone(request), {}};
    entry.ahead += alone_;
    ShedReason shed = ShedReason::kExpired;
    const absl::Status added = batcher_.Add(request, now_, &shed);
    if (!added.ok()) {
      ++refused_;
      ASSERT_EQ(added.code(), absl::StatusCode::kResourceExhausted) << added;
      if (scenario_.truthful && shed == ShedReason::kTooLate) {
        EXPECT_GT(RefusedFrom(entry) + kRounding, request.deadline) << "it could be met";
      }
      return;
    }
    ++added_;
    all_work_ += Alone(request);
    entry.all_work = all_work_;
    waiting_[request.id] = entry;
    Count(request, 1);
    Enter(runs_, request.run);
    Enter(streams_[request.run], request.stream);
  }

  // The latest deadline for which a request may be refused as too late.
  absl::Duration RefusedFrom(const Waiting& entry) const {
    int64_t units = Units(entry.request);
    for (const auto& [id, other] : waiting_) units += Units(other.request);
    const int64_t most = options_.max_batch_examples;
    if (Work() + entry.request.examples < most) return now_ + entry.ahead;
    const int64_t batch = most * BucketLength(ShapeBucket(entry.request.length));
    const int64_t batches = (units + batch - 1) / batch;
    return std::max(now_ + entry.ahead, BusyUntil() + batches * Cost(most, entry.request.length));
  }
  // Examples that wait or are in flight.
  int64_t Work() const {
    int64_t work = waiting_examples_;
    for (const Flight& flight : flights_) work += flight.examples;
    return work;
  }
  static int64_t Units(const BatchRequest& request) {
    return request.examples * BucketLength(ShapeBucket(request.length));
  }

  // By the guarantee in batcher.h.
  bool Promised(const Waiting& entry) const {
    const absl::Duration later = all_work_ - entry.all_work;
    return entry.arrival + entry.ahead + later + kRounding <= entry.request.deadline;
  }

  void CompleteOne(size_t index) {
    const Flight flight = flights_[index];
    flights_.erase(flights_.begin() + static_cast<int64_t>(index));
    batcher_.Complete(flight.id, flight.end - flight.begin, now_);
  }

  void Settle() {
    while (true) {
      // Next drops what is late by itself; but then its choice is judged without that.
      if (!scenario_.truthful) Expire();
      Remember();
      const bool idle = flights_.empty();
      const std::optional<Batch> batch = batcher_.Next(now_);
      if (!batch.has_value()) break;
      CheckMembers(*batch, idle);
      CheckReason(*batch, idle);
      Send(*batch);
    }
    Expire();
    EXPECT_TRUE(!flights_.empty() || waiting_.empty()) << "the device idles and something waits";
    EXPECT_EQ(batcher_.waiting_requests(), waiting_.size());
  }

  // What Next is about to see.
  void Remember() {
    start_ = BusyUntil();
    loaded_ = Work() >= options_.max_batch_examples;
    examples_ = by_bucket_;
  }
  // The latest deadline for which a request may be dropped: it would be late alone, or
  // would have been in the batch of all that waited.
  absl::Duration DroppedFrom(const BatchRequest& request) {
    const absl::Duration alone = BusyUntil() + Alone(request);
    if (!loaded_ || request.exact) return alone;
    const int64_t waited = examples_[ShapeBucket(request.length)];
    const int64_t most = std::min(options_.max_batch_examples, waited);
    return std::max(alone, start_ + Cost(most, request.length));
  }

  void Expire() {
    for (const uint64_t id : batcher_.TakeExpired(now_)) {
      ASSERT_TRUE(waiting_.contains(id)) << "lost or doubled";
      const Waiting& entry = waiting_[id];
      if (scenario_.truthful) {
        EXPECT_FALSE(Promised(entry)) << "a deadline missed that could have been met";
        EXPECT_LT(entry.request.deadline, DroppedFrom(entry.request) + kRounding);
      }
      ++expired_;
      Leave(id);
    }
  }

  void CheckMembers(const Batch& batch, bool idle) {
    const absl::Duration done = BusyUntil() + Cost(batch.examples, batch.length);
    int64_t examples = 0;
    absl::Duration queue_time;
    for (const BatchRequest& request : batch.requests) {
      ASSERT_TRUE(waiting_.contains(request.id)) << "lost or doubled";
      const Waiting& entry = waiting_[request.id];
      EXPECT_GT(request.deadline, now_) << "computed after its deadline";
      EXPECT_EQ(ShapeBucket(request.length), ShapeBucket(batch.length));
      EXPECT_LE(request.length, batch.length);
      EXPECT_TRUE(!request.exact || batch.requests.size() == 1);
      if (scenario_.truthful && done > request.deadline + kRounding) {
        ++late_;
        EXPECT_TRUE(idle && batch.requests.size() == 1) << "computed in vain";
        EXPECT_FALSE(Promised(entry)) << "a deadline missed that could have been met";
      }
      promised_ += Promised(entry);
      examples += request.examples;
      queue_time = std::max(queue_time, now_ - entry.arrival);
    }
    EXPECT_EQ(examples, batch.examples);
    EXPECT_EQ(queue_time, batch.queue_time);
    EXPECT_GE(batch.padding, 0);
    EXPECT_LT(batch.padding, 0.2);
    EXPECT_LE(examples, options_.max_batch_examples);
  }

  void CheckReason(const Batch& batch, bool idle) {
    ++reasons_[batch.reason];
    std::set<uint64_t> members;
    absl::Duration tightest = absl::InfiniteDuration();
    for (const BatchRequest& request : batch.requests) {
      members.insert(request.id);
      tightest = std::min(tightest, request.deadline);
    }
    // Those that did not come along; some may have been dropped meanwhile.
    std::vector<BatchRequest> left;
    bool none_left = true;
    for (const auto& [id, entry] : waiting_) {
      const BatchRequest& request = entry.request;
      const bool same = ShapeBucket(request.length) == ShapeBucket(batch.length);
      if (!same || request.exact || members.contains(id)) continue;
      left.push_back(request);
      const bool may_be_dropped = scenario_.truthful
                                      ? request.deadline < DroppedFrom(request) + kRounding
                                      : loaded_ && request.deadline < absl::InfiniteDuration();
      none_left &= may_be_dropped;
    }
    const auto some_left = [&](auto condition) {
      return std::any_of(left.begin(), left.end(), condition);
    };
    const int64_t most = options_.max_batch_examples;
    switch (batch.reason) {
      case BatchReason::kFull:
        EXPECT_TRUE(batch.examples == most || some_left([&](const BatchRequest& request) {
                      return batch.examples + request.examples > most;
                    }));
        return;
      case BatchReason::kExact:
        EXPECT_TRUE(batch.requests.front().exact);
        return;
      case BatchReason::kDeadline: {
        if (!scenario_.truthful) return;
        const absl::Duration start = BusyUntil();
        if (left.empty()) {
          EXPECT_GE(start + Cost(batch.examples, batch.length) + kRounding, tightest);
          return;
        }
        EXPECT_TRUE(some_left([&](const BatchRequest& request) {
          return start + Cost(batch.examples + request.examples, request.length) + kRounding >
                 std::min(tightest, request.deadline);
        }));
        return;
      }
      case BatchReason::kIdle:
        EXPECT_TRUE(idle && none_left);
        return;
      case BatchReason::kDelay:
        EXPECT_TRUE(!idle && none_left);
        EXPECT_GE(batch.queue_time, options_.max_queue_delay);
        return;
      case BatchReason::kDrain:
        EXPECT_TRUE(draining_ && none_left);
        return;
    }
  }

  void Send(const Batch& batch) {
    const absl::Duration begin = BusyUntil();
    const absl::Duration cost =
        scenario_.truthful ? Cost(batch.examples, batch.length) : absl::Microseconds(Below(3000));
    Flight flight{batch.id, batch.examples, begin, begin + cost};
    if (!scenario_.truthful) flight = {batch.id, batch.examples, now_, now_ + cost};
    flights_.push_back(flight);
    if (!scenario_.truthful) {
      std::sort(flights_.begin(), flights_.end(),
                [](const Flight& a, const Flight& b) { return a.end < b.end; });
    }
    EXPECT_LE(static_cast<int>(flights_.size()), options_.max_in_flight);
    ++sent_batches_;
    // Who has nothing left after this did not wait throughout.
    Expire();
    for (const BatchRequest& request : batch.requests) {
      Serve(runs_, request.run, static_cast<double>(request.examples));
      Serve(streams_[request.run], request.stream, static_cast<double>(request.examples));
      ++sent_;
      Leave(request.id);
    }
  }

  // Service since each two flows have been waiting together, by weight.
  struct Flows {
    std::map<uint64_t, int> waiting;
    std::map<std::pair<uint64_t, uint64_t>, double> difference;
  };
  static void Enter(Flows& flows, uint64_t flow) {
    if (flows.waiting[flow]++ > 0) return;
    for (auto& [pair, difference] : flows.difference) {
      if (pair.first == flow || pair.second == flow) difference = 0;
    }
  }
  double ShareOf(const Flows& flows, uint64_t flow) const {
    if (&flows != &runs_) return 1;
    return static_cast<double>(scenario_.weights[flow]) / static_cast<double>(kUsualWeight);
  }
  void Serve(Flows& flows, uint64_t served, double examples) {
    const double amount = examples / ShareOf(flows, served);
    for (const auto& [other, count] : flows.waiting) {
      if (other == served) continue;
      const bool first = served < other;
      double& difference =
          flows.difference[first ? std::pair(served, other) : std::pair(other, served)];
      difference += first ? amount : -amount;
      if (!scenario_.one_kind) continue;
      unfairness_ = std::max(unfairness_, std::abs(difference));
      // As fair_queue.h says, for requests of 4.
      EXPECT_LT(std::abs(difference), 2 + 4 / ShareOf(flows, served) + 4 / ShareOf(flows, other));
    }
  }
  void Leave(uint64_t id) {
    const BatchRequest request = waiting_[id].request;
    for (auto [flows, flow] :
         {std::pair(&runs_, request.run), std::pair(&streams_[request.run], request.stream)}) {
      if (--flows->waiting[flow] == 0) flows->waiting.erase(flow);
    }
    Count(request, -1);
    waiting_.erase(id);
  }
  void Count(const BatchRequest& request, int sign) {
    alone_ += sign * Alone(request);
    waiting_examples_ += sign * request.examples;
    if (!request.exact) by_bucket_[ShapeBucket(request.length)] += sign * request.examples;
  }

  const Scenario scenario_;
  std::mt19937_64 random_;
  const BatcherOptions options_;
  Batcher batcher_;
  bool draining_ = false;
  absl::Duration now_ = absl::Seconds(1);
  absl::Duration next_arrival_ = absl::Seconds(1);
  uint64_t next_id_ = 1;
  std::map<uint64_t, Waiting> waiting_;
  // By their end.
  std::vector<Flight> flights_;
  absl::Duration all_work_;
  // Of what waits: each alone, all together, and by bucket without exact ones.
  absl::Duration alone_;
  int64_t waiting_examples_ = 0;
  std::map<int, int64_t> by_bucket_;
  // As Remember found it.
  absl::Duration start_;
  bool loaded_ = false;
  std::map<int, int64_t> examples_;
  Flows runs_;
  std::map<uint64_t, Flows> streams_;
  std::map<BatchReason, int64_t> reasons_;
  int64_t added_ = 0;
  int64_t refused_ = 0;
  int64_t expired_ = 0;
  int64_t cancelled_ = 0;
  int64_t sent_ = 0;
  int64_t sent_batches_ = 0;
  int64_t late_ = 0;
  int64_t promised_ = 0;
  double unfairness_ = 0;
};

TEST(BatcherSimulation, OverAMillionEventsEveryInvariantHolds) {
  const uint64_t seed = TestSeed();
  const absl::Duration busy = absl::Microseconds(400);
  const absl::Duration calm = absl::Microseconds(1500);
  const std::vector<Scenario> scenarios = {
      {"one kind, overload", true, true, 2, busy},
      {"one kind, calm", true, true, 2, calm},
      {"one kind, one in flight", true, true, 1, busy},
      {"mixed, overload", false, true, 2, busy},
      {"mixed, calm", false, true, 3, calm},
      {"one kind, shares far apart", true, true, 2, busy, {25, 100, 1000}},
      {"one kind, wild device", true, false, 2, busy},
      {"mixed, wild device", false, false, 3, busy},
  };
  for (const Scenario& scenario : scenarios) {
    SCOPED_TRACE(testing::Message() << "seed " << seed << ", " << scenario.name);
    Simulation simulation(scenario, seed);
    simulation.Run(150'000);
    simulation.Print();
    if (HasFailure()) return;
  }
}

}  // namespace
}  // namespace distill
