// A LabelServer whose students compute logits themselves.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdint>
#include <limits>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "absl/status/status.h"
#include "common/tensor_view/tensor_view.h"
#include "distillation/labels/codec.h"
#include "distillation/labels/head_section.h"
#include "distillation/labels/label_head.h"
#include "distillation/labels/soft_labels.h"
#include "proto/teacher.pb.h"
#include "teacher_server/cache/label_cache.h"
#include "teacher_server/canary/canary.h"
#include "teacher_server/runner/fake_runner.h"
#include "teacher_server/runner/interface.h"
#include "teacher_server/service/label_server_harness.h"

namespace distill {
namespace {

using ::testing::ElementsAre;
using ::testing::ElementsAreArray;
using ::testing::HasSubstr;

constexpr int kClasses = LabelServerHarness::kClasses;

// A runner that has a head, unless `head` is null.
std::shared_ptr<FakeRunner> Serve(
    LabelServerHarness& harness, FakeRunner::Mode mode = FakeRunner::Mode::kAtOnce,
    std::shared_ptr<const LabelHead> head = FakeRunner::Head(kClasses), CanaryRecord canary = {}) {
  ModelDescription description = LabelServerHarness::Description();
  description.head = std::move(head);
  auto runner = std::make_shared<FakeRunner>(description, mode, 1);
  harness.Serve(runner, 64, std::move(canary));
  return runner;
}

std::shared_ptr<HarnessStudent> OpenWith(LabelServerHarness& harness,
                                         const std::vector<std::string>& codecs,
                                         uint64_t byte_credit = uint64_t{1} << 30) {
  harness.as_opened.clear_codecs();
  for (const std::string& codec : codecs) harness.as_opened.add_codecs(codec);
  return harness.Open("run", byte_credit);
}

void AskForHead(LabelServerHarness& harness, const HarnessStudent& student, uint64_t request,
                int seconds = 10) {
  v1::LabelRequest message;
  message.mutable_ask()->set_request_id(request);
  message.mutable_ask()->mutable_remaining()->set_seconds(seconds);
  message.mutable_ask()->mutable_head();
  harness.server.OnMessage(student.id, message);
  harness.control.RunAll();
}

absl::StatusOr<LabelHead> HeadOf(HarnessStudent& student, uint64_t request) {
  return DecodeHead(student.all_sections.at(request),
                    std::as_bytes(std::span(student.payload.at(request))), kClasses);
}

HiddenLabels LabelsOf(HarnessStudent& student, uint64_t request,
                      const std::shared_ptr<const LabelHead>& head) {
  const auto labels = DecodeSoftLabels(student.sections.at(request),
                                       std::as_bytes(std::span(student.payload.at(request))), head);
  EXPECT_TRUE(labels.ok()) << labels.status();
  return std::get<HiddenLabels>(*labels);
}

TEST(LabelServerHead, AStreamOfHiddenStatesGetsThemAndTheHeadThatMakesLogitsOfThem) {
  LabelServerHarness harness({});
  Serve(harness);
  for (const char* codec : {"hidden_fp32", "hidden_fp16"}) {
    const auto student = OpenWith(harness, {codec});
    AskForHead(harness, *student, 7);
    harness.Ask(*student, 1, 2);
    student->Read();
    EXPECT_THAT(student->answered, ElementsAre(7, 1));
    const auto head = HeadOf(*student, 7);
    ASSERT_TRUE(head.ok()) << head.status();
    const auto expected = FakeRunner::Head(kClasses);
    EXPECT_THAT(head->weight.as<float>(), ElementsAreArray(expected->weight.as<float>()));
    EXPECT_THAT(head->bias.as<float>(), ElementsAreArray(expected->bias.as<float>()));
    // The output that was asked for, as what the codec says of it.
    EXPECT_EQ(student->sections.at(1).output(), "logits");
    EXPECT_EQ(student->sections.at(1).codec(), codec);
    const auto labels = LabelsOf(*student, 1, std::make_shared<const LabelHead>(*head));
    EXPECT_THAT(labels.hidden.as<float>(), ElementsAre(1, 1, 2, 1));
  }
}

TEST(LabelServerHead, TheHeadIsAnsweredOncePerAskInPartsWithinTheCredit) {
  LabelStreamOptions options;
  options.max_part_bytes = 50;
  LabelServerHarness harness(options);
  Serve(harness);
  const auto student = OpenWith(harness, {"hidden_fp32"}, 60);
  AskForHead(harness, *student, 1);
  student->Read();
  EXPECT_EQ(student->bytes, 60u);
  EXPECT_TRUE(student->answered.empty());
  v1::LabelRequest more;
  more.mutable_credit()->set_bytes(1000);
  harness.server.OnMessage(student->id, more);
  harness.control.RunAll();
  student->Read();
  EXPECT_THAT(student->answered, ElementsAre(1));
  // 4 * C * (H + 1).
  EXPECT_EQ(student->bytes, 4u * kClasses * 3);
  EXPECT_TRUE(HeadOf(*student, 1).ok());
}

TEST(LabelServerHead, AHeadThatWaitsToBeReadHoldsNoMemoryOfTheServers) {
  LabelStreamOptions options;
  options.max_server_bytes = 40;
  options.max_unsent_bytes = 40;
  LabelServerHarness harness(options);
  Serve(harness);
  const auto student = OpenWith(harness, {"hidden_fp32"}, 0);
  AskForHead(harness, *student, 1);
  EXPECT_EQ(harness.server.held_bytes(), 0u);
  // Nor is the student cut off for what it has not read.
  harness.Ask(*student, 2, 1);
  EXPECT_FALSE(student->end.has_value()) << *student->end;
}

TEST(LabelServerHead, OnAStreamOfAnotherCodecTheHeadIsRefusedAndTheStreamGoesOn) {
  LabelServerHarness harness({});
  Serve(harness);
  const auto student = OpenWith(harness, {"dense_fp32"});
  AskForHead(harness, *student, 1);
  harness.Ask(*student, 2, 1);
  student->Read();
  EXPECT_EQ(student->Code(1), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(student->failed.at(1).message(), HasSubstr("this one is of dense_fp32"));
  EXPECT_THAT(student->answered, ElementsAre(2));
}

TEST(LabelServerHead, AModelWithoutAHeadLeavesHiddenCodecsToTheNextPreference) {
  LabelServerHarness harness({});
  Serve(harness, FakeRunner::Mode::kAtOnce, nullptr);
  const auto student = OpenWith(harness, {"hidden_fp16", "dense_fp32"});
  harness.Ask(*student, 1, 1);
  student->Read();
  EXPECT_EQ(student->sections.at(1).codec(), "dense_fp32");
  const auto refused = OpenWith(harness, {"hidden_fp16"});
  ASSERT_TRUE(refused->end.has_value());
  EXPECT_EQ(refused->end->code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(std::string(refused->end->message()), HasSubstr("no common label codec"));
}

TEST(LabelServerHead, AnAskForTheHeadIsCheckedAsOthersAre) {
  LabelServerHarness harness({});
  Serve(harness);
  const auto student = OpenWith(harness, {"hidden_fp32"});
  AskForHead(harness, *student, 1, 0);
  student->Read();
  EXPECT_EQ(student->Code(1), absl::StatusCode::kDeadlineExceeded);
}

TEST(LabelServerHead, AHeadThatIsNotFiniteIsDataLoss) {
  LabelServerHarness harness({});
  auto broken = std::make_shared<LabelHead>(*FakeRunner::Head(kClasses));
  broken->bias =
      MakeTensorView(ElementType::kFloat32, {kClasses},
                     std::vector<float>(kClasses, std::numeric_limits<float>::quiet_NaN()));
  Serve(harness, FakeRunner::Mode::kAtOnce, broken);
  const auto student = OpenWith(harness, {"hidden_fp32"});
  AskForHead(harness, *student, 1);
  student->Read();
  EXPECT_EQ(student->Code(1), absl::StatusCode::kDataLoss);
}

TEST(LabelServerHead, CachedHiddenRowsServeBothWidthsAndNoLogits) {
  LabelCache cache(1 << 20, nullptr);
  LabelServerHarness harness({}, &cache);
  const auto runner = Serve(harness, FakeRunner::Mode::kOnDemand);
  const auto head = FakeRunner::Head(kClasses);
  for (const auto& [codec, batches] :
       {std::pair{"hidden_fp32", 1}, {"hidden_fp16", 0}, {"dense_fp32", 1}, {"top_k/3", 0}}) {
    const auto student = OpenWith(harness, {codec});
    harness.as_opened.set_min_temperature(1);
    harness.as_opened.set_max_temperature(1);
    harness.Ask(*student, 1, 4);
    EXPECT_EQ(runner->in_flight(), batches) << codec;
    // As wide as the rows that wait.
    if (batches > 0) {
      EXPECT_EQ(harness.server.held_bytes(),
                4 * sizeof(float) * (IsHiddenCodec(codec) ? 2 : kClasses));
    }
    while (runner->CompleteOldest()) harness.control.RunAll();
    student->Read();
    ASSERT_THAT(student->answered, ElementsAre(1)) << codec;
    if (!IsHiddenCodec(codec)) continue;
    EXPECT_THAT(LabelsOf(*student, 1, head).hidden.as<float>(),
                ElementsAre(1, 1, 2, 1, 3, 1, 4, 1));
  }
}

// All units off is no fault; with logits it would be one.
TEST(LabelServerHead, AConstantHiddenRowIsServed) {
  LabelCache cache(1 << 20, nullptr);
  for (LabelCache* const with : {static_cast<LabelCache*>(nullptr), &cache}) {
    LabelServerHarness harness({}, with);
    Serve(harness);
    // Of example 0 both are 1.
    const auto student = OpenWith(harness, {"hidden_fp32"});
    harness.Ask(*student, 1, 1);
    student->Read();
    EXPECT_THAT(student->answered, ElementsAre(1));
  }
}

TEST(LabelServerHead, CanariesAreAskedForLogitsBesideStreamsOfHiddenStates) {
  LabelServerHarness harness({});
  Serve(harness, FakeRunner::Mode::kAtOnce, FakeRunner::Head(kClasses),
        LabelServerHarness::Record(4));
  const auto student = OpenWith(harness, {"hidden_fp32"});
  harness.Ask(*student, 1, 2);
  harness.Advance(absl::Seconds(31));
  harness.Ask(*student, 2, 2);
  student->Read();
  EXPECT_THAT(student->answered, ElementsAre(1, 2));
  EXPECT_GE(harness.canaries[true], 2);
  EXPECT_EQ(harness.canaries[false], 0);
}

}  // namespace
}  // namespace distill
