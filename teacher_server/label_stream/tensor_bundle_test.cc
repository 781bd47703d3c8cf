// Asks that bring their examples along.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "common/bytes/byte_slices.h"
#include "teacher_server/label_stream/label_stream.h"

namespace distill {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

LabelStream Opened(const std::string& codec = "dense_fp32") {
  auto served = std::make_shared<ServedModel>();
  served->model = "teacher";
  served->fingerprint = "f00d";
  served->outputs = {"logits"};
  served->codecs = {codec};
  served->example_dims = {28, 28};
  served->classes = 10;
  LabelStream stream({}, served, absl::OkStatus());
  v1::LabelRequest message;
  v1::Open* open = message.mutable_open();
  open->set_model("teacher");
  open->set_fingerprint("f00d");
  open->add_outputs()->set_name("logits");
  open->mutable_outputs(0)->mutable_logits();
  open->add_codecs(codec);
  open->set_min_temperature(1);
  open->set_max_temperature(1);
  open->set_classes(10);
  open->add_example_dims(28);
  open->add_example_dims(28);
  open->mutable_credit()->set_requests(100);
  open->mutable_credit()->set_bytes(1 << 20);
  EXPECT_TRUE(stream.OnMessage(message).ok());
  EXPECT_TRUE(stream.NextFrame()->head.has_opened());
  return stream;
}

// Two examples of [28, 28].
ByteSlices Payload() {
  std::vector<float> values(2 * 28 * 28, 0.5f);
  values.back() = 7;
  return SlicesOf(std::string(reinterpret_cast<const char*>(values.data()), values.size() * 4));
}

v1::LabelRequest AskTensors(uint64_t id) {
  v1::LabelRequest message;
  message.mutable_ask()->set_request_id(id);
  message.mutable_ask()->mutable_remaining()->set_seconds(10);
  auto* tensor = message.mutable_ask()->mutable_tensors()->add_tensors();
  tensor->set_name("examples");
  tensor->set_dtype(v1::FLOAT32);
  for (const int64_t dim : {2, 28, 28}) tensor->add_dims(dim);
  return message;
}

TEST(TensorBundle, ExamplesMayComeAlong) {
  LabelStream stream = Opened();
  v1::LabelRequest message = AskTensors(5);
  message.mutable_ask()->set_crc32c(17);
  const ByteSlices payload = Payload();
  EXPECT_TRUE(stream.OnMessage(message, payload).ok());
  const std::vector<AdmittedAsk> admitted = stream.TakeAdmitted();
  ASSERT_THAT(admitted, SizeIs(1));
  ASSERT_TRUE(admitted[0].tensors.has_value());
  EXPECT_THAT(admitted[0].tensors->dims, ElementsAre(2, 28, 28));
  EXPECT_EQ(admitted[0].tensors->crc32c, 17u);
  EXPECT_EQ(admitted[0].tensors->bytes.slices.at(0).data(), payload.slices[0].data());
}

TEST(TensorBundle, ExamplesThatDoNotFitTheModelAreRefused) {
  LabelStream stream = Opened();
  using Tensor = v1::TensorBundle::NamedTensor;
  const auto refusal = [&](const std::function<void(v1::TensorBundle*, Tensor*)>& change,
                           const ByteSlices& payload = Payload()) {
    v1::LabelRequest message = AskTensors(5);
    v1::TensorBundle* bundle = message.mutable_ask()->mutable_tensors();
    change(bundle, bundle->mutable_tensors(0));
    EXPECT_TRUE(stream.OnMessage(message, payload).ok());
    EXPECT_THAT(stream.TakeAdmitted(), IsEmpty());
    const v1::Failed failed = stream.NextFrame()->head.failed();
    EXPECT_EQ(static_cast<absl::StatusCode>(failed.code()), absl::StatusCode::kInvalidArgument);
    return failed.message();
  };
  EXPECT_THAT(refusal([](auto* b, auto*) { b->clear_tensors(); }), HasSubstr("'examples'"));
  EXPECT_THAT(refusal([](auto* b, auto*) { b->add_tensors(); }), HasSubstr("one float32 tensor"));
  EXPECT_THAT(refusal([](auto*, auto* t) { t->set_name("x"); }), HasSubstr("'examples'"));
  EXPECT_THAT(refusal([](auto*, auto* t) { t->set_dtype(v1::UINT8); }), HasSubstr("float32"));
  EXPECT_THAT(refusal([](auto*, auto* t) { t->clear_dims(); }), HasSubstr("[rows, 28, 28]"));
  EXPECT_THAT(refusal([](auto*, auto* t) { t->set_dims(2, 29); }), HasSubstr("[2, 28, 29]"));
  EXPECT_THAT(refusal([](auto*, auto* t) { t->set_dims(0, 0); }), HasSubstr("no example"));
  EXPECT_THAT(refusal([](auto*, auto* t) { t->set_dims(0, -1); }), HasSubstr("no example"));
  EXPECT_THAT(refusal([](auto*, auto* t) { t->set_dims(0, int64_t{1} << 62); }),
              HasSubstr("in one request"));
  EXPECT_THAT(refusal([](auto*, auto*) {}, SlicesOf(std::string(6271, 'x'))),
              HasSubstr("6271 bytes; its shape says 6272"));
  EXPECT_EQ(stream.unanswered(), 0u);
}

TEST(TensorBundle, ExamplesWithoutAnIdAreRefusedWhereTheCodecDrawsByIt) {
  LabelStream stream = Opened("sampled");
  EXPECT_TRUE(stream.OnMessage(AskTensors(5), Payload()).ok());
  EXPECT_THAT(stream.TakeAdmitted(), IsEmpty());
  EXPECT_THAT(stream.NextFrame()->head.failed().message(), HasSubstr("another codec"));
}

TEST(TensorBundle, APayloadThatBelongsToNoTensorIsRefused) {
  LabelStream stream = Opened();
  v1::LabelRequest message;
  message.mutable_ask()->set_request_id(5);
  message.mutable_ask()->mutable_remaining()->set_seconds(10);
  message.mutable_ask()->mutable_examples()->add_ids(1);
  EXPECT_TRUE(stream.OnMessage(message, Payload()).ok());
  EXPECT_THAT(stream.NextFrame()->head.failed().message(), HasSubstr("payload without tensors"));
}

}  // namespace
}  // namespace distill
