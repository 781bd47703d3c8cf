#include "teacher_server/batching/batcher.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <random>

#include "common/random/test_seed.h"

namespace distill {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

constexpr absl::Duration kNow = absl::Seconds(1);

BatcherOptions Small() {
  BatcherOptions options;
  options.max_batch_examples = 8;
  options.max_queue_examples = 20;
  return options;
}

BatchRequest Request(uint64_t id, int64_t examples, uint64_t stream = 1) {
  BatchRequest request;
  request.id = id;
  request.stream = stream;
  request.examples = examples;
  return request;
}

std::vector<uint64_t> Ids(const std::optional<Batch>& batch) {
  std::vector<uint64_t> ids;
  if (batch.has_value()) {
    for (const BatchRequest& request : batch->requests) ids.push_back(request.id);
  }
  return ids;
}

// A batcher whose device has one batch in flight, so that it may wait for more.
Batcher Busy(const BatcherOptions& options, absl::Duration compute = absl::ZeroDuration()) {
  Batcher batcher(options);
  EXPECT_TRUE(batcher.Add(Request(1000, 1), kNow).ok());
  batcher.Complete(batcher.Next(kNow)->id, compute);
  EXPECT_TRUE(batcher.Add(Request(1001, 1), kNow).ok());
  EXPECT_TRUE(batcher.Next(kNow).has_value());
  return batcher;
}

TEST(Batcher, AnIdleDeviceGetsWhatIsThereAtOnce) {
  Batcher batcher(Small());
  ASSERT_TRUE(batcher.Add(Request(1, 2), kNow).ok());
  EXPECT_LE(batcher.NextWakeup(), kNow);
  const auto batch = batcher.Next(kNow + absl::Milliseconds(1));
  EXPECT_THAT(Ids(batch), ElementsAre(1));
  EXPECT_EQ(batch->reason, BatchReason::kIdle);
  EXPECT_EQ(batch->queue_time, absl::Milliseconds(1));
}

TEST(Batcher, ABusyDeviceWaitsForMoreUntilTheDelay) {
  Batcher batcher = Busy(Small());
  ASSERT_TRUE(batcher.Add(Request(1, 2), kNow).ok());
  EXPECT_FALSE(batcher.Next(kNow).has_value());
  EXPECT_EQ(batcher.NextWakeup(), kNow + absl::Milliseconds(2));
  EXPECT_EQ(batcher.Next(batcher.NextWakeup())->reason, BatchReason::kDelay);
}

TEST(Batcher, AFullBatchDoesNotWaitAndLeavesTheRest) {
  Batcher batcher = Busy(Small());
  for (uint64_t id = 1; id <= 3; ++id) ASSERT_TRUE(batcher.Add(Request(id, 4), kNow).ok());
  const auto batch = batcher.Next(kNow);
  EXPECT_THAT(Ids(batch), ElementsAre(1, 2));
  EXPECT_EQ(batch->reason, BatchReason::kFull);
  EXPECT_FALSE(batcher.Next(kNow).has_value()) << "two are in flight";
}

TEST(Batcher, SendsInTimeForTheTightestDeadline) {
  Batcher batcher = Busy(Small(), /*compute=*/absl::Milliseconds(10));
  BatchRequest request = Request(1, 1);
  request.deadline = kNow + absl::Microseconds(10500);
  ASSERT_TRUE(batcher.Add(request, kNow).ok());
  EXPECT_FALSE(batcher.Next(kNow).has_value());
  EXPECT_EQ(batcher.NextWakeup(), kNow + absl::Microseconds(500));
  EXPECT_EQ(batcher.Next(batcher.NextWakeup())->reason, BatchReason::kDeadline);
}

TEST(Batcher, AnExactRequestIsABatchOfItsOwn) {
  Batcher batcher(Small());
  BatchRequest exact = Request(2, 2, 2);
  exact.exact = true;
  ASSERT_TRUE(batcher.Add(Request(1, 2, 1), kNow).ok());
  ASSERT_TRUE(batcher.Add(exact, kNow).ok());
  ASSERT_TRUE(batcher.Add(Request(3, 2, 3), kNow).ok());
  EXPECT_THAT(Ids(batcher.Next(kNow)), ElementsAre(1));
  const auto batch = batcher.Next(kNow);
  EXPECT_THAT(Ids(batch), ElementsAre(2));
  EXPECT_EQ(batch->reason, BatchReason::kExact);
}

TEST(Batcher, StreamsTakeTurns) {
  Batcher batcher = Busy(Small());
  for (uint64_t id = 1; id <= 4; ++id) ASSERT_TRUE(batcher.Add(Request(id, 2, 7), kNow).ok());
  ASSERT_TRUE(batcher.Add(Request(5, 2, 8), kNow).ok());
  EXPECT_THAT(Ids(batcher.Next(kNow)), ElementsAre(1, 5, 2, 3));
}

TEST(Batcher, WorkWhoseTimeHasPassedIsDroppedBeforeCompute) {
  Batcher batcher = Busy(Small());
  BatchRequest request = Request(1, 2);
  request.deadline = kNow + absl::Milliseconds(1);
  ASSERT_TRUE(batcher.Add(request, kNow).ok());
  EXPECT_THAT(batcher.TakeExpired(kNow), IsEmpty());
  EXPECT_THAT(batcher.TakeExpired(request.deadline), ElementsAre(1));
  EXPECT_EQ(batcher.waiting_examples(), 0);
}

TEST(Batcher, RefusesByNameWhatItCannotTake) {
  Batcher batcher(Small());
  EXPECT_EQ(batcher.Add(Request(1, 0), kNow).code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(batcher.Add(Request(1, 9), kNow).code(), absl::StatusCode::kInvalidArgument);
  BatchRequest late = Request(1, 1);
  late.deadline = kNow;
  EXPECT_EQ(batcher.Add(late, kNow).code(), absl::StatusCode::kDeadlineExceeded);
  for (uint64_t id = 1; id <= 5; ++id) ASSERT_TRUE(batcher.Add(Request(id, 4), kNow).ok());
  EXPECT_EQ(batcher.Add(Request(3, 1), kNow).code(), absl::StatusCode::kAlreadyExists);
  EXPECT_EQ(batcher.Add(Request(6, 1), kNow).code(), absl::StatusCode::kResourceExhausted);
  EXPECT_GT(batcher.RetryAfter(), absl::ZeroDuration());
}

TEST(Batcher, ADrainSendsWhatWaitsAndRefusesMore) {
  Batcher batcher = Busy(Small());
  ASSERT_TRUE(batcher.Add(Request(1, 2), kNow).ok());
  batcher.Drain();
  EXPECT_EQ(batcher.Add(Request(2, 2), kNow).code(), absl::StatusCode::kUnavailable);
  EXPECT_EQ(batcher.Next(kNow)->reason, BatchReason::kDrain);
}

TEST(Batcher, ACancelledRequestIsNotSent) {
  Batcher batcher(Small());
  ASSERT_TRUE(batcher.Add(Request(1, 2), kNow).ok());
  EXPECT_TRUE(batcher.Cancel(1));
  EXPECT_FALSE(batcher.Cancel(1));
  EXPECT_FALSE(batcher.Next(kNow).has_value());
  EXPECT_EQ(batcher.NextWakeup(), absl::InfiniteDuration());
}

TEST(Batcher, OptionsThatCannotWorkAreRefused) {
  BatcherOptions options = Small();
  options.max_queue_examples = 7;
  EXPECT_FALSE(options.Validate().ok());
  options = Small();
  options.max_in_flight = 0;
  EXPECT_FALSE(options.Validate().ok());
}

// Random events against a model that knows only what was added and not yet over.
class BatcherSimulation {
 public:
  explicit BatcherSimulation(uint64_t seed) : random_(seed), batcher_(options_) {}

  void Run(int events) {
    for (int i = 0; i < events && !testing::Test::HasFailure(); ++i) {
      now_ += absl::Microseconds(Below(400));
      Event();
      Settle();
    }
    batcher_.Drain();
    while (!waiting_.empty() && !testing::Test::HasFailure()) {
      if (in_flight_.empty()) {
        Settle();
        ASSERT_FALSE(in_flight_.empty()) << "requests wait and nothing is sent";
      }
      CompleteOne();
      Settle();
    }
  }

 private:
  uint64_t Below(uint64_t bound) { return random_() % bound; }

  void Event() {
    const uint64_t kind = Below(10);
    if (kind < 6) {
      AddOne();
    } else if (kind < 9) {
      if (!in_flight_.empty()) CompleteOne();
    } else if (!waiting_.empty()) {
      auto it = waiting_.begin();
      std::advance(it, Below(waiting_.size()));
      ASSERT_TRUE(batcher_.Cancel(it->first));
      waiting_.erase(it);
    }
  }

  void AddOne() {
    BatchRequest request = Request(next_id_++, 1 + static_cast<int64_t>(Below(8)), Below(4));
    request.exact = Below(10) == 0;
    if (Below(3) == 0) request.deadline = now_ + absl::Microseconds(1 + Below(5000));
    const absl::Status added = batcher_.Add(request, now_);
    int64_t waiting = 0;
    for (const auto& [id, other] : waiting_) waiting += other.examples;
    EXPECT_EQ(added.ok(), waiting + request.examples <= options_.max_queue_examples) << added;
    if (added.ok()) waiting_[request.id] = request;
  }

  void CompleteOne() {
    auto it = in_flight_.begin();
    std::advance(it, Below(in_flight_.size()));
    batcher_.Complete(*it, absl::Microseconds(Below(3000)));
    in_flight_.erase(it);
  }

  void Settle() {
    for (const uint64_t id : batcher_.TakeExpired(now_)) {
      ASSERT_TRUE(waiting_.contains(id)) << "lost or doubled";
      EXPECT_LE(waiting_[id].deadline, now_);
      waiting_.erase(id);
    }
    while (const auto batch = batcher_.Next(now_)) Check(*batch);
    // Whatever still waits is looked at again: at a time, or when a batch completes.
    if (!waiting_.empty() && static_cast<int>(in_flight_.size()) < options_.max_in_flight) {
      EXPECT_LT(batcher_.NextWakeup(), absl::InfiniteDuration()) << "nobody would wake up";
    }
  }

  void Check(const Batch& batch) {
    int64_t examples = 0;
    for (const BatchRequest& request : batch.requests) {
      ASSERT_EQ(waiting_.erase(request.id), 1u) << "lost or doubled";
      EXPECT_GT(request.deadline, now_) << "computed after its deadline";
      EXPECT_TRUE(!request.exact || batch.requests.size() == 1);
      examples += request.examples;
    }
    EXPECT_EQ(examples, batch.examples);
    EXPECT_GE(examples, 1);
    EXPECT_LE(examples, options_.max_batch_examples);
    in_flight_.insert(batch.id);
    EXPECT_LE(static_cast<int>(in_flight_.size()), options_.max_in_flight);
  }

  std::mt19937_64 random_;
  const BatcherOptions options_ = Small();
  Batcher batcher_;
  absl::Duration now_ = kNow;
  uint64_t next_id_ = 1;
  std::map<uint64_t, BatchRequest> waiting_;
  std::set<uint64_t> in_flight_;
};

TEST(Batcher, OverRandomEventsNothingIsLostDoubledOrComputedTooLate) {
  BatcherSimulation(TestSeed()).Run(200'000);
}

}  // namespace
}  // namespace distill
