#include "teacher_server/batching/batcher.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "teacher_server/batching/shape_bucket.h"

namespace distill {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

constexpr absl::Duration kNow = absl::Seconds(1);

BatcherOptions Small() {
  BatcherOptions options;
  options.max_batch_examples = 8;
  options.max_queue_examples = 40;
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
  batcher.Complete(batcher.Next(kNow)->id, compute, kNow);
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
  BatcherOptions options = Small();
  options.max_queue_delay = absl::Milliseconds(100);
  Batcher batcher = Busy(options, /*compute=*/absl::Milliseconds(10));
  BatchRequest request = Request(1, 1);
  request.deadline = kNow + absl::Milliseconds(25);
  ASSERT_TRUE(batcher.Add(request, kNow).ok());
  EXPECT_FALSE(batcher.Next(kNow).has_value());
  EXPECT_EQ(batcher.NextWakeup(), kNow + absl::Milliseconds(15));
  EXPECT_EQ(batcher.Next(batcher.NextWakeup())->reason, BatchReason::kDeadline);
  // Behind the 10 ms in flight nothing may join it.
  Batcher other = Busy(options, absl::Milliseconds(10));
  request.deadline = kNow + absl::Milliseconds(20);
  ASSERT_TRUE(other.Add(request, kNow).ok());
  EXPECT_EQ(other.Next(kNow)->reason, BatchReason::kDeadline);
}

TEST(Batcher, AnExactRequestIsABatchOfItsOwn) {
  Batcher batcher(Small());
  BatchRequest exact = Request(2, 2, 2);
  exact.exact = true;
  ASSERT_TRUE(batcher.Add(Request(1, 2, 1), kNow).ok());
  ASSERT_TRUE(batcher.Add(exact, kNow).ok());
  ASSERT_TRUE(batcher.Add(Request(3, 2, 3), kNow).ok());
  EXPECT_THAT(Ids(batcher.Next(kNow)), ElementsAre(1, 3));
  const auto batch = batcher.Next(kNow);
  EXPECT_THAT(Ids(batch), ElementsAre(2));
  EXPECT_EQ(batch->reason, BatchReason::kExact);
}

TEST(Batcher, ABatchOfTheCallersOwnTakesThePlaceOfOne) {
  Batcher batcher = Busy(Small());  // one of two places is taken
  for (uint64_t id = 1; id <= 2; ++id) ASSERT_TRUE(batcher.Add(Request(id, 8), kNow).ok());
  const auto own = batcher.TakePlace(2, kNow);
  ASSERT_TRUE(own.has_value());
  EXPECT_FALSE(batcher.TakePlace(2, kNow).has_value());
  EXPECT_FALSE(batcher.Next(kNow).has_value()) << "two are in flight";
  batcher.Complete(*own, std::nullopt, kNow);
  EXPECT_THAT(Ids(batcher.Next(kNow)), ElementsAre(1));
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
  EXPECT_EQ(batcher.NextWakeup(), request.deadline);
  EXPECT_THAT(batcher.TakeExpired(request.deadline), ElementsAre(1));
  EXPECT_EQ(batcher.waiting_examples(), 0);
}

TEST(Batcher, WorkThatWouldBeLateEvenIfItWereNextIsDroppedBeforeCompute) {
  BatcherOptions options = Small();
  options.max_in_flight = 1;
  Batcher batcher = Busy(options, /*compute=*/absl::Milliseconds(10));
  BatchRequest request = Request(1, 1);
  request.deadline = kNow + absl::Milliseconds(25);
  ASSERT_TRUE(batcher.Add(request, kNow).ok());
  // What is in flight takes longer than predicted.
  EXPECT_THAT(batcher.TakeExpired(kNow + absl::Milliseconds(15)), IsEmpty());
  EXPECT_THAT(batcher.TakeExpired(kNow + absl::Milliseconds(16)), ElementsAre(1));
}

TEST(Batcher, RefusesWhatWouldBeLateBehindItsFairShareOfTheQueue) {
  BatcherOptions options = Small();
  options.max_in_flight = 1;
  options.max_queue_examples = 100;
  Batcher batcher(options);
  ASSERT_TRUE(batcher.Add(Request(1, 8), kNow).ok());
  batcher.Complete(batcher.Next(kNow)->id, absl::Milliseconds(8), kNow);
  for (uint64_t id = 1; id <= 3; ++id) ASSERT_TRUE(batcher.Add(Request(id, 8, 1), kNow).ok());
  ASSERT_TRUE(batcher.Next(kNow).has_value());
  // 16 examples of stream 1 wait behind 8 ms in flight: its 2 are in the third batch.
  BatchRequest request = Request(9, 2, 1);
  request.deadline = kNow + absl::Milliseconds(8 + 23);
  ShedReason shed = ShedReason::kExpired;
  EXPECT_EQ(batcher.Add(request, kNow, &shed).code(), absl::StatusCode::kResourceExhausted);
  EXPECT_EQ(shed, ShedReason::kTooLate);
  request.deadline = kNow + absl::Milliseconds(8 + 24);
  EXPECT_TRUE(batcher.Add(request, kNow).ok());
  // Another stream's turn comes sooner.
  BatchRequest other = Request(10, 2, 2);
  other.deadline = kNow + absl::Milliseconds(8 + 8);
  EXPECT_TRUE(batcher.Add(other, kNow).ok());
}

TEST(Batcher, WithLittleToDoItRefusesOnlyWhatIsCertainlyTooLate) {
  Batcher batcher = Busy(Small(), /*compute=*/absl::Milliseconds(10));
  BatchRequest request = Request(1, 1);
  request.deadline = kNow + absl::Milliseconds(19);
  EXPECT_EQ(batcher.Add(request, kNow).code(), absl::StatusCode::kResourceExhausted);
  request.deadline = kNow + absl::Milliseconds(20);
  EXPECT_TRUE(batcher.Add(request, kNow).ok());
}

TEST(Batcher, AnIdleServerTriesWhatItsPredictionForbids) {
  BatcherOptions options = Small();
  Batcher batcher(options);
  ASSERT_TRUE(batcher.Add(Request(1, 1), kNow).ok());
  batcher.Complete(batcher.Next(kNow)->id, absl::Seconds(100), kNow);
  EXPECT_EQ(batcher.RetryAfter(), absl::Seconds(5)) << "it may be wrong";
  for (uint64_t id = 2; id <= 3; ++id) {
    BatchRequest request = Request(id, 1);
    request.deadline = kNow + absl::Seconds(static_cast<int64_t>(id));
    EXPECT_EQ(batcher.Add(request, kNow).ok(), id == 2);
  }
  EXPECT_THAT(batcher.TakeExpired(kNow), IsEmpty());
  EXPECT_THAT(Ids(batcher.Next(kNow)), ElementsAre(2));
}

TEST(Batcher, AnotherRequestThatWouldMakeOneLateWaitsForTheNextBatch) {
  Batcher batcher(Small());
  for (const int64_t examples : {1, 8}) {
    ASSERT_TRUE(batcher.Add(Request(1, examples), kNow).ok());
    batcher.Complete(batcher.Next(kNow)->id, absl::Milliseconds(examples), kNow);
  }
  BatchRequest tight = Request(1, 2);
  tight.deadline = kNow + absl::Milliseconds(3);
  ASSERT_TRUE(batcher.Add(tight, kNow).ok());
  ASSERT_TRUE(batcher.Add(Request(2, 2), kNow).ok());
  const auto batch = batcher.Next(kNow);
  EXPECT_THAT(Ids(batch), ElementsAre(1));
  EXPECT_EQ(batch->reason, BatchReason::kDeadline);
}

TEST(Batcher, UnderLoadALateRequestIsDroppedAndTheBatchIsNotCut) {
  Batcher batcher(Small());
  for (const int64_t examples : {1, 8}) {
    ASSERT_TRUE(batcher.Add(Request(1, examples), kNow).ok());
    batcher.Complete(batcher.Next(kNow)->id, absl::Milliseconds(examples), kNow);
  }
  BatchRequest tight = Request(1, 2);
  tight.deadline = kNow + absl::Milliseconds(3);
  ASSERT_TRUE(batcher.Add(tight, kNow).ok());
  for (uint64_t id = 2; id <= 5; ++id) ASSERT_TRUE(batcher.Add(Request(id, 2), kNow).ok());
  EXPECT_THAT(Ids(batcher.Next(kNow)), ElementsAre(2, 3, 4, 5));
  EXPECT_THAT(batcher.TakeExpired(kNow), ElementsAre(1));
}

TEST(Batcher, PredictionsThatAreFarOffDoNotMakeItDropEverything) {
  Batcher batcher(Small());
  for (int i = 0; i < 20; ++i) {
    ASSERT_TRUE(batcher.Add(Request(1, 8), kNow).ok());
    batcher.Complete(batcher.Next(kNow)->id, absl::Milliseconds(i % 2 == 0 ? 5 : 15), kNow);
  }
  // 10 ms are predicted, 20 with the margin.
  BatchRequest request = Request(1, 8);
  request.deadline = kNow + absl::Milliseconds(15);
  ASSERT_TRUE(batcher.Add(request, kNow).ok());
  EXPECT_THAT(Ids(batcher.Next(kNow)), ElementsAre(1));
}

TEST(Batcher, NothingIsSentLongBeforeTheDeviceNeedsIt) {
  Batcher batcher = Busy(Small(), /*compute=*/absl::Milliseconds(10));
  ASSERT_TRUE(batcher.Add(Request(1, 2), kNow).ok());
  EXPECT_FALSE(batcher.Next(kNow + absl::Milliseconds(3)).has_value());
  EXPECT_EQ(batcher.NextWakeup(), kNow + absl::Milliseconds(8));
  EXPECT_EQ(batcher.Next(batcher.NextWakeup())->reason, BatchReason::kDelay);
}

TEST(Batcher, AStreamMayHoldAsMuchOfTheQueueAsItLeavesFree) {
  Batcher batcher = Busy(Small());
  for (uint64_t id = 1; id <= 8; ++id) batcher.Add(Request(id, 4, 1), kNow).IgnoreError();
  ASSERT_TRUE(batcher.Next(kNow).has_value()) << "two are in flight";
  const auto fill = [&](uint64_t stream) {
    int64_t taken = 0;
    ShedReason shed = ShedReason::kExpired;
    const uint64_t first = 100 * stream;
    while (batcher.Add(Request(first + taken, 1, stream), kNow, &shed).ok()) ++taken;
    EXPECT_EQ(shed, ShedReason::kStreamQuota);
    return taken;
  };
  // 12 of 40 wait already after 20 were taken and 8 were sent.
  EXPECT_EQ(batcher.waiting_examples(), 12);
  EXPECT_EQ(fill(1), 8);
  EXPECT_EQ(fill(2), 10);
  EXPECT_EQ(fill(3), 5);
}

TEST(Batcher, LengthsOfOneBatchDifferByLessThanAFourthAndPaddingIsTold) {
  Batcher batcher = Busy(Small());
  for (const auto& [id, length] : {std::pair(1, 100), {2, 300}, {3, 98}, {4, 310}}) {
    BatchRequest request = Request(id, 1);
    request.length = length;
    ASSERT_TRUE(batcher.Add(request, kNow).ok());
  }
  ASSERT_EQ(ShapeBucket(100), ShapeBucket(98));
  batcher.Drain();
  const auto batch = batcher.Next(kNow);
  EXPECT_THAT(Ids(batch), ElementsAre(1, 3));
  EXPECT_EQ(batch->length, 100);
  EXPECT_NEAR(batch->padding, 2.0 / 200, 1e-12);
  EXPECT_EQ(batch->fill, 0.25);
}

TEST(Batcher, RefusesByNameWhatItCannotTake) {
  Batcher batcher = Busy(Small());
  EXPECT_EQ(batcher.Add(Request(1, 0), kNow).code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(batcher.Add(Request(1, 9), kNow).code(), absl::StatusCode::kInvalidArgument);
  BatchRequest odd = Request(1, 1);
  odd.length = -1;
  EXPECT_EQ(batcher.Add(odd, kNow).code(), absl::StatusCode::kInvalidArgument);
  odd = Request(1, 1);
  odd.weight = 0;
  EXPECT_EQ(batcher.Add(odd, kNow).code(), absl::StatusCode::kInvalidArgument);
  BatchRequest late = Request(1, 1);
  late.deadline = kNow;
  EXPECT_EQ(batcher.Add(late, kNow).code(), absl::StatusCode::kDeadlineExceeded);
  for (uint64_t id = 1; id <= 5; ++id) ASSERT_TRUE(batcher.Add(Request(id, 8, id), kNow).ok());
  EXPECT_EQ(batcher.Add(Request(3, 1), kNow).code(), absl::StatusCode::kAlreadyExists);
  ShedReason shed = ShedReason::kExpired;
  EXPECT_EQ(batcher.Add(Request(6, 1, 6), kNow, &shed).code(),
            absl::StatusCode::kResourceExhausted);
  EXPECT_EQ(shed, ShedReason::kQueueFull);
  EXPECT_EQ(batcher.RetryAfter(), absl::Milliseconds(1)) << "nothing is known yet";
}

TEST(Batcher, ADrainSendsWhatWaitsAndTakesOnlyWhatWasPromised) {
  Batcher batcher = Busy(Small());
  ASSERT_TRUE(batcher.Add(Request(1, 2), kNow).ok());
  batcher.Drain();
  BatchRequest more = Request(2, 2);
  EXPECT_EQ(batcher.Add(more, kNow).code(), absl::StatusCode::kUnavailable);
  more.promised = true;
  EXPECT_EQ(batcher.Add(more, kNow), absl::OkStatus());
  const std::optional<Batch> batch = batcher.Next(kNow);
  EXPECT_EQ(batch->reason, BatchReason::kDrain);
  EXPECT_EQ(batch->examples, 4);
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

}  // namespace
}  // namespace distill
