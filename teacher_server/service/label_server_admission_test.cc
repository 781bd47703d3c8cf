// Whom the label server serves when not all can be served.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <vector>

#include "teacher_server/runner/fake_runner.h"
#include "teacher_server/service/label_server.h"
#include "teacher_server/service/label_server_harness.h"

namespace distill {
namespace {

using ::testing::ElementsAre;
using ::testing::Pair;

constexpr uint64_t kRowBytes = sizeof(float) * LabelServerHarness::kClasses;

TEST(LabelServerAdmission, ARunOfManyStreamsGetsNoMoreThanARunOfOne) {
  LabelServerHarness harness({});
  auto runner = harness.Serve(FakeRunner::Mode::kOnDemand, /*queue=*/200);
  auto one = harness.Open("one");
  std::vector<std::shared_ptr<HarnessStudent>> crowd;
  for (int i = 0; i < 3; ++i) crowd.push_back(harness.Open("crowd"));
  // In flight; the rest waits.
  harness.Ask(*one, 1, 1);
  for (const auto& student : crowd) {
    for (uint64_t id = 1; id <= 8; ++id) harness.Ask(*student, id, 1);
  }
  for (uint64_t id = 2; id <= 9; ++id) harness.Ask(*one, id, 1);
  for (int batch = 0; batch < 3; ++batch) {
    ASSERT_TRUE(runner->CompleteOldest());
    harness.control.RunAll();
  }
  one->Read();
  // One, and half of two batches of eight.
  EXPECT_EQ(one->answered.size(), 1u + 8u);
}

TEST(LabelServerAdmission, ARunGetsByItsShare) {
  LabelServerHarness harness({});
  auto runner = harness.Serve(FakeRunner::Mode::kOnDemand, /*queue=*/400);
  auto usual = harness.Open("usual");
  auto large = harness.Open("large", uint64_t{1} << 30, 3);
  harness.Ask(*usual, 100, 1);  // in flight; the rest waits
  for (uint64_t id = 1; id <= 40; ++id) {
    harness.Ask(*usual, id, 1);
    harness.Ask(*large, id, 1);
  }
  for (int batch = 0; batch < 5; ++batch) {
    ASSERT_TRUE(runner->CompleteOldest());
    harness.control.RunAll();
  }
  usual->Read();
  large->Read();
  // Of four batches of eight.
  EXPECT_EQ(usual->answered.size(), 1u + 8u);
  EXPECT_EQ(large->answered.size(), 24u);
}

TEST(LabelServerAdmission, AQueueThatIsFullForOneStudentHasRoomForTheNext) {
  LabelServerHarness harness({});
  auto runner = harness.Serve(FakeRunner::Mode::kOnDemand, /*queue=*/32);
  auto greedy = harness.Open();
  for (uint64_t id = 1; id <= 10; ++id) harness.Ask(*greedy, id, 8);
  greedy->Read();
  // One in flight and half of the queue.
  EXPECT_EQ(greedy->failed.size(), 7u);
  EXPECT_EQ(greedy->Code(10), absl::StatusCode::kResourceExhausted);
  EXPECT_GT(greedy->failed[10].retry_after().nanos(), 0);
  EXPECT_THAT(harness.shed, ElementsAre(Pair("stream_quota", 7)));
  auto other = harness.Open();
  harness.Ask(*other, 1, 8);
  while (runner->CompleteOldest()) harness.control.RunAll();
  other->Read();
  EXPECT_THAT(other->answered, ElementsAre(1));
}

TEST(LabelServerAdmission, AnswersBeyondTheServersMemoryAreRefusedWithAHint) {
  LabelStreamOptions options;
  options.max_server_bytes = 100 * kRowBytes;
  LabelServerHarness harness(options);
  harness.Serve(FakeRunner::Mode::kAtOnce, /*queue=*/1000);
  auto student = harness.Open();
  for (uint64_t id = 1; id <= 10; ++id) {
    harness.Ask(*student, id, 8);
    EXPECT_LE(harness.server.held_bytes(), options.max_server_bytes);
  }
  EXPECT_EQ(harness.server.held_bytes(), 6 * 8 * kRowBytes);
  student->Read();
  EXPECT_EQ(student->answered.size(), 6u);
  EXPECT_EQ(student->Code(7), absl::StatusCode::kResourceExhausted);
  EXPECT_GT(student->failed[7].retry_after().nanos(), 0);
  EXPECT_THAT(harness.shed, ElementsAre(Pair("memory", 4)));
  EXPECT_EQ(harness.server.held_bytes(), 0u);
  harness.Ask(*student, 11, 8);
  student->Read();
  EXPECT_EQ(student->answered.size(), 7u);
}

TEST(LabelServerAdmission, WhatWaitsCountsAndGoesWithItsStudent) {
  LabelStreamOptions options;
  options.max_server_bytes = 100 * kRowBytes;
  LabelServerHarness harness(options);
  auto runner = harness.Serve(FakeRunner::Mode::kOnDemand, /*queue=*/1000);
  auto student = harness.Open();
  for (uint64_t id = 1; id <= 7; ++id) harness.Ask(*student, id, 8);
  EXPECT_EQ(harness.server.held_bytes(), 6 * 8 * kRowBytes);
  harness.server.Lost(student->id);
  harness.control.RunAll();
  ASSERT_TRUE(runner->CompleteOldest());
  harness.control.RunAll();
  EXPECT_EQ(harness.server.held_bytes(), 0u);
}

TEST(LabelServerAdmission, EveryMessageIsToldAsHandledOnce) {
  LabelServerHarness harness({});
  harness.Serve(FakeRunner::Mode::kAtOnce, /*queue=*/1000);
  auto student = harness.Open();
  for (uint64_t id = 1; id <= 4; ++id) harness.Send(*student, id, 1);
  EXPECT_EQ(student->handled, 1) << "only the open has been handled";
  harness.control.RunAll();
  EXPECT_EQ(student->handled, 5);
  // One that comes after its stream has ended, too.
  harness.server.StopServing(absl::UnavailableError("gone"));
  harness.Ask(*student, 5, 1);
  EXPECT_EQ(student->handled, 6);
}

}  // namespace
}  // namespace distill
