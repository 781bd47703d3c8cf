// A student's label client against teacher servers, over loopback.
#include "student_worker/worker/label_client.h"

#include <gmock/gmock.h>
#include <grpcpp/support/sync_stream.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <limits>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <variant>
#include <vector>

#include "absl/time/clock.h"
#include "common/clock/thread_timer_queue.h"
#include "common/digest/crc32c.h"
#include "common/executor/thread_executor.h"
#include "common/rpc/server.h"
#include "distillation/data/data_set.h"
#include "distillation/labels/codec.h"
#include "distillation/labels/label_codec.h"
#include "distillation/labels/soft_labels.h"
#include "proto/teacher.grpc.pb.h"
#include "teacher_server/runner/fake_runner.h"
#include "teacher_server/service/label_server.h"
#include "teacher_server/service/teacher_service.h"
#include "tests/integration/in_process_teacher.h"

namespace distill {
namespace {

using Teacher = InProcessTeacher;
const InProcessTeacherOptions kOnDemand{.mode = FakeRunner::Mode::kOnDemand};

using ::testing::HasSubstr;

// Shorter than the time after which an ask is late: what arrives only because an ask was
// given up for late has failed.
constexpr absl::Duration kPatience = absl::Seconds(10);
constexpr absl::Duration kRequestTimeout = absl::Seconds(60);
constexpr uint64_t kExamples = InProcessTeacher::kExamples;
constexpr int kClasses = InProcessTeacher::kClasses;
constexpr int kRows = 4;

v1::ExampleRefs ExamplesOf(int64_t step) {
  v1::ExampleRefs refs;
  refs.set_data_set_digest("data");
  refs.set_split(v1::TRAIN);
  for (int row = 0; row < kRows; ++row) refs.add_ids((step * kRows + row) % kExamples);
  return refs;
}

// What FakeRunner says of them: c * (1 + id).
std::vector<float> Truth(int64_t step) {
  std::vector<float> logits;
  const v1::ExampleRefs examples = ExamplesOf(step);
  for (const uint64_t id : examples.ids()) {
    for (int c = 0; c < kClasses; ++c) logits.push_back(static_cast<float>(c * (1 + id)));
  }
  return logits;
}

// Answers every ask at once, with labels that may not be trained on unless the fault is
// kNone, and with stages that it did not measure.
class BadTeacher final : public v1::TeacherService::Service {
 public:
  enum class Fault {
    kNone,
    kNotFinite,
    kConstant,
    kAnotherShape,
    kAnotherCodec,
    kChecksum,
    kOutputMissing,
    kOutputTooMany,
    kFingerprint
  };

  explicit BadTeacher(Fault fault) : fault_(fault) {
    ServerOptions options;
    options.listen = "127.0.0.1:0";
    options.services = {this};
    auto rpc = RpcServer::Start(options);
    EXPECT_TRUE(rpc.ok()) << rpc.status();
    rpc_ = *std::move(rpc);
  }

  const std::string& address() const { return rpc_->address(); }

  grpc::Status Label(
      grpc::ServerContext*,
      grpc::ServerReaderWriter<v1::LabelResponse, v1::LabelRequest>* stream) override {
    v1::LabelRequest request;
    while (stream->Read(&request)) {
      v1::LabelResponse response;
      if (request.has_open()) {
        response.mutable_opened()->set_codec("dense_fp32");
        response.mutable_opened()->set_fingerprint(fault_ == Fault::kFingerprint ? "beef" : "f00d");
        response.mutable_opened()->set_max_part_bytes(1 << 20);
        response.mutable_opened()->set_max_request_examples(16);
      } else if (request.has_ask()) {
        Answer(request.ask(), response);
      } else {
        continue;
      }
      if (!stream->Write(response)) break;
    }
    return grpc::Status::OK;
  }

 private:
  void Answer(const v1::Ask& ask, v1::LabelResponse& response) const {
    const int asked = ask.examples().ids_size();
    const int rows = fault_ == Fault::kAnotherShape ? asked - 1 : asked;
    std::vector<float> logits(rows * kClasses);
    for (int i = 0; i < rows * kClasses; ++i) {
      logits[i] = static_cast<float>(i);
    }
    if (fault_ == Fault::kConstant) std::fill_n(logits.begin(), kClasses, 1.0f);
    if (fault_ == Fault::kNotFinite) logits[7] = std::numeric_limits<float>::quiet_NaN();
    const std::string codec = fault_ == Fault::kAnotherCodec ? "dense_fp16" : "dense_fp32";
    std::string bytes(reinterpret_cast<const char*>(logits.data()), logits.size() * sizeof(float));
    if (fault_ == Fault::kAnotherCodec) {
      const std::vector<int64_t> dims = {rows, kClasses};
      bytes = (*FindCodec(codec))
                  ->Encode(MakeTensorView(ElementType::kFloat32, dims, std::move(logits)))
                  ->bytes;
    }
    v1::Labels* labels = response.mutable_labels();
    labels->set_request_id(ask.request_id());
    labels->set_last(true);
    labels->set_total_bytes(bytes.size());
    labels->set_crc32c(Crc32c(bytes) + (fault_ == Fault::kChecksum ? 1 : 0));
    v1::Section* section = labels->add_sections();
    section->set_output(fault_ == Fault::kOutputMissing ? "feature" : "logits");
    section->set_codec(codec);
    section->set_dtype(v1::FLOAT32);
    section->add_dims(rows);
    section->add_dims(kClasses);
    section->set_length(bytes.size());
    v1::StageSeconds* stages = labels->mutable_stages();
    stages->set_queue(0.5);
    stages->set_assemble(0.25);
    stages->set_infer(2);
    stages->set_encode(std::numeric_limits<double>::infinity());
    if (fault_ == Fault::kOutputTooMany) {
      v1::Section more = *section;
      more.set_output("feature");
      *labels->add_sections() = more;
    }
    response.set_payload(bytes);
  }

  const Fault fault_;
  std::unique_ptr<RpcServer> rpc_;
};

class LabelClientTest : public ::testing::Test {
 protected:
  ~LabelClientTest() override {
    if (client_ != nullptr) client_->Close(absl::AbortedError("the test ends"));
    timers_.Stop();
    executor_.Stop();
  }

  static LabelClientOptions Options(int64_t steps) {
    LabelClientOptions options;
    options.source.end_step = steps;
    options.source.request_timeout = kRequestTimeout;
    options.source.no_teacher_timeout = kRequestTimeout;
    options.rows = kRows;
    options.open.set_model("teacher");
    options.open.set_fingerprint("f00d");
    options.open.add_outputs()->set_name("logits");
    options.open.mutable_outputs(0)->mutable_logits();
    options.open.add_codecs("dense_fp32");
    options.open.set_classes(kClasses);
    options.open.add_example_dims(1);
    options.open.add_example_dims(2);
    options.examples_of = [](int64_t step) -> absl::StatusOr<v1::ExampleRefs> {
      return ExamplesOf(step);
    };
    return options;
  }

  // Every Take ends after kPatience.
  void Start(const LabelClientOptions& options) {
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
  static bool Await(const std::function<bool()>& condition) {
    const absl::Time end = absl::Now() + kPatience;
    while (!condition() && absl::Now() < end) absl::SleepFor(absl::Milliseconds(1));
    return condition();
  }
  void ExpectSteps(int64_t begin, int64_t end) {
    for (int64_t step = begin; step < end; ++step) {
      const auto labels = client_->Take(step);
      ASSERT_TRUE(labels.ok()) << "step " << step << ": " << labels.status();
      const auto values = std::get<TensorView>(labels->at("logits")).as<float>();
      ASSERT_EQ(std::vector<float>(values.begin(), values.end()), Truth(step)) << "step " << step;
    }
  }

  SystemClock clock_;
  ThreadExecutor executor_{{.name = "labels", .threads = 1, .max_queued = 4096}};
  ThreadTimerQueue timers_{&clock_};
  std::shared_ptr<LabelClient> client_;
};

TEST_F(LabelClientTest, TwoTeachersLabelTheStepsInOrderAndEachStepsOwnExamples) {
  Teacher a;
  Teacher b;
  Start(Options(1'000'000));
  SetTeachers({{"a", a.address()}, {"b", b.address()}});
  int64_t step = 0;
  // The one that is connected first may serve a good many alone.
  for (; client_->counters().served.size() < 2 && !HasFatalFailure(); ++step) {
    ExpectSteps(step, step + 1);
  }
  ExpectSteps(step, step + 20);
}

TEST_F(LabelClientTest, TheTeachersStagesOfEachAnswerAreSummedUpUntilTheyAreTaken) {
  BadTeacher teacher(BadTeacher::Fault::kNone);
  Start(Options(3));
  SetTeachers({{"teacher", teacher.address()}});
  for (int64_t step = 0; step < 3; ++step) ASSERT_TRUE(client_->Take(step).ok());
  const AnswerTimes times = client_->TakeAnswerTimes();
  EXPECT_EQ(times.count, 3);
  EXPECT_GT(times.total, 0);
  EXPECT_LT(times.total, 3 * absl::ToDoubleSeconds(kPatience));
  EXPECT_EQ(times.queue, 3 * 0.5);
  EXPECT_EQ(times.assemble, 3 * 0.25);
  EXPECT_EQ(times.infer, 3 * 2.0);
  // What is no time counts as none.
  EXPECT_EQ(times.encode, 0);
  EXPECT_EQ(client_->TakeAnswerTimes().count, 0);
}

TEST_F(LabelClientTest, WhoeverDoesNotWantToWaitAsksWhetherLabelsAreThere) {
  Teacher teacher;
  Start(Options(2));
  EXPECT_FALSE(client_->Await(absl::ZeroDuration()));
  SetTeachers({{"teacher", teacher.address()}});
  EXPECT_TRUE(client_->Await(kPatience));
  ExpectSteps(0, 2);
  EXPECT_FALSE(client_->Await(absl::ZeroDuration())) << "there are no more steps";
  client_->Close(absl::AbortedError("over"));
  EXPECT_TRUE(client_->Await(absl::ZeroDuration())) << "Take returns the reason";
}

TEST_F(LabelClientTest, AStepThatIsCutAmongTeachersIsPutTogetherInOrder) {
  Teacher a, b, c;
  // By predicted time, in ranges; and by example, which takes them from everywhere.
  for (const bool by_example : {false, true}) {
    LabelClientOptions options = Options(1'000'000);
    options.source.window_steps = 1;
    options.by_example = by_example;
    Start(options);
    SetTeachers({{"a", a.address()}, {"b", b.address()}, {"c", c.address()}});
    int64_t step = 0;
    const auto cut = [&] {
      const LabelSource::Counters counters = client_->counters();
      return counters.asks - counters.hedges - counters.asked_again - step;
    };
    for (; cut() < 50 && !HasFatalFailure(); ++step) ExpectSteps(step, step + 1);
    client_->Close(absl::AbortedError("next"));
  }
}

TEST_F(LabelClientTest, SparseLabelsOfStepsThatAreCutAmongTeachersArePutTogetherInOrder) {
  const InProcessTeacherOptions sparse{.codecs = {"top_k"}};
  Teacher a(sparse), b(sparse), c(sparse);
  LabelClientOptions options = Options(1'000'000);
  options.source.window_steps = 1;
  options.open.set_codecs(0, "top_k/2");
  options.open.set_min_temperature(1);
  options.open.set_max_temperature(4);
  Start(options);
  SetTeachers({{"a", a.address()}, {"b", b.address()}, {"c", c.address()}});
  int64_t step = 0;
  const auto cut = [&] {
    const LabelSource::Counters counters = client_->counters();
    return counters.asks - counters.hedges - counters.asked_again - step;
  };
  for (; cut() < 20; ++step) {
    const auto labels = client_->Take(step);
    ASSERT_TRUE(labels.ok()) << "step " << step << ": " << labels.status();
    const SparseLabels& sparse =
        *std::get<std::shared_ptr<const SparseLabels>>(labels->at("logits"));
    std::vector<int64_t> ids;
    std::vector<float> maxima;
    const v1::ExampleRefs examples = ExamplesOf(step);
    for (const uint64_t id : examples.ids()) {
      ids.insert(ids.end(), {kClasses - 2, kClasses - 1});
      maxima.push_back(static_cast<float>((kClasses - 1) * (1 + id)));
    }
    ASSERT_EQ(sparse.ids, ids) << "step " << step;
    ASSERT_EQ(sparse.shift, maxima) << "step " << step;
  }
}

TEST_F(LabelClientTest, AServerThatDoesNotSpeakTheSparseCodecOfTheOthersIsLeftOut) {
  Teacher sparse({.codecs = {"top_k"}});
  Teacher dense;
  LabelClientOptions options = Options(1000);
  options.open.clear_codecs();
  options.open.add_codecs("top_k/2");
  options.open.add_codecs("dense_fp32");
  options.open.set_min_temperature(1);
  options.open.set_max_temperature(1);
  Start(options);
  SetTeachers({{"sparse", sparse.address()}});
  ASSERT_TRUE(client_->Take(0).ok());
  SetTeachers({{"sparse", sparse.address()}, {"dense", dense.address()}});
  for (int64_t step = 1; step < 300; ++step) {
    const auto labels = client_->Take(step);
    ASSERT_TRUE(labels.ok()) << labels.status();
    ASSERT_FALSE(std::holds_alternative<TensorView>(labels->at("logits"))) << step;
  }
  EXPECT_FALSE(client_->counters().served.contains("dense"));
}

TEST_F(LabelClientTest, WhatADeadTeacherWasAskedIsAskedOfTheOther) {
  Teacher good;
  auto dying = std::make_unique<Teacher>(kOnDemand);
  Start(Options(12));
  SetTeachers({{"dying", dying->address()}});
  ASSERT_TRUE(dying->runner().AwaitInFlight(1, kPatience));
  SetTeachers({{"dying", dying->address()}, {"good", good.address()}});
  dying.reset();
  ExpectSteps(0, 12);
  EXPECT_GE(client_->counters().asked_again, 1);
  EXPECT_EQ(client_->counters().served.count("dying"), 0u);
}

TEST_F(LabelClientTest, ATeacherThatLiesIsRefusedWithTheFaultAndTheOtherServesTheRun) {
  Teacher good;
  using Fault = BadTeacher::Fault;
  for (const auto& [fault, name] : std::vector<std::pair<Fault, std::string>>{
           {Fault::kNotFinite, "row 1 is not finite"},
           {Fault::kConstant, "row 0 is constant"},
           {Fault::kAnotherShape, "another shape"},
           {Fault::kAnotherCodec, "came in the codec dense_fp16"},
           {Fault::kOutputMissing, "lacks output logits"},
           {Fault::kOutputTooMany, "2 sections, 1 outputs"},
           {Fault::kFingerprint, "serves the fingerprint 'beef'"}}) {
    SCOPED_TRACE(name);
    BadTeacher bad(fault);
    LabelClientOptions options = Options(8);
    Start(options);
    SetTeachers({{"bad", bad.address()}});
    ASSERT_TRUE(Await([&] { return !client_->counters().refused.empty(); }));
    EXPECT_THAT(client_->counters().refused["bad"], HasSubstr(name));
    SetTeachers({{"bad", bad.address()}, {"good", good.address()}});
    ExpectSteps(0, 8);
    EXPECT_EQ(client_->counters().served.count("bad"), 0u);
    client_->Close(absl::AbortedError("next"));
  }
}

// The network may have done it.
TEST_F(LabelClientTest, DamageOnTheWayMakesItAskAgainAndRefusesNobody) {
  Teacher good;
  BadTeacher bad(BadTeacher::Fault::kChecksum);
  LabelClientOptions options = Options(8);
  options.source.max_attempts = 1000;  // until the other one is connected
  Start(options);
  SetTeachers({{"bad", bad.address()}});
  ASSERT_TRUE(Await([&] { return client_->counters().asked_again > 0; }));
  SetTeachers({{"bad", bad.address()}, {"good", good.address()}});
  ExpectSteps(0, 8);
  EXPECT_EQ(client_->counters().served.count("bad"), 0u);
  EXPECT_TRUE(client_->counters().refused.empty());
}

TEST_F(LabelClientTest, WithoutATeacherItFailsAndNamesWhatWasTried) {
  std::string address;
  {
    address = Teacher().address();
  }
  LabelClientOptions options = Options(5);
  options.source.no_teacher_timeout = absl::Milliseconds(300);
  Start(options);
  SetTeachers({{"gone", address}});
  const absl::Status status = client_->Take(0).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kUnavailable) << status;
  EXPECT_THAT(std::string(status.message()), HasSubstr("gone at " + address));
}

TEST_F(LabelClientTest, CloseWakesWhoWaitsForLabelsWithItsReason) {
  Teacher silent(kOnDemand);
  Start(Options(5));
  SetTeachers({{"silent", silent.address()}});
  absl::Status status;
  std::thread trainer([&] { status = client_->Take(0).status(); });
  ASSERT_TRUE(silent.runner().AwaitInFlight(1, kPatience));
  client_->Close(absl::AbortedError("a peer is gone"));
  trainer.join();
  client_->Close(absl::AbortedError("later"));
  EXPECT_EQ(status, absl::AbortedError("a peer is gone"));
  EXPECT_EQ(client_->Take(0).status(), status);
}

TEST_F(LabelClientTest, AStepThatNoTeacherTakesInOneRequestFailsAtOnceAndNamesTheSetting) {
  Teacher small({.max_batch_examples = kRows - 1});
  Start(Options(5));
  SetTeachers({{"small", small.address()}});
  const absl::Status status = client_->Take(0).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << status;
  EXPECT_THAT(std::string(status.message()), HasSubstr("serving.max_batch_examples"));
}

}  // namespace
}  // namespace distill
