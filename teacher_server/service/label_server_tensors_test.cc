// Examples that come along with the ask, and those by id, through one server.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstring>
#include <memory>
#include <string>
#include <vector>

#include "common/bytes/byte_slices.h"
#include "common/tensor_view/tensor_view.h"
#include "teacher_server/runner/fake_runner.h"
#include "teacher_server/service/label_server.h"
#include "teacher_server/service/label_server_harness.h"

namespace distill {
namespace {

using ::testing::ElementsAre;
using ::testing::Pair;

constexpr int kClasses = LabelServerHarness::kClasses;

// `values` are rows of two.
void AskTensors(LabelServerHarness& harness, const HarnessStudent& student, uint64_t request,
                const std::vector<float>& values, uint32_t damage = 0) {
  v1::LabelRequest message;
  message.mutable_ask()->set_request_id(request);
  message.mutable_ask()->mutable_remaining()->set_seconds(10);
  auto* tensor = message.mutable_ask()->mutable_tensors()->add_tensors();
  tensor->set_name("examples");
  tensor->set_dtype(v1::FLOAT32);
  for (const int64_t dim : {static_cast<int64_t>(values.size()) / 2, int64_t{1}, int64_t{2}}) {
    tensor->add_dims(dim);
  }
  const ByteSlices payload =
      SlicesOf(std::string(reinterpret_cast<const char*>(values.data()), values.size() * 4));
  message.mutable_ask()->set_crc32c(Crc32c(payload) ^ damage);
  harness.server.OnMessage(student.id, message, payload);
  harness.control.RunAll();
}

// What the fake runner says of such rows.
std::vector<float> Truth(const std::vector<float>& values) {
  InferenceBatch batch;
  batch.examples = MakeTensorView(ElementType::kFloat32,
                                  {static_cast<int64_t>(values.size()) / 2, 1, 2}, values);
  batch.outputs = {"logits"};
  const ModelDescription description{"f00d", "test", {1, 2}, kClasses, {"logits"}};
  const InferenceResult result = FakeRunner::Answer(description, batch).value();
  const auto logits = result.outputs[0].as<float>();
  return {logits.begin(), logits.end()};
}

std::vector<float> Floats(const std::string& bytes) {
  std::vector<float> values(bytes.size() / sizeof(float));
  std::memcpy(values.data(), bytes.data(), bytes.size());
  return values;
}

TEST(LabelServerTensors, LabelsAreTheModelsForWhatWasSentAlsoBesideIdsInOneBatch) {
  LabelServerHarness harness({});
  auto runner = harness.Serve(FakeRunner::Mode::kOnDemand, /*queue=*/64);
  auto student = harness.Open();
  harness.Ask(*student, 1, 1);
  // In flight; these share the next batch.
  AskTensors(harness, *student, 2, {1, 2, 3, 4});
  harness.Ask(*student, 3, 2);
  AskTensors(harness, *student, 4, {5, 6});
  while (runner->CompleteOldest()) harness.control.RunAll();
  student->Read();
  EXPECT_THAT(student->answered, ElementsAre(1, 2, 3, 4));
  EXPECT_EQ(Floats(student->payload[2]), Truth({1, 2, 3, 4}));
  EXPECT_EQ(Floats(student->payload[4]), Truth({5, 6}));
}

TEST(LabelServerTensors, DamagedExamplesFailTheirAskAndNoOtherOfTheBatch) {
  LabelServerHarness harness({});
  auto runner = harness.Serve(FakeRunner::Mode::kOnDemand, /*queue=*/64);
  auto student = harness.Open();
  harness.Ask(*student, 1, 1);
  AskTensors(harness, *student, 2, {1, 2});
  AskTensors(harness, *student, 3, {3, 4}, /*damage=*/1);
  AskTensors(harness, *student, 4, {5, 6});
  while (runner->CompleteOldest()) harness.control.RunAll();
  student->Read();
  EXPECT_EQ(student->Code(3), absl::StatusCode::kDataLoss);
  EXPECT_EQ(Floats(student->payload[2]), Truth({1, 2}));
  EXPECT_EQ(Floats(student->payload[4]), Truth({5, 6}));
}

TEST(LabelServerTensors, WhatCameAlongCountsAsHeldMemory) {
  LabelStreamOptions options;
  // An answer of one row, and not its two floats as well.
  options.max_server_bytes = kClasses * sizeof(float) + sizeof(float);
  LabelServerHarness harness(options);
  harness.Serve(FakeRunner::Mode::kOnDemand, /*queue=*/64);
  auto student = harness.Open();
  AskTensors(harness, *student, 1, {1, 2});
  student->Read();
  EXPECT_EQ(student->Code(1), absl::StatusCode::kResourceExhausted);
  EXPECT_THAT(harness.shed, ElementsAre(Pair("memory", 1)));
}

}  // namespace
}  // namespace distill
