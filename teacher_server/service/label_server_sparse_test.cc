// A LabelServer whose students take sparse labels.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <span>
#include <string>
#include <variant>
#include <vector>

#include "distillation/labels/codec.h"
#include "distillation/labels/soft_labels.h"
#include "teacher_server/cache/label_cache.h"
#include "teacher_server/service/label_server_harness.h"

namespace distill {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

constexpr int kClasses = LabelServerHarness::kClasses;

SparseLabels LabelsOf(HarnessStudent& student, uint64_t request) {
  const auto labels = DecodeSoftLabels(student.sections.at(request),
                                       std::as_bytes(std::span(student.payload.at(request))));
  EXPECT_TRUE(labels.ok()) << labels.status();
  return *std::get<std::shared_ptr<const SparseLabels>>(*labels);
}

std::shared_ptr<HarnessStudent> OpenWith(LabelServerHarness& harness, const std::string& codec,
                                         double low, double high) {
  harness.as_opened.clear_codecs();
  harness.as_opened.add_codecs(codec);
  harness.as_opened.set_min_temperature(low);
  harness.as_opened.set_max_temperature(high);
  return harness.Open();
}

TEST(LabelServerSparse, TheHeadOfEachRowIsServedForTheTemperaturesOfTheRun) {
  LabelServerHarness harness({});
  harness.Serve(FakeRunner::Mode::kAtOnce, 64);
  const auto student = OpenWith(harness, "top_k/3", 1.5, 4);
  harness.Ask(*student, 1, 2);
  student->Read();
  EXPECT_EQ(student->sections.at(1).codec(), "top_k/3");
  const SparseLabels labels = LabelsOf(*student, 1);
  // Class c of example i has the logit c * (1 + i).
  EXPECT_THAT(labels.ids, ElementsAre(7, 8, 9, 7, 8, 9));
  EXPECT_THAT(labels.values, ElementsAre(-2, -1, 0, -4, -2, 0));
  EXPECT_EQ(labels.min_temperature, 1.5);
  EXPECT_EQ(labels.max_temperature, 4);
}

TEST(LabelServerSparse, TemperaturesThatTheCodecCannotServeEndTheStreamWithTheReason) {
  LabelServerHarness harness({});
  harness.Serve(FakeRunner::Mode::kAtOnce, 64);
  for (const auto& [codec, high] : {std::pair{"top_k/3", 100.0}, {"sampled", 2.0}}) {
    const auto student = OpenWith(harness, codec, 1, high);
    ASSERT_TRUE(student->end.has_value()) << codec;
    EXPECT_EQ(student->end->code(), absl::StatusCode::kInvalidArgument);
    EXPECT_THAT(std::string(student->end->message()), HasSubstr("temperature"));
  }
}

TEST(LabelServerSparse, AnAnswerHoldsTheMemoryOfItsEncodedBytes) {
  LabelServerHarness harness({});
  const auto runner = harness.Serve(FakeRunner::Mode::kOnDemand, 64);
  for (const char* codec : {"top_k/3", "top_k/8", "sampled/4", "dense_fp32"}) {
    const auto student = OpenWith(harness, codec, 1, 1);
    harness.Ask(*student, 1, 2);
    EXPECT_EQ(harness.server.held_bytes(), *(*FindCodec(codec))->EncodedBytes(2, kClasses))
        << codec;
    while (runner->CompleteOldest()) harness.control.RunAll();
    student->Read();
    EXPECT_EQ(student->bytes, *(*FindCodec(codec))->EncodedBytes(2, kClasses));
    EXPECT_EQ(harness.server.held_bytes(), 0u);
  }
}

TEST(LabelServerSparse, AnAskOfTheCacheHoldsTheMemoryOfTheRowsThatWaitForIt) {
  LabelCache cache(1 << 20, nullptr);
  LabelServerHarness harness({}, &cache);
  const auto runner = harness.Serve(FakeRunner::Mode::kOnDemand, 64);
  const auto student = OpenWith(harness, "sampled/4", 1, 1);
  harness.Ask(*student, 1, 2);
  EXPECT_EQ(harness.server.held_bytes(), 2 * kClasses * sizeof(float));
  while (runner->CompleteOldest()) harness.control.RunAll();
  student->Read();
  EXPECT_THAT(student->answered, ElementsAre(1));
  EXPECT_EQ(harness.server.held_bytes(), 0u);
}

TEST(LabelServerSparse, ACachedRowIsTheSameSparseLabelAsAComputedOne) {
  LabelCache cache(1 << 20, nullptr);
  LabelServerHarness cached({}, &cache);
  const auto runner = cached.Serve(FakeRunner::Mode::kOnDemand, 64);
  LabelServerHarness plain({});
  plain.Serve(FakeRunner::Mode::kAtOnce, 64);
  // Other codecs take the rows that the first one computed.
  for (const char* codec : {"dense_fp32", "top_k/3", "sampled/4"}) {
    const auto computed = OpenWith(plain, codec, 1, 1);
    plain.Ask(*computed, 1, 4);
    computed->Read();
    const auto student = OpenWith(cached, codec, 1, 1);
    cached.Ask(*student, 1, 4);
    const int batches = runner->in_flight();
    EXPECT_EQ(batches, codec == std::string("dense_fp32") ? 1 : 0) << codec;
    while (runner->CompleteOldest()) cached.control.RunAll();
    student->Read();
    ASSERT_THAT(student->answered, ElementsAre(1)) << codec;
    EXPECT_EQ(student->payload.at(1), computed->payload.at(1)) << codec;
  }
}

}  // namespace
}  // namespace distill
