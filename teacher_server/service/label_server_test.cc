#include "teacher_server/service/label_server.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>
#include <span>

#include "absl/strings/str_cat.h"
#include "common/clock/fake_clock.h"
#include "common/clock/fake_timer_queue.h"
#include "common/executor/manual_executor.h"
#include "common/rpc/peer_identity.h"
#include "common/tensor_view/tensor_view.h"
#include "distillation/labels/section.h"
#include "teacher_server/runner/fake_runner.h"
#include "teacher_server/service/flat_example_data.h"

namespace distill {
namespace {

using ::testing::ContainsRegex;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::SizeIs;

// What the fake model says of these examples.
std::vector<float> Truth(const std::vector<uint64_t>& ids) {
  InferenceBatch batch;
  batch.examples = FlatExampleData()->Examples(v1::TRAIN, ids, {}, {}).value();
  batch.outputs = {"logits"};
  const InferenceResult result = FakeRunner::Answer(FlatExampleModel(), batch).value();
  const auto values = result.outputs[0].as<float>();
  return {values.begin(), values.end()};
}

struct Observer final : ServingObserver {
  void OnAnswered(absl::StatusCode code, int64_t, absl::Duration) override {
    answered.insert(code);
  }
  void OnBatch(BatchReason, int64_t examples, absl::Duration waited, absl::Duration) override {
    batches.push_back(examples);
    queues.push_back(waited);
  }
  void OnQueue(int64_t examples, size_t) override { queue = examples; }
  std::multiset<absl::StatusCode> answered;
  std::vector<int64_t> batches;
  std::vector<absl::Duration> queues;
  int64_t queue = 0;
};

// A student whose stream carries everything at once.
class Student final : public FrameSink {
 public:
  explicit Student(LabelServer* server) : server_(server) {}

  void Wake() override { ++wakes; }
  void End(const absl::Status& status) override {
    ++ends;
    if (!end.has_value()) end = status;
  }

  void Read() {
    while (std::optional<LabelFrame> frame = server_->NextFrame(id)) {
      std::string bytes;
      for (const std::string_view slice : frame->payload.slices) bytes += slice;
      const v1::LabelResponse& head = frame->head;
      if (head.has_opened()) opened = head.opened();
      if (head.has_draining()) draining = true;
      if (head.has_failed()) failed[head.failed().request_id()] = head.failed();
      if (head.has_labels()) {
        const uint64_t request = head.labels().request_id();
        payload[request] += bytes;
        for (const auto& section : head.labels().sections()) sections[request] = section;
        if (head.labels().last()) stages[request] = head.labels().stages();
      }
    }
  }
  std::vector<float> Labels(uint64_t request) {
    if (!stages.contains(request)) return {};
    auto labels = DecodeSection(sections[request], std::as_bytes(std::span(payload[request])));
    EXPECT_TRUE(labels.ok()) << labels.status();
    const auto values = labels->as<float>();
    return {values.begin(), values.end()};
  }
  absl::StatusCode Code(uint64_t request) {
    return static_cast<absl::StatusCode>(failed[request].code());
  }

  uint64_t id = 0;
  int wakes = 0;
  int ends = 0;
  bool draining = false;
  std::optional<absl::Status> end;
  std::optional<v1::Opened> opened;
  std::map<uint64_t, v1::Failed> failed;
  std::map<uint64_t, std::string> payload;
  std::map<uint64_t, v1::Section> sections;
  std::map<uint64_t, v1::StageSeconds> stages;

 private:
  LabelServer* const server_;
};

class LabelServerTest : public ::testing::Test {
 protected:
  LabelServerTest() : server_(Options(), &control_, &timers_, &clock_, &observer_) {}
  ~LabelServerTest() override { server_.StopServing(absl::UnavailableError("test ends")), Run(); }

  static LabelStreamOptions Options() {
    LabelStreamOptions options;
    options.max_part_bytes = 16;
    return options;
  }

  void Run() {
    control_.RunAll();
    for (const auto& student : students_) student->Read();
  }

  void Serve(std::shared_ptr<Runner> runner, const std::string& fingerprint = "f00d") {
    Serving serving;
    serving.model.model = "teacher";
    serving.model.fingerprint = fingerprint;
    serving.model.data_set_digest = "data";
    serving.model.outputs = {"logits"};
    serving.model.codecs = {"dense_fp32", "dense_fp16"};
    serving.model.example_dims = {1, 2};
    serving.model.classes = 3;
    serving.runner = std::move(runner);
    serving.data = FlatExampleData();
    serving.bounds.set_max_batch_examples(4);
    serving.bounds.set_max_queue_examples(6);
    serving.bounds.set_max_queue_delay_seconds(0.002);
    server_.Serve(std::move(serving));
    Run();
  }
  std::shared_ptr<FakeRunner> ServeFake(FakeRunner::Mode mode) {
    auto runner = std::make_shared<FakeRunner>(FlatExampleModel(), mode, 1);
    Serve(runner);
    return runner;
  }

  std::shared_ptr<Student> Connect() {
    auto student = std::make_shared<Student>(&server_);
    student->id = server_.Connect(PeerIdentity{"ipv4:10.0.0.7:40000", ""}, student);
    students_.push_back(student);
    return student;
  }
  std::shared_ptr<Student> Open(const std::string& codec = "dense_fp32", bool exact = false,
                                const std::string& fingerprint = "f00d") {
    auto student = Connect();
    v1::LabelRequest message;
    v1::Open* open = message.mutable_open();
    open->set_model("teacher");
    open->set_fingerprint(fingerprint);
    open->add_outputs()->set_name("logits");
    open->mutable_outputs(0)->mutable_logits();
    open->add_codecs(codec);
    open->set_exact(exact);
    open->set_classes(3);
    open->add_example_dims(1);
    open->add_example_dims(2);
    open->mutable_credit()->set_requests(100);
    open->mutable_credit()->set_bytes(1 << 20);
    server_.OnMessage(student->id, message);
    Run();
    return student;
  }
  void Ask(const std::shared_ptr<Student>& student, uint64_t request,
           const std::vector<uint64_t>& ids, int seconds = 10) {
    v1::LabelRequest message;
    message.mutable_ask()->set_request_id(request);
    message.mutable_ask()->mutable_remaining()->set_seconds(seconds);
    v1::ExampleRefs* refs = message.mutable_ask()->mutable_examples();
    refs->set_data_set_digest("data");
    refs->set_split(v1::TRAIN);
    refs->mutable_ids()->Add(ids.begin(), ids.end());
    server_.OnMessage(student->id, message);
    Run();
  }
  void Cancel(const std::shared_ptr<Student>& student, uint64_t request) {
    v1::LabelRequest message;
    message.mutable_cancel()->set_request_id(request);
    server_.OnMessage(student->id, message);
    Run();
  }

  FakeClock clock_;
  FakeTimerQueue timers_{&clock_};
  ManualExecutor control_{100};
  Observer observer_;
  LabelServer server_;
  std::vector<std::shared_ptr<Student>> students_;
};

TEST_F(LabelServerTest, LabelsAreTheModelsForExactlyTheIdsAsked) {
  ServeFake(FakeRunner::Mode::kAtOnce);
  auto student = Open();
  ASSERT_TRUE(student->opened.has_value());
  EXPECT_EQ(student->opened->max_request_examples(), 4u);
  Ask(student, 1, {5, 0, 3});
  EXPECT_EQ(student->Labels(1), Truth({5, 0, 3}));
  // Integers of this size are exact in halves.
  auto half = Open("dense_fp16");
  Ask(half, 1, {2, 2});
  EXPECT_EQ(half->sections[1].codec(), "dense_fp16");
  EXPECT_EQ(half->Labels(1), Truth({2, 2}));
  EXPECT_THAT(observer_.answered, ElementsAre(absl::StatusCode::kOk, absl::StatusCode::kOk));
}

TEST_F(LabelServerTest, StudentsThatWaitAreBatchedTogetherAndEachGetsItsOwnRows) {
  auto runner = ServeFake(FakeRunner::Mode::kOnDemand);
  auto first = Open();
  auto second = Open("dense_fp16");
  Ask(first, 1, {0});
  Ask(first, 2, {1, 2});
  Ask(second, 1, {3});
  EXPECT_EQ(observer_.queue, 3);
  clock_.Advance(absl::Milliseconds(250));
  ASSERT_TRUE(runner->CompleteOldest());
  Run();
  ASSERT_TRUE(runner->CompleteOldest());
  Run();
  EXPECT_FALSE(runner->CompleteOldest());
  EXPECT_THAT(observer_.batches, ElementsAre(1, 3));
  EXPECT_EQ(first->Labels(1), Truth({0}));
  EXPECT_EQ(first->Labels(2), Truth({1, 2}));
  EXPECT_EQ(second->Labels(1), Truth({3}));
  EXPECT_EQ(first->stages[1].queue(), 0);
  EXPECT_EQ(first->stages[2].queue(), 0.25);
  EXPECT_EQ(observer_.queue, 0);
}

TEST_F(LabelServerTest, WaitingForTheRunnerIsWaitingInTheQueue) {
  auto runner = ServeFake(FakeRunner::Mode::kOnDemand);
  runner->set_waited(absl::Milliseconds(500));
  auto student = Open();
  Ask(student, 1, {0});
  Ask(student, 2, {1});
  clock_.Advance(absl::Milliseconds(250));
  ASSERT_TRUE(runner->CompleteOldest());
  Run();
  ASSERT_TRUE(runner->CompleteOldest());
  Run();
  EXPECT_EQ(student->stages[1].queue(), 0.5);
  EXPECT_EQ(student->stages[2].queue(), 0.75);
  EXPECT_THAT(observer_.queues, ElementsAre(absl::Milliseconds(500), absl::Milliseconds(750)));
}

TEST_F(LabelServerTest, ExactRequestsRunAlone) {
  auto runner = ServeFake(FakeRunner::Mode::kOnDemand);
  auto student = Open("dense_fp32", /*exact=*/true);
  for (uint64_t request : {1, 2, 3}) Ask(student, request, {request});
  while (runner->CompleteOldest()) Run();
  EXPECT_THAT(observer_.batches, ElementsAre(1, 1, 1));
  EXPECT_EQ(student->Labels(3), Truth({3}));
}

TEST_F(LabelServerTest, AStreamForAnotherFingerprintIsRefused) {
  ServeFake(FakeRunner::Mode::kAtOnce);
  auto student = Open("dense_fp32", false, "beef");
  ASSERT_TRUE(student->end.has_value());
  EXPECT_EQ(student->end->code(), absl::StatusCode::kFailedPrecondition);
}

TEST_F(LabelServerTest, AnIdBeyondTheSplitFailsAlone) {
  auto runner = ServeFake(FakeRunner::Mode::kOnDemand);
  auto student = Open();
  Ask(student, 1, {0});
  Ask(student, 2, {1, kExamples});
  Ask(student, 3, {2});
  while (runner->CompleteOldest()) Run();
  EXPECT_EQ(student->Code(2), absl::StatusCode::kOutOfRange);
  EXPECT_THAT(student->failed[2].message(), ContainsRegex("example 8 of split TRAIN"));
  EXPECT_EQ(student->Labels(1), Truth({0}));
  EXPECT_EQ(student->Labels(3), Truth({2}));
}

TEST_F(LabelServerTest, AFullQueueFailsWithAHintWhenToComeBack) {
  auto runner = ServeFake(FakeRunner::Mode::kOnDemand);
  auto student = Open();
  Ask(student, 1, {0, 1, 2, 3});
  Ask(student, 2, {0, 1, 2, 3});
  Ask(student, 3, {0, 1, 2});
  EXPECT_EQ(student->Code(3), absl::StatusCode::kResourceExhausted);
  EXPECT_GT(student->failed[3].retry_after().nanos(), 0);
  auto other = Open();
  Ask(other, 1, {0, 1});
  while (runner->CompleteOldest()) Run();
  EXPECT_THAT(other->Labels(1), SizeIs(6));
}

TEST_F(LabelServerTest, AnAskWhoseTimeEndsInTheQueueFailsThenAndIsNotRun) {
  auto runner = ServeFake(FakeRunner::Mode::kOnDemand);
  auto student = Open();
  Ask(student, 1, {0}, 10);
  Ask(student, 2, {1}, 1);
  timers_.Advance(absl::Milliseconds(999));
  Run();
  EXPECT_THAT(student->failed, IsEmpty());
  timers_.Advance(absl::Milliseconds(1));
  Run();
  EXPECT_EQ(student->Code(2), absl::StatusCode::kDeadlineExceeded);
  while (runner->CompleteOldest()) Run();
  EXPECT_THAT(observer_.batches, ElementsAre(1));
  EXPECT_EQ(student->Labels(1), Truth({0}));
}

TEST_F(LabelServerTest, ACancelledAskIsNotRun) {
  auto runner = ServeFake(FakeRunner::Mode::kOnDemand);
  auto student = Open();
  Ask(student, 1, {0});
  Ask(student, 2, {1});
  Cancel(student, 2);
  EXPECT_EQ(student->Code(2), absl::StatusCode::kCancelled);
  while (runner->CompleteOldest()) Run();
  EXPECT_THAT(observer_.batches, ElementsAre(1));
  EXPECT_EQ(observer_.answered.count(absl::StatusCode::kCancelled), 1u);
}

TEST_F(LabelServerTest, TheLateResultOfACancelledAskIsNotTheAnswerToALaterOneOfItsId) {
  auto runner = ServeFake(FakeRunner::Mode::kOnDemand);
  auto student = Open();
  Ask(student, 1, {0});
  Cancel(student, 1);
  Ask(student, 1, {5});
  while (runner->CompleteOldest()) Run();
  EXPECT_EQ(student->Labels(1), Truth({5}));
}

TEST_F(LabelServerTest, OneBadRequestOfABatchFailsAloneAfterEachWasRunAlone) {
  const absl::Status bad = absl::DataLossError("row 1 is not finite");
  auto runner = ServeFake(FakeRunner::Mode::kOnDemand);
  auto student = Open();
  for (uint64_t request : {1, 2, 3, 4}) Ask(student, request, {request});
  // The first alone, the others together, then each of those alone.
  for (const absl::Status& result : {absl::OkStatus(), bad, absl::OkStatus(), bad}) {
    EXPECT_THAT(student->failed, IsEmpty());
    EXPECT_EQ(runner->in_flight(), 1);
    ASSERT_TRUE(runner->CompleteOldest(result));
    Run();
  }
  EXPECT_EQ(student->Code(3), absl::StatusCode::kDataLoss);
  ASSERT_TRUE(runner->CompleteOldest());
  Run();
  for (uint64_t request : {1, 2, 4}) EXPECT_EQ(student->Labels(request), Truth({request}));
  EXPECT_THAT(observer_.batches, ElementsAre(1, 3));
  Ask(student, 5, {5});
  EXPECT_EQ(runner->in_flight(), 1);
}

TEST_F(LabelServerTest, LabelsThatTeachNothingFailAlone) {
  auto runner = ServeFake(FakeRunner::Mode::kOnDemand);
  auto student = Open();
  Ask(student, 1, {0});
  Ask(student, 2, {kFlatExample});
  Ask(student, 3, {1});
  while (runner->CompleteOldest()) Run();
  EXPECT_THAT(observer_.batches, ElementsAre(1, 2));
  EXPECT_EQ(student->Code(2), absl::StatusCode::kDataLoss);
  EXPECT_EQ(student->Labels(3), Truth({1}));
}

TEST_F(LabelServerTest, AFailedBatchFailsItsRequestsWithTheRunnersReason) {
  auto runner = ServeFake(FakeRunner::Mode::kOnDemand);
  auto student = Open();
  Ask(student, 1, {0});
  ASSERT_TRUE(runner->CompleteOldest(absl::InternalError("the model broke")));
  Run();
  EXPECT_EQ(student->Code(1), absl::StatusCode::kInternal);
  Ask(student, 2, {0});
  ASSERT_TRUE(runner->CompleteOldest());
  Run();
  EXPECT_EQ(student->Labels(2), Truth({0}));
}

TEST_F(LabelServerTest, DrainAnswersWhatWasAdmittedRefusesTheRestThenEnds) {
  auto runner = ServeFake(FakeRunner::Mode::kOnDemand);
  auto student = Open();
  auto silent = Connect();
  Run();
  Ask(student, 1, {0});
  Ask(student, 2, {1});
  int done = 0;
  server_.Drain("stopped by its operator", [&] { ++done; });
  Run();
  EXPECT_TRUE(student->draining);
  EXPECT_EQ(silent->end->code(), absl::StatusCode::kUnavailable);
  Ask(student, 3, {2});
  EXPECT_EQ(student->Code(3), absl::StatusCode::kUnavailable);
  auto late = Open();
  EXPECT_EQ(late->end->code(), absl::StatusCode::kUnavailable);
  EXPECT_FALSE(student->end.has_value());
  while (runner->CompleteOldest()) Run();
  EXPECT_EQ(student->Labels(1), Truth({0}));
  EXPECT_EQ(student->Labels(2), Truth({1}));
  ASSERT_TRUE(student->end.has_value());
  EXPECT_TRUE(student->end->ok());
  student->Read();
  EXPECT_EQ(student->ends, 1);
  EXPECT_EQ(done, 0);
  for (const auto& gone : {student, silent, late}) server_.Lost(gone->id);
  Run();
  EXPECT_EQ(done, 1);
}

TEST_F(LabelServerTest, AStudentThatVanishesLeavesNothingBehind) {
  auto runner = ServeFake(FakeRunner::Mode::kOnDemand);
  auto student = Open();
  Ask(student, 1, {0});
  Ask(student, 2, {1});
  server_.Lost(student->id);
  Run();
  EXPECT_EQ(observer_.queue, 0);
  std::weak_ptr<Student> gone = student;
  students_.clear();
  student.reset();
  int done = 0;
  server_.Drain("", [&] { ++done; });
  Run();
  EXPECT_EQ(done, 0);
  ASSERT_TRUE(runner->CompleteOldest());
  Run();
  EXPECT_FALSE(runner->CompleteOldest());
  EXPECT_TRUE(gone.expired());
  EXPECT_EQ(timers_.pending(), 0u);
  EXPECT_EQ(done, 1);
}

TEST_F(LabelServerTest, AReplacedModelEndsItsStreamsAndItsLateResultTouchesNothing) {
  auto runner = ServeFake(FakeRunner::Mode::kOnDemand);
  std::weak_ptr<FakeRunner> former = runner;
  auto student = Open();
  auto unopened = Connect();
  Ask(student, 1, {0});
  Ask(student, 2, {1});
  Serve(std::make_shared<FakeRunner>(FlatExampleModel(), FakeRunner::Mode::kAtOnce), "beef");
  EXPECT_EQ(student->end->code(), absl::StatusCode::kUnavailable);
  EXPECT_FALSE(unopened->end.has_value());
  ASSERT_TRUE(runner->CompleteOldest());
  runner.reset();
  EXPECT_FALSE(former.expired());
  Run();
  EXPECT_TRUE(former.expired());
  EXPECT_THAT(student->payload, IsEmpty());
  auto next = Open("dense_fp32", false, "beef");
  Ask(next, 1, {4});
  EXPECT_EQ(next->Labels(1), Truth({4}));
}

TEST_F(LabelServerTest, WithoutAModelOpensAreRefusedWithTheReason) {
  EXPECT_EQ(Open()->end->code(), absl::StatusCode::kUnavailable);
  ServeFake(FakeRunner::Mode::kAtOnce);
  auto student = Open();
  server_.StopServing(absl::UnavailableError("reloading"));
  Run();
  EXPECT_EQ(*student->end, absl::UnavailableError("reloading"));
  EXPECT_EQ(*Open()->end, absl::UnavailableError("reloading"));
}

TEST_F(LabelServerTest, StreamsAreBoundedAndALostOneMakesRoom) {
  ServeFake(FakeRunner::Mode::kAtOnce);
  for (size_t i = 0; i < LabelServer::kMaxStreams; ++i) {
    EXPECT_FALSE(Connect()->end.has_value());
    Run();
  }
  EXPECT_THAT(Connect()->end->ToString(), ContainsRegex("EXHAUSTED: .*1024 from ipv4:10.0.0.7"));
  server_.Lost(students_[0]->id);
  Run();
  EXPECT_TRUE(Open()->opened.has_value());
}

TEST_F(LabelServerTest, AMessageDroppedByAFullExecutorEndsItsStreamButResultsAreNotLost) {
  auto runner = ServeFake(FakeRunner::Mode::kOnDemand);
  auto student = Open();
  auto other = Open();
  Ask(student, 1, {0});
  // Fills the executor.
  while (control_.Schedule([] {}).ok()) {
  }
  ASSERT_TRUE(runner->CompleteOldest());
  v1::LabelRequest message;
  message.mutable_credit()->set_requests(1);
  server_.OnMessage(other->id, message);
  EXPECT_EQ(other->end->code(), absl::StatusCode::kResourceExhausted);
  Run();
  Ask(student, 2, {1});
  EXPECT_EQ(student->Labels(1), Truth({0}));
}

}  // namespace
}  // namespace distill
