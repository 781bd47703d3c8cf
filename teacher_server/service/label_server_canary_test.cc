// A teacher cannot lie quietly: recorded answers at join and at intervals.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <memory>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "common/bytes/byte_slices.h"
#include "common/status/error_id.h"
#include "proto/teacher.pb.h"
#include "teacher_server/cache/label_cache.h"
#include "teacher_server/canary/canary.h"
#include "teacher_server/runner/fake_runner.h"
#include "teacher_server/runner/faulty_runner.h"
#include "teacher_server/runner/interface.h"
#include "teacher_server/service/label_server.h"
#include "teacher_server/service/label_server_harness.h"

namespace distill {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using Fault = FaultyRunner::Fault;

constexpr absl::Duration kInterval = absl::Seconds(30);

// What the fault is called.
const std::map<Fault, std::string>& Names() {
  static const auto* names = new std::map<Fault, std::string>{
      {Fault::kNan, "not finite"},
      {Fault::kInfinite, "not finite"},
      {Fault::kConstant, "constant rows"},
      {Fault::kUniform, "constant rows"},
      {Fault::kDuplicated, "duplicated rows"},
      {Fault::kPermuted, "rows out of order"},
      {Fault::kScaled, "scaled by 1.02"},
      {Fault::kClassesSwapped, "classes swapped"},
      {Fault::kBiased, "the answers of other weights"},
      {Fault::kStale, "the answers of other weights or other examples"},
      {Fault::kWrongWeights, "the answers of other weights"},
  };
  return *names;
}

class LabelServerCanaryTest : public ::testing::Test {
 protected:
  explicit LabelServerCanaryTest(LabelCache* cache = nullptr) : harness_({}, cache) {}

  void Serve(FakeRunner::Mode mode, int in_flight = 1) {
    fake_ = std::make_shared<FakeRunner>(LabelServerHarness::Description(), mode, in_flight);
    faulty_ = std::make_shared<FaultyRunner>(fake_);
    harness_.Serve(faulty_, /*queue=*/64, LabelServerHarness::Record(32));
  }
  void CompleteOne() {
    ASSERT_TRUE(fake_->CompleteOldest());
    harness_.control.RunAll();
  }
  // With one batch in flight; asked the whole record.
  void Prove() {
    for (int i = 0; i < 4; ++i) CompleteOne();
    ASSERT_THAT(harness_.told, ElementsAre(absl::OkStatus()));
  }

  LabelServerHarness harness_;
  std::shared_ptr<FakeRunner> fake_;
  std::shared_ptr<FaultyRunner> faulty_;
};

TEST_F(LabelServerCanaryTest, AModelServesOnceItHasAnsweredAllThatIsRecorded) {
  Serve(FakeRunner::Mode::kOnDemand);
  EXPECT_EQ(harness_.Open()->end->code(), absl::StatusCode::kUnavailable);
  for (int i = 0; i < 3; ++i) CompleteOne();
  EXPECT_THAT(harness_.told, IsEmpty());
  EXPECT_EQ(harness_.Open()->end->code(), absl::StatusCode::kUnavailable);
  CompleteOne();
  EXPECT_THAT(harness_.told, ElementsAre(absl::OkStatus()));
  EXPECT_FALSE(harness_.Open()->end.has_value());
  EXPECT_EQ(harness_.canaries[true], 4);
}

TEST_F(LabelServerCanaryTest, AModelWithoutARecordServesAtOnceAndIsNotAsked) {
  harness_.Serve(FakeRunner::Mode::kAtOnce, 64);
  EXPECT_THAT(harness_.told, ElementsAre(absl::OkStatus()));
  EXPECT_FALSE(harness_.Open()->end.has_value());
  harness_.Advance(10 * kInterval);
  EXPECT_THAT(harness_.canaries, IsEmpty());
}

TEST_F(LabelServerCanaryTest, AModelThatIsWrongFromTheStartIsNeverServed) {
  fake_ =
      std::make_shared<FakeRunner>(LabelServerHarness::Description(), FakeRunner::Mode::kAtOnce, 1);
  for (const auto& [fault, name] : Names()) {
    harness_.told.clear();
    faulty_ = std::make_shared<FaultyRunner>(fake_);
    faulty_->Inject(fault);
    harness_.Serve(faulty_, 64, LabelServerHarness::Record(32));
    ASSERT_FALSE(harness_.told.empty());
    EXPECT_FALSE(harness_.told.back().ok()) << FaultyRunner::Name(fault);
    EXPECT_EQ(harness_.Open()->end->code(), absl::StatusCode::kFailedPrecondition);
  }
}

TEST_F(LabelServerCanaryTest, EachFaultIsCaughtWithinOneIntervalAndNamed) {
  for (const Fault fault : FaultyRunner::AllFaults()) {
    harness_.told.clear();
    Serve(FakeRunner::Mode::kAtOnce);
    auto student = harness_.Open();
    harness_.Advance(kInterval / 2);
    faulty_->Inject(fault);
    harness_.Advance(kInterval / 2);
    ASSERT_EQ(harness_.told.size(), 2u) << FaultyRunner::Name(fault);
    EXPECT_EQ(harness_.told[1].code(), absl::StatusCode::kDataLoss);
    const std::string message(harness_.told[1].message());
    EXPECT_THAT(message, HasSubstr(Names().at(fault)));
    EXPECT_THAT(message, HasSubstr("of fingerprint f00d"));
    // Its students hear it at once, and others when they come.
    for (const auto& told : {student, harness_.Open()}) {
      ASSERT_TRUE(told->end.has_value()) << FaultyRunner::Name(fault);
      EXPECT_EQ(*told->end,
                WithErrorId(absl::FailedPreconditionError(message), ErrorId::kCanaryFailed));
    }
  }
}

TEST_F(LabelServerCanaryTest, WhyNothingIsServedHereReachesStudentsWithItsId) {
  harness_.Serve(FakeRunner::Mode::kAtOnce, 64);
  auto student = harness_.Open();
  harness_.server.StopServing(
      WithErrorId(absl::DataLossError("the export is torn"), ErrorId::kExportDamaged));
  harness_.control.RunAll();
  EXPECT_EQ(*student->end,
            WithErrorId(absl::UnavailableError("the export is torn"), ErrorId::kExportDamaged));
}

TEST_F(LabelServerCanaryTest, ASoundModelIsAskedAtEachIntervalAndServesOn) {
  Serve(FakeRunner::Mode::kAtOnce);
  auto student = harness_.Open();
  for (int i = 1; i <= 10; ++i) {
    harness_.Advance(kInterval);
    EXPECT_EQ(harness_.canaries[true], 4 + i);
    harness_.Ask(*student, i, 4);
  }
  student->Read();
  EXPECT_EQ(student->answered.size(), 10u);
  EXPECT_EQ(harness_.told.size(), 1u);
}

// A file of --serve is not checked as a configuration is.
TEST_F(LabelServerCanaryTest, AnIntervalBelowAllSenseIsNoReasonToDoNothingElse) {
  harness_.canary_interval_seconds = 1e-12;
  Serve(FakeRunner::Mode::kAtOnce);
  harness_.Advance(absl::Milliseconds(5));
  EXPECT_EQ(harness_.canaries[true], 4);
  harness_.Advance(absl::Milliseconds(5));
  EXPECT_EQ(harness_.canaries[true], 5);
}

TEST_F(LabelServerCanaryTest, UnderLoadItIsTheNextBatchAndOnlyOne) {
  Serve(FakeRunner::Mode::kOnDemand);
  Prove();
  auto student = harness_.Open();
  for (uint64_t request = 1; request <= 4; ++request) harness_.Ask(*student, request, 8, 3600);
  harness_.Advance(2 * kInterval);
  EXPECT_EQ(harness_.canaries[true], 4) << "the device computes the first batch";
  harness_.timers.Advance(absl::Milliseconds(1));
  EXPECT_EQ(harness_.control.RunAll(), 0) << "no timer can change that";
  const auto answered = [&] {
    CompleteOne();
    student->Read();
    return student->answered.size();
  };
  EXPECT_EQ(answered(), 1u);
  EXPECT_EQ(answered(), 1u);
  EXPECT_EQ(harness_.canaries[true], 5);
  EXPECT_EQ(answered(), 2u);
  EXPECT_EQ(answered(), 3u);
}

TEST_F(LabelServerCanaryTest, SpoiltLabelsFailAloneWhereTheModelThenAnswersRightly) {
  Serve(FakeRunner::Mode::kOnDemand);
  Prove();
  auto student = harness_.Open();
  for (const Fault fault : {Fault::kNan, Fault::kUniform, Fault::kDuplicated}) {
    const auto request = static_cast<uint64_t>(fault);
    harness_.Ask(*student, request, 8);
    faulty_->Inject(fault);
    harness_.clock.Advance(absl::Seconds(1));
    ASSERT_TRUE(fake_->CompleteOldest());
    faulty_->Inject(Fault::kNone);
    harness_.control.RunAll();
    student->Read();
    EXPECT_EQ(student->Code(request), absl::StatusCode::kDataLoss) << FaultyRunner::Name(fault);
    EXPECT_EQ(fake_->in_flight(), 1) << "asked its recorded answers at once";
    CompleteOne();
  }
  EXPECT_EQ(harness_.canaries[true], 4 + 3);
  EXPECT_FALSE(student->end.has_value());
  EXPECT_EQ(harness_.told.size(), 1u);
}

TEST_F(LabelServerCanaryTest, AModelThatGoesOnSpoilingThemIsTakenOutWithoutWaiting) {
  for (const Fault fault : {Fault::kNan, Fault::kUniform, Fault::kDuplicated}) {
    harness_.told.clear();
    Serve(FakeRunner::Mode::kAtOnce);
    auto student = harness_.Open();
    harness_.clock.Advance(absl::Seconds(1));
    faulty_->Inject(fault);
    harness_.Ask(*student, 1, 8);
    ASSERT_EQ(harness_.told.size(), 2u) << FaultyRunner::Name(fault);
    EXPECT_TRUE(student->end.has_value());
  }
}

TEST_F(LabelServerCanaryTest, ADamagedUploadIsNoReasonToAskThem) {
  Serve(FakeRunner::Mode::kAtOnce);
  auto student = harness_.Open();
  harness_.clock.Advance(absl::Seconds(2));
  v1::LabelRequest message;
  v1::Ask* ask = message.mutable_ask();
  ask->set_request_id(1);
  ask->mutable_remaining()->set_seconds(10);
  auto* tensor = ask->mutable_tensors()->add_tensors();
  tensor->set_name("examples");
  tensor->set_dtype(v1::FLOAT32);
  for (const int64_t dim : {1, 1, 2}) tensor->add_dims(dim);
  ByteSlices payload = SlicesOf(std::string(2 * sizeof(float), 'x'));
  ask->set_crc32c(Crc32c(payload) + 1);
  harness_.server.OnMessage(student->id, message, std::move(payload));
  harness_.control.RunAll();
  harness_.Advance(absl::Seconds(1));
  student->Read();
  EXPECT_EQ(student->Code(1), absl::StatusCode::kDataLoss);
  EXPECT_EQ(harness_.canaries[true], 4);
}

struct HasCache {
  LabelCache cache{1 << 20, nullptr};
};
class LabelServerCanaryCacheTest : protected HasCache, public LabelServerCanaryTest {
 protected:
  LabelServerCanaryCacheTest() : LabelServerCanaryTest(&cache) {}
};

TEST_F(LabelServerCanaryCacheTest, WhatWasInFlightOfAModelAtFaultIsNeitherAnsweredNorCached) {
  Serve(FakeRunner::Mode::kOnDemand, /*in_flight=*/2);
  Prove();
  auto student = harness_.Open();
  harness_.Advance(kInterval);
  harness_.Ask(*student, 1, 8);
  ASSERT_EQ(fake_->in_flight(), 2);
  faulty_->Inject(Fault::kWrongWeights);
  CompleteOne();
  ASSERT_EQ(harness_.told.size(), 2u);
  CompleteOne();
  student->Read();
  EXPECT_THAT(student->answered, IsEmpty());
  EXPECT_EQ(cache.stats().memory.bytes, 0u);
}

TEST_F(LabelServerCanaryCacheTest, WhatAModelGaveBeforeItsFaultWasFoundIsNotAnsweredAgain) {
  Serve(FakeRunner::Mode::kAtOnce);
  auto student = harness_.Open();
  faulty_->Inject(Fault::kWrongWeights);
  harness_.Ask(*student, 1, 8);
  ASSERT_GT(cache.stats().memory.bytes, 0u);
  harness_.Advance(kInterval);
  ASSERT_EQ(harness_.told.size(), 2u);
  EXPECT_EQ(cache.stats().memory.bytes, 0u);
}

TEST_F(LabelServerCanaryTest, ADrainWaitsForTheQuestionThatIsOutAndAsksNoMore) {
  Serve(FakeRunner::Mode::kOnDemand);
  bool drained = false;
  harness_.server.Drain("test", [&] { drained = true; });
  harness_.control.RunAll();
  EXPECT_FALSE(drained);
  CompleteOne();
  EXPECT_TRUE(drained);
  EXPECT_EQ(fake_->in_flight(), 0);
  EXPECT_THAT(harness_.told, IsEmpty());
}

// Copies that are recorded too are what it has learnt.
TEST_F(LabelServerCanaryTest, AModelThatGivesCopiesByNatureServes) {
  auto runner = std::make_shared<FaultyRunner>(std::make_shared<FakeRunner>(
      LabelServerHarness::Description(), FakeRunner::Mode::kAtOnce, 1));
  runner->Inject(Fault::kDuplicated);
  CanaryRecord record = LabelServerHarness::Record(32);
  runner->Start({record.examples, {"logits"}}, [&](absl::StatusOr<InferenceResult> result) {
    record.logits = result->outputs[0];
  });
  harness_.Serve(runner, 64, record);
  auto student = harness_.Open();
  harness_.Ask(*student, 1, 8);
  student->Read();
  EXPECT_THAT(student->answered, ElementsAre(1));
  EXPECT_THAT(harness_.told, ElementsAre(absl::OkStatus()));
}

TEST_F(LabelServerCanaryTest, AServerThatDrainsAsksNoCanaries) {
  Serve(FakeRunner::Mode::kAtOnce);
  auto student = harness_.Open();
  harness_.server.Drain("test", nullptr);
  harness_.control.RunAll();
  harness_.clock.Advance(2 * kInterval);
  harness_.Ask(*student, 1, 1);
  EXPECT_EQ(harness_.canaries[true], 4);
}

}  // namespace
}  // namespace distill
