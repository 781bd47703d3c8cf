// A client that knows proto/teacher.proto and nothing of ours: its messages are protobuf's own
// bytes, and it sends its examples along.
#include <gmock/gmock.h>
#include <grpcpp/channel.h>
#include <grpcpp/client_context.h>
#include <grpcpp/create_channel.h>
#include <gtest/gtest.h>

#include <chrono>
#include <cstdint>
#include <cstring>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "proto/teacher.grpc.pb.h"
#include "teacher_server/service/teacher_service.h"
#include "tests/integration/in_process_teacher.h"

namespace distill {
namespace {

using ::testing::ElementsAreArray;
using ::testing::HasSubstr;

// The whole payload of an answer, or why there is none.
struct Answer {
  std::string payload;
  std::optional<v1::Failed> failed;

  std::vector<float> Floats() const {
    std::vector<float> values(payload.size() / sizeof(float));
    std::memcpy(values.data(), payload.data(), values.size() * sizeof(float));
    return values;
  }
};

class PlainClient {
 public:
  explicit PlainClient(const std::string& address)
      : stub_(v1::TeacherService::NewStub(
            grpc::CreateChannel(address, grpc::InsecureChannelCredentials()))) {
    context_.set_deadline(std::chrono::system_clock::now() + std::chrono::seconds(30));
    stream_ = stub_->Label(&context_);
    v1::LabelRequest request;
    v1::Open& open = *request.mutable_open();
    open.set_model("teacher");
    open.set_fingerprint("f00d");
    open.add_outputs()->set_name("logits");
    open.mutable_outputs(0)->mutable_logits();
    open.add_codecs("dense_fp32");
    open.set_classes(InProcessTeacher::kClasses);
    open.add_example_dims(1);
    open.add_example_dims(2);
    open.mutable_credit()->set_requests(8);
    open.mutable_credit()->set_bytes(1 << 20);
    v1::LabelResponse response;
    EXPECT_TRUE(stream_->Write(request) && stream_->Read(&response));
    EXPECT_EQ(response.opened().codec(), "dense_fp32");
  }

  // Of the only ask under way.
  Answer Ask(const v1::LabelRequest& request) {
    EXPECT_TRUE(stream_->Write(request));
    Answer answer;
    v1::LabelResponse response;
    while (stream_->Read(&response)) {
      if (response.has_failed()) {
        answer.failed = response.failed();
        break;
      }
      answer.payload += response.payload();
      if (response.labels().last()) break;
    }
    return answer;
  }

  grpc::Status End() { return stream_->Finish(); }

 private:
  grpc::ClientContext context_;
  const std::unique_ptr<v1::TeacherService::Stub> stub_;
  std::unique_ptr<grpc::ClientReaderWriter<v1::LabelRequest, v1::LabelResponse>> stream_;
};

v1::LabelRequest AskFor(uint64_t id) {
  v1::LabelRequest request;
  request.mutable_ask()->set_request_id(id);
  request.mutable_ask()->mutable_remaining()->set_seconds(20);
  return request;
}

v1::LabelRequest WithIds(uint64_t id, const std::vector<uint64_t>& ids) {
  v1::LabelRequest request = AskFor(id);
  v1::ExampleRefs& examples = *request.mutable_ask()->mutable_examples();
  examples.set_data_set_digest("data");
  examples.set_split(v1::TRAIN);
  examples.mutable_ids()->Add(ids.begin(), ids.end());
  return request;
}

// Rows of shape [1, 2].
v1::LabelRequest WithTensors(uint64_t id, const std::vector<float>& values) {
  v1::LabelRequest request = AskFor(id);
  auto& tensor = *request.mutable_ask()->mutable_tensors()->add_tensors();
  tensor.set_name("examples");
  tensor.set_dtype(v1::FLOAT32);
  for (const int64_t dim : {static_cast<int64_t>(values.size() / 2), int64_t{1}, int64_t{2}}) {
    tensor.add_dims(dim);
  }
  request.set_payload(values.data(), values.size() * sizeof(float));
  return request;
}

TEST(PlainClient, ExamplesThatAreSentAlongHaveTheLabelsOfTheSameExamplesById) {
  InProcessTeacher teacher;
  PlainClient client(teacher.address());
  const std::vector<float> by_id = client.Ask(WithIds(1, {7, 42, 99})).Floats();
  ASSERT_EQ(by_id.size(), 3u * InProcessTeacher::kClasses);
  EXPECT_EQ(by_id[InProcessTeacher::kClasses - 1], (InProcessTeacher::kClasses - 1) * (1 + 7.0f));
  // The data set's example i is 1 and i.
  const Answer sent = client.Ask(WithTensors(2, {1, 7, 1, 42, 1, 99}));
  EXPECT_THAT(sent.Floats(), ElementsAreArray(by_id));
}

TEST(PlainClient, ExamplesThatWereDamagedOnTheWayFailTheirAskAlone) {
  InProcessTeacher teacher;
  PlainClient client(teacher.address());
  v1::LabelRequest damaged = WithTensors(1, {1, 7});
  damaged.mutable_ask()->set_crc32c(1);
  const Answer answer = client.Ask(damaged);
  ASSERT_TRUE(answer.failed.has_value());
  EXPECT_EQ(answer.failed->code(), static_cast<int>(absl::StatusCode::kDataLoss));
  EXPECT_EQ(client.Ask(WithTensors(2, {1, 7})).Floats().size(), 1u * InProcessTeacher::kClasses);
}

TEST(PlainClient, MoreBytesThanAMessageMayHaveEndTheStreamWithTheReason) {
  InProcessTeacher teacher;
  PlainClient client(teacher.address());
  client.Ask(WithTensors(1, std::vector<float>(TeacherServiceImpl::kMaxRequestBytes / 4, 1)));
  const grpc::Status status = client.End();
  EXPECT_EQ(status.error_code(), grpc::StatusCode::RESOURCE_EXHAUSTED);
  EXPECT_THAT(status.error_message(), HasSubstr("bytes"));
}

}  // namespace
}  // namespace distill
