// Teacher server and student's channel against each other, over loopback.
#include "teacher_server/service/teacher_service.h"

#include <gmock/gmock.h>
#include <grpcpp/generic/generic_stub.h>
#include <gtest/gtest.h>

#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "absl/synchronization/notification.h"
#include "common/clock/clock.h"
#include "common/clock/thread_timer_queue.h"
#include "common/executor/thread_executor.h"
#include "common/rpc/client_stream.h"
#include "common/rpc/server.h"
#include "common/rpc/transport.h"
#include "common/tensor_view/tensor_view.h"
#include "distillation/labels/section.h"
#include "teacher_server/client/label_channel.h"
#include "teacher_server/runner/fake_runner.h"

namespace distill {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

constexpr absl::Duration kPatience = absl::Seconds(30);
constexpr int kExamples = 100;
constexpr int kClasses = 5;

std::shared_ptr<const DataSet> Data() {
  v1::DataSetConfig config;
  config.set_name("toy");
  config.set_classes(kClasses);
  config.set_scale(1);
  config.set_deviation(1);
  std::vector<uint8_t> pixels;
  for (int i = 0; i < kExamples; ++i) pixels.insert(pixels.end(), {1, static_cast<uint8_t>(i)});
  auto data = DataSet::FromArrays(
      config, MakeTensorView(ElementType::kUInt8, {kExamples, 1, 2}, pixels),
      MakeTensorView(ElementType::kInt64, {kExamples}, std::vector<int64_t>(kExamples, 0)),
      DataSet::Files::kTraining);
  EXPECT_TRUE(data.ok()) << data.status();
  return *data;
}

ModelDescription Description() { return {"f00d", "test", {1, 2}, kClasses, {"logits"}}; }

std::vector<float> Truth(const std::vector<uint64_t>& ids) {
  static const std::shared_ptr<const DataSet> data = Data();
  InferenceBatch batch;
  batch.examples = data->Examples(v1::TRAIN, ids, {}, {}).value();
  batch.outputs = {"logits"};
  const InferenceResult result = FakeRunner::Answer(Description(), batch).value();
  const auto values = result.outputs[0].as<float>();
  return {values.begin(), values.end()};
}

LabelChannelOptions ChannelOptions(const std::string& address, const std::string& codec) {
  LabelChannelOptions options;
  options.address = address;
  options.open.set_model("teacher");
  options.open.set_fingerprint("f00d");
  options.open.add_outputs()->set_name("logits");
  options.open.mutable_outputs(0)->mutable_logits();
  options.open.add_codecs(codec);
  options.open.set_classes(kClasses);
  options.open.add_example_dims(1);
  options.open.add_example_dims(2);
  options.request_credit = 8;
  options.byte_credit = 1000;
  return options;
}

v1::Ask AskFor(uint64_t request, const std::vector<uint64_t>& ids) {
  v1::Ask ask;
  ask.set_request_id(request);
  ask.mutable_remaining()->set_seconds(20);
  ask.mutable_examples()->set_data_set_digest("data");
  ask.mutable_examples()->set_split(v1::TRAIN);
  ask.mutable_examples()->mutable_ids()->Add(ids.begin(), ids.end());
  return ask;
}

class Student {
 public:
  explicit Student(const LabelChannelOptions& options) {
    LabelChannelEvents events;
    events.opened = [this](const v1::Opened&) { opened_.Notify(); };
    events.answered = [this](uint64_t id, std::shared_ptr<const ReceivedLabels> received) {
      auto labels = DecodeSection(received->sections.at(0),
                                  std::as_bytes(std::span(received->payload.view())));
      EXPECT_TRUE(labels.ok()) << labels.status();
      const auto values = labels->as<float>();
      absl::MutexLock lock(&mu_);
      labels_[id] = {values.begin(), values.end()};
    };
    events.failed = [this](uint64_t id, const absl::Status& status, absl::Duration) {
      absl::MutexLock lock(&mu_);
      failed_[id] = status;
    };
    events.draining = [this](const std::string&) { draining_.Notify(); };
    events.closed = [this](const absl::Status& status) {
      reason_ = status;
      closed_.Notify();
    };
    auto channel = LabelChannel::Open(options, std::move(events));
    EXPECT_TRUE(channel.ok()) << channel.status();
    channel_ = *channel;
  }
  ~Student() {
    channel_->Close();
    EXPECT_TRUE(closed_.WaitForNotificationWithTimeout(kPatience));
  }

  LabelChannel& channel() { return *channel_; }
  void AwaitOpened() { EXPECT_TRUE(opened_.WaitForNotificationWithTimeout(kPatience)); }
  void AwaitDraining() { EXPECT_TRUE(draining_.WaitForNotificationWithTimeout(kPatience)); }
  absl::Status AwaitClosed() {
    EXPECT_TRUE(closed_.WaitForNotificationWithTimeout(kPatience));
    return reason_;
  }
  // Waits until `count` asks have their terminal answer.
  void Await(size_t count) {
    absl::MutexLock lock(&mu_);
    const auto enough = [&]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) {
      return labels_.size() + failed_.size() >= count;
    };
    EXPECT_TRUE(mu_.AwaitWithTimeout(absl::Condition(&enough), kPatience));
  }
  std::vector<float> Labels(uint64_t id) {
    absl::MutexLock lock(&mu_);
    return labels_[id];
  }
  std::map<uint64_t, absl::Status> failed() {
    absl::MutexLock lock(&mu_);
    return failed_;
  }

 private:
  absl::Notification opened_;
  absl::Notification draining_;
  absl::Notification closed_;
  absl::Status reason_;
  absl::Mutex mu_;
  std::map<uint64_t, std::vector<float>> labels_ ABSL_GUARDED_BY(mu_);
  std::map<uint64_t, absl::Status> failed_ ABSL_GUARDED_BY(mu_);
  std::shared_ptr<LabelChannel> channel_;
};

// What the control thread tells, for a test to wait for.
class Observer final : public ServingObserver {
 public:
  void OnQueue(int64_t examples, size_t) override {
    absl::MutexLock lock(&mu_);
    waiting_ = examples;
  }
  void OnBatch(BatchReason, int64_t examples, absl::Duration, absl::Duration) override {
    absl::MutexLock lock(&mu_);
    batches_.push_back(examples);
  }
  void AwaitWaiting(int64_t examples) {
    absl::MutexLock lock(&mu_);
    const auto there = [&]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) { return waiting_ == examples; };
    EXPECT_TRUE(mu_.AwaitWithTimeout(absl::Condition(&there), kPatience));
  }
  std::vector<int64_t> batches() {
    absl::MutexLock lock(&mu_);
    return batches_;
  }

 private:
  absl::Mutex mu_;
  int64_t waiting_ ABSL_GUARDED_BY(mu_) = 0;
  std::vector<int64_t> batches_ ABSL_GUARDED_BY(mu_);
};

class TeacherServiceTest : public ::testing::Test {
 protected:
  TeacherServiceTest() {
    ServerOptions options;
    options.listen = "127.0.0.1:0";
    options.services = {&service_};
    auto rpc = RpcServer::Start(options);
    EXPECT_TRUE(rpc.ok()) << rpc.status();
    rpc_ = *std::move(rpc);
  }
  ~TeacherServiceTest() override {
    rpc_.reset();
    timers_.Stop();
    control_.Stop();
  }

  static LabelStreamOptions StreamOptions() {
    LabelStreamOptions options;
    options.max_part_bytes = 24;
    return options;
  }

  std::shared_ptr<FakeRunner> Serve(FakeRunner::Mode mode) {
    auto runner = std::make_shared<FakeRunner>(Description(), mode, 1);
    Serving serving;
    serving.model.model = "teacher";
    serving.model.fingerprint = "f00d";
    serving.model.data_set_digest = "data";
    serving.model.outputs = {"logits"};
    serving.model.codecs = {"dense_fp32", "dense_fp16"};
    serving.model.example_dims = {1, 2};
    serving.model.classes = kClasses;
    serving.runner = runner;
    serving.data = Data();
    serving.bounds.set_max_batch_examples(16);
    server_.Serve(std::move(serving));
    return runner;
  }
  std::unique_ptr<Student> Connect(const std::string& codec = "dense_fp32") {
    auto student = std::make_unique<Student>(ChannelOptions(rpc_->address(), codec));
    student->AwaitOpened();
    return student;
  }
  static void AwaitRunning(const FakeRunner& runner) {
    EXPECT_TRUE(runner.AwaitInFlight(1, kPatience));
  }
  static void CompleteNext(FakeRunner& runner) {
    AwaitRunning(runner);
    EXPECT_TRUE(runner.CompleteOldest());
  }
  void ExpectDrains() {
    auto done = std::make_shared<absl::Notification>();
    server_.Drain("the test ends", [done] { done->Notify(); });
    EXPECT_TRUE(done->WaitForNotificationWithTimeout(kPatience));
  }

  SystemClock clock_;
  ThreadExecutor control_{{.name = "control", .threads = 1, .max_queued = 1024}};
  ThreadTimerQueue timers_{&clock_};
  Observer observer_;
  LabelServer server_{StreamOptions(), &control_, &timers_, &clock_, &observer_};
  TeacherServiceImpl service_{&server_};
  std::unique_ptr<RpcServer> rpc_;
};

TEST_F(TeacherServiceTest, LabelsInPartsAreTheModelsForExactlyTheIdsAsked) {
  Serve(FakeRunner::Mode::kAtOnce);
  // 140 and 98 bytes in parts of 24; the numbers are exact in halves.
  for (const char* codec : {"dense_fp32", "dense_fp16"}) {
    auto student = Connect(codec);
    const std::vector<uint64_t> ids = {99, 0, 5, 5, 17, 3, 42};
    student->channel().Ask(AskFor(1, ids));
    student->Await(1);
    EXPECT_EQ(student->Labels(1), Truth(ids)) << codec;
  }
}

TEST_F(TeacherServiceTest, ManyStudentsAtOnceEachGetTheirOwn) {
  Serve(FakeRunner::Mode::kAtOnce);
  constexpr int kStudents = 4;
  constexpr uint64_t kRounds = 40;
  std::vector<std::unique_ptr<Student>> students;
  for (int s = 0; s < kStudents; ++s) students.push_back(Connect());
  const auto ids = [](uint64_t s, uint64_t request) -> std::vector<uint64_t> {
    return {(7 * request + 31 * s) % kExamples, (request + s) % kExamples, s};
  };
  // Rounds of as many asks as the credit of 8 allows.
  for (uint64_t round = 0; round < kRounds; ++round) {
    for (uint64_t s = 0; s < kStudents; ++s) {
      for (uint64_t i = 1; i <= 8; ++i) {
        const uint64_t request = 8 * round + i;
        students[s]->channel().Ask(AskFor(request, ids(s, request)));
      }
    }
    for (const auto& student : students) student->Await(8 * (round + 1));
  }
  for (uint64_t s = 0; s < kStudents; ++s) {
    EXPECT_THAT(students[s]->failed(), IsEmpty());
    for (uint64_t request = 1; request <= 8 * kRounds; ++request) {
      ASSERT_EQ(students[s]->Labels(request), Truth(ids(s, request))) << s << " " << request;
    }
  }
}

TEST_F(TeacherServiceTest, TwoStudentsShareABatch) {
  auto runner = Serve(FakeRunner::Mode::kOnDemand);
  auto first = Connect();
  auto second = Connect("dense_fp16");
  first->channel().Ask(AskFor(1, {1}));
  AwaitRunning(*runner);
  first->channel().Ask(AskFor(2, {2, 3}));
  second->channel().Ask(AskFor(1, {4}));
  observer_.AwaitWaiting(3);
  CompleteNext(*runner);
  CompleteNext(*runner);
  first->Await(2);
  second->Await(1);
  EXPECT_EQ(first->Labels(2), Truth({2, 3}));
  EXPECT_EQ(second->Labels(1), Truth({4}));
  first.reset();
  second.reset();
  ExpectDrains();
  EXPECT_THAT(observer_.batches(), ElementsAre(1, 3));
}

TEST_F(TeacherServiceTest, AFailedAskBringsItsCodeAndOthersGoOn) {
  Serve(FakeRunner::Mode::kAtOnce);
  auto student = Connect();
  student->channel().Ask(AskFor(1, {kExamples}));
  student->channel().Ask(AskFor(2, {1}));
  student->Await(2);
  EXPECT_EQ(student->failed()[1].code(), absl::StatusCode::kOutOfRange);
  EXPECT_EQ(student->Labels(2), Truth({1}));
}

TEST_F(TeacherServiceTest, AStreamForAnotherFingerprintIsClosedWithItsReason) {
  Serve(FakeRunner::Mode::kAtOnce);
  LabelChannelOptions options = ChannelOptions(rpc_->address(), "dense_fp32");
  options.open.set_fingerprint("beef");
  Student student(options);
  const absl::Status status = student.AwaitClosed();
  EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(std::string(status.message()), HasSubstr(rpc_->address()));
}

TEST_F(TeacherServiceTest, AnAnswerAboveTheStudentsLimitIsRefused) {
  Serve(FakeRunner::Mode::kAtOnce);
  LabelChannelOptions options = ChannelOptions(rpc_->address(), "dense_fp32");
  options.max_answer_bytes = 2 * kClasses * sizeof(float);
  Student student(options);
  student.AwaitOpened();
  student.channel().Ask(AskFor(1, {1, 2}));
  student.Await(1);
  EXPECT_EQ(student.Labels(1), Truth({1, 2}));
  student.channel().Ask(AskFor(2, {1, 2, 3}));
  EXPECT_EQ(student.AwaitClosed().code(), absl::StatusCode::kDataLoss);
}

TEST_F(TeacherServiceTest, DrainAnswersWhatIsInFlightRefusesNewAsksThenEnds) {
  auto runner = Serve(FakeRunner::Mode::kOnDemand);
  auto student = Connect();
  student->channel().Ask(AskFor(1, {1}));
  AwaitRunning(*runner);
  absl::Notification done;
  server_.Drain("stopped", [&] { done.Notify(); });
  student->AwaitDraining();
  student->channel().Ask(AskFor(2, {2}));
  student->Await(1);
  EXPECT_EQ(student->failed()[2].code(), absl::StatusCode::kUnavailable);
  EXPECT_FALSE(done.HasBeenNotified());
  CompleteNext(*runner);
  student->Await(2);
  EXPECT_EQ(student->Labels(1), Truth({1}));
  EXPECT_TRUE(student->AwaitClosed().ok());
  EXPECT_TRUE(done.WaitForNotificationWithTimeout(kPatience));
  Student late(ChannelOptions(rpc_->address(), "dense_fp32"));
  EXPECT_EQ(late.AwaitClosed().code(), absl::StatusCode::kUnavailable);
}

TEST_F(TeacherServiceTest, AStudentThatVanishesLeavesNothingBehind) {
  auto runner = Serve(FakeRunner::Mode::kOnDemand);
  auto student = Connect();
  student->channel().Ask(AskFor(1, {1}));
  AwaitRunning(*runner);
  student->channel().Ask(AskFor(2, {2}));
  observer_.AwaitWaiting(1);
  student.reset();
  observer_.AwaitWaiting(0);
  CompleteNext(*runner);
  ExpectDrains();
  EXPECT_THAT(observer_.batches(), ElementsAre(1));
}

class RawClient final : public ClientStream<grpc::ByteBuffer, grpc::ByteBuffer> {
 public:
  explicit RawClient(const std::string& bytes) : bytes_(bytes) {}
  absl::Status AwaitClosed() {
    EXPECT_TRUE(closed_.WaitForNotificationWithTimeout(kPatience));
    return status_;
  }

 protected:
  void OnMessage(grpc::ByteBuffer) override {}
  std::optional<grpc::ByteBuffer> NextToWrite() override {
    if (std::exchange(sent_, true)) return std::nullopt;
    const grpc::Slice slice(bytes_);
    return grpc::ByteBuffer(&slice, 1);
  }
  void OnClosed(const absl::Status& status) override {
    status_ = status;
    closed_.Notify();
  }

 private:
  const std::string bytes_;
  bool sent_ = false;
  absl::Status status_;
  absl::Notification closed_;
};

// Sends one message again and again.
class Flood final : public ClientStream<grpc::ByteBuffer, grpc::ByteBuffer> {
 public:
  Flood(std::string first, std::string then, int count)
      : first_(std::move(first)), then_(std::move(then)), left_(count) {}
  void AwaitWritten() { EXPECT_TRUE(written_.WaitForNotificationWithTimeout(kPatience)); }
  absl::Status AwaitClosed() {
    EXPECT_TRUE(closed_.WaitForNotificationWithTimeout(kPatience));
    return status_;
  }

 protected:
  void OnMessage(grpc::ByteBuffer) override {}
  std::optional<grpc::ByteBuffer> NextToWrite() override {
    if (left_ == 0 && !written_.HasBeenNotified()) written_.Notify();
    if (left_ == 0) return std::nullopt;
    --left_;
    const grpc::Slice slice(first_.empty() ? then_ : std::exchange(first_, ""));
    return grpc::ByteBuffer(&slice, 1);
  }
  void OnClosed(const absl::Status& status) override {
    status_ = status;
    closed_.Notify();
  }

 private:
  std::string first_;
  const std::string then_;
  int left_;
  absl::Notification written_;
  absl::Status status_;
  absl::Notification closed_;
};

TEST_F(TeacherServiceTest, AStreamThatFloodsTheServerEndsNoOthers) {
  Serve(FakeRunner::Mode::kAtOnce);
  auto student = Connect();
  absl::Notification release;
  ASSERT_TRUE(control_.Schedule([&] { release.WaitForNotification(); }).ok());
  v1::LabelRequest open;
  *open.mutable_open() = ChannelOptions("", "dense_fp32").open;
  v1::LabelRequest credit;
  credit.mutable_credit()->set_requests(1);
  auto channel = CreateChannel({}, rpc_->address());
  ASSERT_TRUE(channel.ok());
  grpc::TemplatedGenericStub<grpc::ByteBuffer, grpc::ByteBuffer> stub(*channel);
  // Twice what the control executor holds.
  auto flood = std::make_shared<Flood>(open.SerializeAsString(), credit.SerializeAsString(), 2048);
  stub.PrepareBidiStreamingCall(flood->context(), "/distill.v1.TeacherService/Label", {},
                                flood.get());
  flood->Begin();
  flood->Wake();
  flood->AwaitWritten();
  student->channel().Ask(AskFor(1, {1}));
  release.Notify();
  student->Await(1);
  EXPECT_EQ(student->Labels(1), Truth({1}));
  flood->Cancel();
  EXPECT_EQ(flood->AwaitClosed().code(), absl::StatusCode::kCancelled);
}

TEST_F(TeacherServiceTest, WhatIsNotALabelRequestOrTooLargeEndsTheStream) {
  Serve(FakeRunner::Mode::kAtOnce);
  const auto end_of = [&](const std::string& bytes) {
    auto channel = CreateChannel({}, rpc_->address());
    EXPECT_TRUE(channel.ok());
    grpc::TemplatedGenericStub<grpc::ByteBuffer, grpc::ByteBuffer> stub(*channel);
    auto client = std::make_shared<RawClient>(bytes);
    stub.PrepareBidiStreamingCall(client->context(), "/distill.v1.TeacherService/Label", {},
                                  client.get());
    client->Begin();
    return client->AwaitClosed().code();
  };
  EXPECT_EQ(end_of("\xff\xff\xff"), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(end_of(""), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(end_of(std::string(TeacherServiceImpl::kMaxRequestBytes + 1, 'x')),
            absl::StatusCode::kResourceExhausted);
  auto student = Connect();
  student->channel().Ask(AskFor(1, {1}));
  student->Await(1);
  EXPECT_EQ(student->Labels(1), Truth({1}));
}

}  // namespace
}  // namespace distill
