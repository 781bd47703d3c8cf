// Against a server that says whatever the test wants. Against the real one:
// teacher_server/service/teacher_service_test.cc.
#include "teacher_server/client/label_channel.h"

#include <gmock/gmock.h>
#include <grpcpp/generic/async_generic_service.h>
#include <grpcpp/impl/codegen/proto_utils.h>
#include <grpcpp/security/server_credentials.h>
#include <grpcpp/server_builder.h>
#include <gtest/gtest.h>

#include <atomic>
#include <deque>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "absl/synchronization/notification.h"
#include "common/digest/crc32c.h"
#include "common/rpc/framing.h"
#include "common/rpc/server_stream.h"

namespace distill {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

constexpr absl::Duration kPatience = absl::Seconds(30);

struct Message {
  v1::LabelResponse head;
  std::string payload;
};
using Script = std::function<std::vector<Message>(const v1::LabelRequest&)>;

// What the server received, and what it says to it.
struct Scripted {
  absl::Mutex mu;
  Script script;
  std::vector<v1::LabelRequest> received ABSL_GUARDED_BY(mu);

  void Await(const std::function<bool()>& condition) {
    absl::MutexLock lock(&mu);
    EXPECT_TRUE(mu.AwaitWithTimeout(absl::Condition(&condition), kPatience));
  }
};

class ScriptedStream final : public ServerStream<grpc::ByteBuffer, grpc::ByteBuffer> {
 public:
  explicit ScriptedStream(Scripted* scripted) : scripted_(scripted) {}

 protected:
  void OnMessage(grpc::ByteBuffer message) override {
    v1::LabelRequest request;
    EXPECT_TRUE(grpc::SerializationTraits<v1::LabelRequest>::Deserialize(&message, &request).ok());
    {
      absl::MutexLock lock(&scripted_->mu);
      scripted_->received.push_back(request);
    }
    for (const Message& answer : scripted_->script(request)) {
      absl::MutexLock lock(&mu_);
      outbox_.push_back(
          BuildFrame(answer.head, v1::LabelResponse::kPayloadFieldNumber, SlicesOf(answer.payload))
              .value());
    }
    Wake();
  }
  std::optional<grpc::ByteBuffer> NextToWrite() override {
    absl::MutexLock lock(&mu_);
    if (outbox_.empty()) return std::nullopt;
    grpc::ByteBuffer next = outbox_.front();
    outbox_.pop_front();
    return next;
  }
  void OnPeerDone() override { End(absl::OkStatus()); }
  void OnEnded() override {}

 private:
  Scripted* const scripted_;
  absl::Mutex mu_;
  std::deque<grpc::ByteBuffer> outbox_ ABSL_GUARDED_BY(mu_);
};

class ScriptedService final : public grpc::CallbackGenericService {
 public:
  explicit ScriptedService(Scripted* scripted) : scripted_(scripted) {}
  grpc::ServerGenericBidiReactor* CreateReactor(
      grpc::GenericCallbackServerContext* context) override {
    EXPECT_EQ(context->method(), "/distill.v1.TeacherService/Label");
    return std::make_shared<ScriptedStream>(scripted_)->Begin();
  }

 private:
  Scripted* const scripted_;
};

Message OpenedMessage() {
  Message message;
  message.head.mutable_opened()->set_codec("dense_fp32");
  return message;
}

Message Part(uint64_t id, uint32_t number, const std::string& bytes, bool last, uint64_t total) {
  Message message;
  v1::Labels* part = message.head.mutable_labels();
  part->set_request_id(id);
  part->set_part(number);
  part->set_last(last);
  part->set_total_bytes(total);
  part->set_crc32c(Crc32c(bytes));
  message.payload = bytes;
  return message;
}

class LabelChannelTest : public ::testing::Test {
 protected:
  LabelChannelTest() : service_(&scripted_) {
    grpc::ServerBuilder builder;
    builder.AddListeningPort("127.0.0.1:0", grpc::InsecureServerCredentials(), &port_);
    builder.RegisterCallbackGenericService(&service_);
    server_ = builder.BuildAndStart();
  }

  // `answer` says what comes for an ask.
  void Start(std::function<std::vector<Message>(const v1::Ask&)> answer) {
    scripted_.script = [answer](const v1::LabelRequest& request) -> std::vector<Message> {
      if (request.has_open()) return {OpenedMessage()};
      if (request.has_ask()) return answer(request.ask());
      return {};
    };
    LabelChannelOptions options;
    options.address = "127.0.0.1:" + std::to_string(port_);
    options.open.set_model("teacher");
    options.request_credit = 3;
    options.byte_credit = 1000;
    options.max_answer_bytes = 100;
    LabelChannelEvents events;
    events.opened = [this](const v1::Opened&) { opened_.Notify(); };
    events.answered = [this](uint64_t id, std::shared_ptr<const ReceivedLabels> labels) {
      if (asks_left_-- > 0) Ask(id + 1);
      absl::MutexLock lock(&mu_);
      answers_[id] = std::string(labels->payload.view());
    };
    events.failed = [this](uint64_t id, const absl::Status& status, absl::Duration retry_after) {
      absl::MutexLock lock(&mu_);
      failures_[id] = {status, retry_after};
    };
    events.closed = [this](const absl::Status& status) {
      reason_ = status;
      closed_.Notify();
    };
    auto channel = LabelChannel::Open(options, std::move(events));
    ASSERT_TRUE(channel.ok()) << channel.status();
    channel_ = *channel;
    ASSERT_TRUE(opened_.WaitForNotificationWithTimeout(kPatience));
  }
  void TearDown() override {
    if (channel_ != nullptr) {
      channel_->Close();
      EXPECT_TRUE(closed_.WaitForNotificationWithTimeout(kPatience));
    }
    server_->Shutdown(std::chrono::system_clock::now());
  }
  void Ask(uint64_t id) {
    v1::Ask ask;
    ask.set_request_id(id);
    channel_->Ask(std::move(ask));
  }
  void AwaitTerminal(size_t count) {
    absl::MutexLock lock(&mu_);
    const auto enough = [&]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) {
      return answers_.size() + failures_.size() >= count;
    };
    EXPECT_TRUE(mu_.AwaitWithTimeout(absl::Condition(&enough), kPatience));
  }
  absl::Status AwaitClosed() {
    EXPECT_TRUE(closed_.WaitForNotificationWithTimeout(kPatience));
    return reason_;
  }
  std::map<uint64_t, std::string> answers() {
    absl::MutexLock lock(&mu_);
    return answers_;
  }

  Scripted scripted_;
  ScriptedService service_;
  int port_ = 0;
  std::unique_ptr<grpc::Server> server_;
  std::shared_ptr<LabelChannel> channel_;
  std::atomic<int> asks_left_{0};
  absl::Notification opened_;
  absl::Notification closed_;
  absl::Status reason_;
  absl::Mutex mu_;
  std::map<uint64_t, std::string> answers_ ABSL_GUARDED_BY(mu_);
  std::map<uint64_t, std::pair<absl::Status, absl::Duration>> failures_ ABSL_GUARDED_BY(mu_);
};

TEST_F(LabelChannelTest, AnswersOfOneAndOfSeveralPartsArriveWhole) {
  Start([](const v1::Ask& ask) -> std::vector<Message> {
    if (ask.request_id() == 1) return {Part(1, 0, "one", true, 3)};
    return {Part(2, 0, "tw", false, 5), Part(2, 1, "o", false, 0), Part(2, 2, "!!", true, 0)};
  });
  Ask(1);
  Ask(2);
  AwaitTerminal(2);
  EXPECT_THAT(answers(), ElementsAre(std::pair(1, "one"), std::pair(2, "two!!")));
}

// The server's view: an ask is within the credit when it arrives, and the credit comes
// back, several at a time.
TEST_F(LabelChannelTest, WhatIsAskedInsideAnEventIsWithinTheCreditGrantedBefore) {
  Start([](const v1::Ask& ask) -> std::vector<Message> {
    return {Part(ask.request_id(), 0, "0123456789", true, 10)};
  });
  // Three chains of asks, so that writes are often under way.
  asks_left_ = 300;
  Ask(1000);
  Ask(2000);
  Ask(3000);
  AwaitTerminal(303);
  const auto granted = [&](auto field) ABSL_NO_THREAD_SAFETY_ANALYSIS {
    uint64_t sum = 0;
    for (const v1::LabelRequest& request : scripted_.received) sum += field(request.credit());
    return sum;
  };
  // All but what is not yet worth a message: the spare requests, a quarter of the bytes.
  scripted_.Await([&] {
    return granted([](const v1::Credit& c) { return c.requests(); }) >= 303 - 31 &&
           granted([](const v1::Credit& c) { return c.bytes(); }) >= 3030 - 250;
  });
  absl::MutexLock lock(&scripted_.mu);
  EXPECT_EQ(scripted_.received[0].open().credit().requests(), 3u + 32);
  EXPECT_EQ(scripted_.received[0].open().credit().bytes(), 1000u);
  uint64_t asks = 0;
  uint64_t credit = 3 + 32;
  for (const v1::LabelRequest& request : scripted_.received) {
    credit += request.credit().requests();
    if (request.has_credit()) {
      EXPECT_TRUE(request.credit().requests() >= 32 || request.credit().bytes() > 250)
          << request.credit().ShortDebugString();
    }
    if (!request.has_ask()) continue;
    EXPECT_LT(asks++, credit);
  }
}

TEST_F(LabelChannelTest, AFailureBringsItsCodeAndHint) {
  Start([](const v1::Ask& ask) -> std::vector<Message> {
    Message message;
    message.head.mutable_failed()->set_request_id(ask.request_id());
    message.head.mutable_failed()->set_code(8);
    message.head.mutable_failed()->set_message("full");
    message.head.mutable_failed()->mutable_retry_after()->set_nanos(5'000'000);
    return {message};
  });
  Ask(7);
  AwaitTerminal(1);
  absl::MutexLock lock(&mu_);
  EXPECT_EQ(failures_[7].first, absl::ResourceExhaustedError("full"));
  EXPECT_EQ(failures_[7].second, absl::Milliseconds(5));
}

TEST_F(LabelChannelTest, ADamagedPartClosesWithDataLossThatNamesTheServer) {
  Start([](const v1::Ask& ask) -> std::vector<Message> {
    Message message = Part(ask.request_id(), 0, "good", true, 4);
    message.payload = "evil";
    return {message};
  });
  Ask(1);
  const absl::Status status = AwaitClosed();
  EXPECT_EQ(status.code(), absl::StatusCode::kDataLoss);
  EXPECT_THAT(std::string(status.message()), HasSubstr("127.0.0.1:" + std::to_string(port_)));
  EXPECT_THAT(std::string(status.message()), HasSubstr("CRC-32C"));
  EXPECT_THAT(answers(), IsEmpty());
}

TEST_F(LabelChannelTest, AnAnswerAboveTheLimitIsRefusedAtItsFirstPart) {
  Start([](const v1::Ask& ask) -> std::vector<Message> {
    return {Part(ask.request_id(), 0, "a", false, 101)};
  });
  Ask(1);
  const absl::Status status = AwaitClosed();
  EXPECT_EQ(status.code(), absl::StatusCode::kDataLoss);
  EXPECT_THAT(std::string(status.message()), HasSubstr("at most 100"));
}

TEST_F(LabelChannelTest, ACancelIsSentOnceAndOnlyForWhatIsUnanswered) {
  Start([](const v1::Ask& ask) -> std::vector<Message> {
    if (ask.request_id() == 2) return {Part(2, 0, "x", true, 1)};
    return {};
  });
  Ask(1);
  channel_->Cancel(1);
  channel_->Cancel(1);
  channel_->Cancel(5);
  Ask(2);
  AwaitTerminal(1);
  absl::MutexLock lock(&scripted_.mu);
  int cancels = 0;
  for (const v1::LabelRequest& request : scripted_.received) cancels += request.has_cancel();
  EXPECT_EQ(cancels, 1);
}

TEST_F(LabelChannelTest, CloseEndsWithCancelledOnce) {
  Start([](const v1::Ask&) -> std::vector<Message> { return {}; });
  channel_->Close();
  channel_->Close();
  EXPECT_EQ(AwaitClosed().code(), absl::StatusCode::kCancelled);
  Ask(1);
  channel_->Cancel(1);
}

TEST_F(LabelChannelTest, AServerThatGoesClosesWithAnErrorThatMayBeTriedElsewhere) {
  Start([](const v1::Ask&) -> std::vector<Message> { return {}; });
  Ask(1);
  server_->Shutdown(std::chrono::system_clock::now());
  const absl::Status status = AwaitClosed();
  EXPECT_TRUE(status.code() == absl::StatusCode::kUnavailable ||
              status.code() == absl::StatusCode::kCancelled)
      << status;
}

TEST(LabelChannelOpenTest, AnAddressThatIsNotAllowedIsRefusedAtOnce) {
  LabelChannelOptions options;
  options.address = "192.0.2.1:80";
  EXPECT_EQ(LabelChannel::Open(options, {}).status().code(), absl::StatusCode::kFailedPrecondition);
}

}  // namespace
}  // namespace distill
