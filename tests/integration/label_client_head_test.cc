// A student's label client where teacher servers answer with hidden states, over loopback.
#include <gmock/gmock.h>
#include <grpcpp/support/sync_stream.h>
#include <gtest/gtest.h>

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "absl/synchronization/notification.h"
#include "absl/time/time.h"
#include "common/clock/thread_timer_queue.h"
#include "common/digest/crc32c.h"
#include "common/executor/thread_executor.h"
#include "common/rpc/server.h"
#include "common/tensor_view/tensor_view.h"
#include "distillation/labels/codec.h"
#include "distillation/labels/head_section.h"
#include "distillation/labels/label_codec.h"
#include "distillation/labels/label_head.h"
#include "distillation/labels/section.h"
#include "distillation/labels/soft_labels.h"
#include "proto/teacher.grpc.pb.h"
#include "student_worker/worker/label_client.h"
#include "student_worker/worker/label_heads.h"
#include "teacher_server/runner/fake_runner.h"
#include "tests/integration/in_process_teacher.h"

namespace distill {
namespace {

using ::testing::HasSubstr;

constexpr absl::Duration kPatience = absl::Seconds(20);
constexpr int kClasses = InProcessTeacher::kClasses;
constexpr int kRows = 4;

v1::ExampleRefs ExamplesOf(int64_t step) {
  v1::ExampleRefs refs;
  refs.set_data_set_digest("data");
  refs.set_split(v1::TRAIN);
  for (int row = 0; row < kRows; ++row) {
    refs.add_ids((step * kRows + row) % InProcessTeacher::kExamples);
  }
  return refs;
}

// What FakeRunner says of them: hidden states (1 + id, 1).
std::vector<float> Truth(int64_t step) {
  std::vector<float> hidden;
  const v1::ExampleRefs examples = ExamplesOf(step);
  for (const uint64_t id : examples.ids()) {
    hidden.insert(hidden.end(), {static_cast<float>(1 + id), 1});
  }
  return hidden;
}

// Answers as FakeRunner's model does, but for its fault, and counts the asks for its head.
class HeadTeacher final : public v1::TeacherService::Service {
 public:
  enum class Fault { kNone, kOtherClasses, kNoSections, kOtherFeatures, kSilent, kRefuses };

  explicit HeadTeacher(Fault fault = Fault::kNone) : fault_(fault) {
    ServerOptions options;
    options.listen = "127.0.0.1:0";
    options.services = {this};
    auto rpc = RpcServer::Start(options);
    EXPECT_TRUE(rpc.ok()) << rpc.status();
    rpc_ = *std::move(rpc);
  }

  const std::string& address() const { return rpc_->address(); }
  int head_asks() const {
    absl::MutexLock lock(&mu_);
    return head_asks_;
  }
  // Runs before an ask for the head is answered, on a thread of the server. Before the first.
  void OnHeadAsk(std::function<void()> callback) { on_head_ask_ = std::move(callback); }
  int label_asks() const {
    absl::MutexLock lock(&mu_);
    return label_asks_;
  }
  // False where it does not come in time.
  bool AwaitHeadAsk() const {
    absl::MutexLock lock(&mu_);
    const auto asked = [this]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) { return head_asks_ > 0; };
    return mu_.AwaitWithTimeout(absl::Condition(&asked), kPatience);
  }
  bool AwaitEnd() const {
    absl::MutexLock lock(&mu_);
    return mu_.AwaitWithTimeout(absl::Condition(&ended_), kPatience);
  }

  grpc::Status Label(
      grpc::ServerContext*,
      grpc::ServerReaderWriter<v1::LabelResponse, v1::LabelRequest>* stream) override {
    v1::LabelRequest request;
    while (stream->Read(&request)) {
      v1::LabelResponse response;
      if (request.has_open()) {
        response.mutable_opened()->set_codec(request.open().codecs(0));
        response.mutable_opened()->set_fingerprint("f00d");
        response.mutable_opened()->set_max_part_bytes(1 << 20);
        response.mutable_opened()->set_max_request_examples(16);
      } else if (request.ask().has_head()) {
        if (on_head_ask_) on_head_ask_();
        Count(head_asks_);
        if (fault_ == Fault::kSilent) continue;
        AnswerHead(request.ask(), response);
      } else if (request.has_ask()) {
        Count(label_asks_);
        AnswerLabels(request.ask(), response);
      } else {
        continue;
      }
      if (!stream->Write(response)) break;
    }
    absl::MutexLock lock(&mu_);
    ended_ = true;
    return grpc::Status::OK;
  }

 private:
  void Count(int& asks) {
    absl::MutexLock lock(&mu_);
    ++asks;
  }
  static void Answer(const v1::Ask& ask, const std::vector<v1::Section>& sections,
                     const std::string& bytes, v1::LabelResponse& response) {
    v1::Labels* labels = response.mutable_labels();
    labels->set_request_id(ask.request_id());
    labels->set_last(true);
    labels->set_total_bytes(bytes.size());
    labels->set_crc32c(Crc32c(bytes));
    labels->mutable_sections()->Add(sections.begin(), sections.end());
    response.set_payload(bytes);
  }

  void AnswerHead(const v1::Ask& ask, v1::LabelResponse& response) const {
    if (fault_ == Fault::kRefuses) {
      response.mutable_failed()->set_request_id(ask.request_id());
      response.mutable_failed()->set_code(9);
      response.mutable_failed()->set_message("no head here");
      return;
    }
    const int classes = fault_ == Fault::kOtherClasses ? kClasses + 1 : kClasses;
    const EncodedHead head = *EncodeHead(*FakeRunner::Head(classes));
    std::vector<v1::Section> sections = head.sections;
    if (fault_ == Fault::kNoSections) sections.clear();
    Answer(ask, sections, head.payload[0] + head.payload[1], response);
  }

  void AnswerLabels(const v1::Ask& ask, v1::LabelResponse& response) const {
    const bool narrow = fault_ == Fault::kOtherFeatures;
    std::vector<float> hidden;
    for (const uint64_t id : ask.examples().ids()) {
      hidden.push_back(static_cast<float>(1 + id));
      if (!narrow) hidden.push_back(1);
    }
    const int64_t rows = ask.examples().ids_size(), features = narrow ? 1 : 2;
    const auto codec = *FindCodec("hidden_fp32");
    const EncodedLabels encoded =
        *codec->Encode(MakeTensorView(ElementType::kFloat32, {rows, features}, std::move(hidden)));
    Answer(ask, {*SectionFor("logits", *codec, rows, features, encoded, 0)}, encoded.bytes,
           response);
  }

  const Fault fault_;
  std::function<void()> on_head_ask_;
  mutable absl::Mutex mu_;
  int head_asks_ = 0;
  int label_asks_ = 0;
  bool ended_ = false;
  std::unique_ptr<RpcServer> rpc_;
};

class LabelClientHeadTest : public ::testing::Test {
 protected:
  ~LabelClientHeadTest() override {
    if (client_ != nullptr) client_->Close(absl::AbortedError("the test ends"));
    timers_.Stop();
    executor_.Stop();
  }

  LabelClientOptions Options(const std::vector<std::string>& codecs = {"hidden_fp32"}) const {
    LabelClientOptions options;
    options.source.end_step = 1'000'000;
    options.source.window_steps = 1;
    options.source.request_timeout = kPatience;
    options.source.no_teacher_timeout = kPatience;
    options.rows = kRows;
    options.heads = heads_;
    options.open.set_model("teacher");
    options.open.set_fingerprint("f00d");
    options.open.add_outputs()->set_name("logits");
    options.open.mutable_outputs(0)->mutable_logits();
    for (const std::string& codec : codecs) options.open.add_codecs(codec);
    options.open.set_classes(kClasses);
    options.open.add_example_dims(1);
    options.open.add_example_dims(2);
    options.examples_of = [](int64_t step) -> absl::StatusOr<v1::ExampleRefs> {
      return ExamplesOf(step);
    };
    return options;
  }
  void Start(const LabelClientOptions& options) {
    if (client_ != nullptr) client_->Close(absl::AbortedError("the next one starts"));
    client_ = LabelClient::Create(options, &executor_, &timers_, &clock_, [] { return 0.5; });
    const auto timer = timers_.ScheduleAt(clock_.MonotonicNow() + kPatience, [client = client_] {
      client->Close(absl::InternalError("the test lost patience"));
    });
    EXPECT_TRUE(timer.ok()) << timer.status();
  }
  void SetTeachers(const std::vector<std::pair<std::string, std::string>>& addresses) {
    std::vector<TeacherEndpoint> endpoints;
    for (const auto& [name, address] : addresses) endpoints.push_back({name, 1, address});
    client_->SetEndpoints(endpoints);
  }
  // Why the teacher was refused, once its stream has ended.
  std::string WhyRefused(const HeadTeacher& teacher, const std::string& name) {
    EXPECT_TRUE(teacher.AwaitEnd());
    absl::Notification settled;
    EXPECT_TRUE(executor_.Schedule([&] { settled.Notify(); }).ok());
    settled.WaitForNotification();
    return client_->counters().refused[name];
  }
  void ExpectSteps(int64_t begin, int64_t end) {
    for (int64_t step = begin; step < end; ++step) {
      const auto labels = client_->Take(step);
      ASSERT_TRUE(labels.ok()) << "step " << step << ": " << labels.status();
      const auto* const hidden = std::get_if<HiddenLabels>(&labels->at("logits"));
      ASSERT_NE(hidden, nullptr);
      const auto values = hidden->hidden.as<float>();
      ASSERT_EQ(std::vector<float>(values.begin(), values.end()), Truth(step)) << "step " << step;
      ASSERT_EQ(hidden->head, heads_->Find("f00d"));
    }
  }

  const std::shared_ptr<LabelHeads> heads_ = std::make_shared<LabelHeads>();
  SystemClock clock_;
  ThreadExecutor executor_{{.name = "labels", .threads = 1, .max_queued = 4096}};
  ThreadTimerQueue timers_{&clock_};
  std::shared_ptr<LabelClient> client_;
};

TEST_F(LabelClientHeadTest, TheHeadIsAskedForOnceForAllServersStreamsAndClients) {
  HeadTeacher a, b;
  Start(Options());
  SetTeachers({{"a", a.address()}, {"b", b.address()}});
  int64_t step = 0;
  for (; client_->counters().served.size() < 2 && !HasFatalFailure(); ++step) {
    ExpectSteps(step, step + 1);
  }
  EXPECT_EQ(a.head_asks() + b.head_asks(), 1);
  // Streams that come back, and the next session of the process.
  SetTeachers({{"b", b.address()}});
  ExpectSteps(step, step + 5);
  SetTeachers({{"a", a.address()}});
  ExpectSteps(step + 5, step + 10);
  Start(Options());
  SetTeachers({{"a", a.address()}});
  ExpectSteps(0, 5);
  EXPECT_EQ(a.head_asks() + b.head_asks(), 1);
}

TEST_F(LabelClientHeadTest, WhileOneIsAskedForTheHeadTheOtherIsNotAskedForItOrForLabels) {
  HeadTeacher silent(HeadTeacher::Fault::kSilent), good;
  LabelClientOptions options = Options();
  options.source.request_timeout = absl::Seconds(1);
  // Once there is a head, both may be asked for labels.
  std::atomic<int> labels_without_head = -1;
  good.OnHeadAsk([&] { labels_without_head = silent.label_asks() + good.label_asks(); });
  Start(options);
  SetTeachers({{"silent", silent.address()}});
  ASSERT_TRUE(silent.AwaitHeadAsk());
  SetTeachers({{"silent", silent.address()}, {"good", good.address()}});
  // In vain for as long as one may take to answer; then the other's turn comes.
  ExpectSteps(0, 5);
  EXPECT_EQ(silent.head_asks(), 1);
  EXPECT_EQ(labels_without_head, 0);
  EXPECT_EQ(good.head_asks(), 1);
}

TEST_F(LabelClientHeadTest, TheHeadMayTakeLongerThanARunWaitsForATeacherThatServes) {
  HeadTeacher silent(HeadTeacher::Fault::kSilent), good;
  LabelClientOptions options = Options();
  options.source.request_timeout = absl::Seconds(3);
  options.source.no_teacher_timeout = absl::Seconds(2);
  Start(options);
  SetTeachers({{"silent", silent.address()}});
  ASSERT_TRUE(silent.AwaitHeadAsk());
  SetTeachers({{"silent", silent.address()}, {"good", good.address()}});
  ExpectSteps(0, 1);
}

TEST_F(LabelClientHeadTest, AHeadThatIsNoneOfTheRunsIsRefusedWithItsTeacher) {
  using Fault = HeadTeacher::Fault;
  HeadTeacher good;
  for (const auto& [fault, why] : std::vector<std::pair<Fault, const char*>>{
           {Fault::kOtherClasses, "the run's data set has 5"},
           {Fault::kNoSections, "a head of 0 sections"},
           {Fault::kRefuses, "no head here"}}) {
    SCOPED_TRACE(why);
    HeadTeacher bad(fault);
    LabelClientOptions options = Options();
    options.heads = std::make_shared<LabelHeads>();
    Start(options);
    SetTeachers({{"bad", bad.address()}});
    EXPECT_THAT(WhyRefused(bad, "bad"), HasSubstr(why));
    EXPECT_EQ(options.heads->Find("f00d"), nullptr);
    EXPECT_EQ(bad.label_asks(), 0);
    SetTeachers({{"bad", bad.address()}, {"good", good.address()}});
    EXPECT_TRUE(client_->Take(0).ok());
  }
}

TEST_F(LabelClientHeadTest, AHeadThatIsTooLargeIsNotTakenInAndTheRunEndsWithTheReason) {
  HeadTeacher teacher;
  LabelClientOptions options = Options();
  options.heads = std::make_shared<LabelHeads>(/*max_bytes=*/59);
  options.source.request_timeout = absl::Seconds(1);
  options.source.no_teacher_timeout = absl::Seconds(2);
  Start(options);
  SetTeachers({{"teacher", teacher.address()}});
  // 4 * 5 * (2 + 1) bytes.
  EXPECT_THAT(std::string(client_->Take(0).status().message()),
              HasSubstr("would have 60 bytes, at most 59"));
  EXPECT_EQ(teacher.label_asks(), 0);
}

TEST_F(LabelClientHeadTest, HiddenStatesOfAnotherHeadAreRefusedWithTheirTeacher) {
  HeadTeacher changed(HeadTeacher::Fault::kOtherFeatures), good;
  Start(Options());
  SetTeachers({{"changed", changed.address()}});
  EXPECT_THAT(WhyRefused(changed, "changed"), HasSubstr("the head has 2"));
  SetTeachers({{"changed", changed.address()}, {"good", good.address()}});
  ExpectSteps(0, 5);
}

TEST_F(LabelClientHeadTest, OurServersAreAskedForItToo) {
  InProcessTeacher a({.codecs = {"hidden_fp16", "hidden_fp32"}, .head = true});
  InProcessTeacher b({.codecs = {"hidden_fp32"}, .head = true});
  // Two widths of hidden states join.
  Start(Options({"hidden_fp16", "hidden_fp32"}));
  SetTeachers({{"a", a.address()}, {"b", b.address()}});
  int64_t step = 0;
  for (; client_->counters().served.size() < 2 && !HasFatalFailure(); ++step) {
    ExpectSteps(step, step + 1);
  }
  ExpectSteps(step, step + 10);
}

TEST_F(LabelClientHeadTest, AServerWithoutAHeadBesideOthersIsLeftOut) {
  InProcessTeacher hidden({.codecs = {"hidden_fp32", "dense_fp32"}, .head = true});
  InProcessTeacher dense({.codecs = {"hidden_fp32", "dense_fp32"}});
  Start(Options({"hidden_fp32", "dense_fp32"}));
  SetTeachers({{"hidden", hidden.address()}});
  ExpectSteps(0, 1);
  SetTeachers({{"hidden", hidden.address()}, {"dense", dense.address()}});
  ExpectSteps(1, 300);
  EXPECT_FALSE(client_->counters().served.contains("dense"));
}

}  // namespace
}  // namespace distill
