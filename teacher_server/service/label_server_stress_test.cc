// Label streams, batcher, cache and memory ledger behind their LabelServer, without gRPC: students
// that ask, cancel, grant, read and vanish, a runner with threads that sometimes fails, models
// that change, and a drain, all at once. For TSan, and for what must hold however they meet.
#include <gtest/gtest.h>

#include <atomic>
#include <cstdint>
#include <cstring>
#include <map>
#include <memory>
#include <optional>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/synchronization/mutex.h"
#include "absl/synchronization/notification.h"
#include "absl/time/time.h"
#include "common/clock/fake_clock.h"
#include "common/clock/fake_timer_queue.h"
#include "common/executor/stress_threads.h"
#include "common/executor/thread_executor.h"
#include "common/files/fake_file_system.h"
#include "common/random/test_seed.h"
#include "common/rpc/peer_identity.h"
#include "proto/teacher.pb.h"
#include "teacher_server/cache/disk_tier.h"
#include "teacher_server/cache/label_cache.h"
#include "teacher_server/label_stream/label_stream.h"
#include "teacher_server/runner/fake_runner.h"
#include "teacher_server/runner/interface.h"
#include "teacher_server/service/label_server.h"
#include "teacher_server/service/toy_examples.h"

namespace distill {
namespace {

constexpr int kStudents = 5;
constexpr int kStreamsOfEach = 16;
constexpr int kMessagesOfEach = 30;
constexpr int kExamples = 64;
constexpr int kClasses = 4;
constexpr int kMaxRows = 8;
constexpr absl::Duration kPatience = absl::Seconds(40);

// The fake runner's logits of those rows, as dense_fp32.
std::string Truth(const std::vector<uint64_t>& ids) {
  std::vector<float> logits;
  for (const uint64_t id : ids) {
    for (int c = 0; c < kClasses; ++c) logits.push_back(static_cast<float>(c * (1 + id)));
  }
  return {reinterpret_cast<const char*>(logits.data()), logits.size() * sizeof(float)};
}

// Two threads that answer; one batch in 16 fails, and one in 16 holds a row that may not be
// trained on.
class ThreadedRunner final : public Runner {
 public:
  ~ThreadedRunner() override { executor_.Stop(); }
  const ModelDescription& description() const override { return description_; }
  int max_in_flight() const override { return 2; }
  void Start(InferenceBatch batch, Done done) override {
    const int number = ++started_ % 16;
    const absl::Status posted = executor_.Schedule([this, number, batch = std::move(batch), done] {
      if (number == 3) return done(absl::InternalError("planted"));
      if (number == 9) return done(absl::DataLossError("planted"));
      done(FakeRunner::Answer(description_, batch));
    });
    EXPECT_TRUE(posted.ok()) << posted;
  }

 private:
  const ModelDescription description_{"f00d", "test", {1, 2}, kClasses, {"logits"}};
  std::atomic<int> started_{0};
  ThreadExecutor executor_{{.name = "runner", .threads = 2, .max_queued = 2}};
};

// One stream, asked and read by one thread.
class Stream final : public FrameSink {
 public:
  void Connect(LabelServer* server, const std::shared_ptr<Stream>& self) {
    server_ = server;
    id_ = server->Connect(PeerIdentity{"ipv4:10.0.0.7:40000", ""}, self);
    ASSERT_NE(id_, 0u);
  }

  void Send(v1::LabelRequest message) {
    ++sent_;
    server_->OnMessage(id_, std::move(message));
  }
  void Open(bool exact) {
    v1::LabelRequest message;
    v1::Open* open = message.mutable_open();
    open->set_run_id(exact ? "exact" : "merged");
    open->set_exact(exact);
    open->set_model("teacher");
    open->set_fingerprint("f00d");
    open->add_outputs()->set_name("logits");
    open->mutable_outputs(0)->mutable_logits();
    open->add_codecs("dense_fp32");
    open->set_classes(kClasses);
    open->add_example_dims(1);
    open->add_example_dims(2);
    open->mutable_credit()->set_requests(1 << 20);
    open->mutable_credit()->set_bytes(256);
    Send(std::move(message));
  }
  void Ask(std::vector<uint64_t> ids, absl::Duration remaining) {
    v1::LabelRequest message;
    message.mutable_ask()->set_request_id(++last_request_);
    message.mutable_ask()->mutable_remaining()->set_nanos(
        static_cast<int32_t>(absl::ToInt64Nanoseconds(remaining)));
    v1::ExampleRefs* refs = message.mutable_ask()->mutable_examples();
    refs->set_data_set_digest("data");
    refs->set_split(v1::TRAIN);
    refs->mutable_ids()->Add(ids.begin(), ids.end());
    unanswered_[last_request_] = std::move(ids);
    Send(std::move(message));
  }
  void Cancel(uint64_t request) {
    v1::LabelRequest message;
    message.mutable_cancel()->set_request_id(request);
    Send(std::move(message));
  }
  void Grant(uint64_t bytes) {
    v1::LabelRequest message;
    message.mutable_credit()->set_bytes(bytes);
    Send(std::move(message));
  }

  // Everything that can be written now.
  void Read() {
    while (std::optional<LabelFrame> frame = server_->NextFrame(id_)) {
      const v1::LabelResponse& head = frame->head;
      if (head.has_draining()) draining_ = true;
      if (head.has_failed()) Finish(head.failed().request_id(), std::nullopt);
      if (!head.has_labels()) continue;
      std::string& payload = payloads_[head.labels().request_id()];
      for (const std::string_view slice : frame->payload.slices) payload += slice;
      if (head.labels().last()) Finish(head.labels().request_id(), std::move(payload));
    }
  }
  // Reads until every ask has its terminal answer, or the server has ended the stream.
  void ReadToTheEnd() {
    Read();
    while (!unanswered_.empty() && !ended()) {
      if (!AwaitWoken()) {
        ADD_FAILURE() << unanswered_.size() << " asks have no answer, the first of them is "
                      << unanswered_.begin()->first << " of " << last_request_;
        return;
      }
      Read();
    }
  }
  void Leave() { server_->Lost(id_); }

  bool ended() {
    absl::MutexLock lock(&mutex_);
    return end_.has_value();
  }
  absl::Status end() {
    absl::MutexLock lock(&mutex_);
    return end_.value_or(absl::OkStatus());
  }
  bool draining() const { return draining_; }
  uint64_t last_request() const { return last_request_; }
  int64_t labelled() const { return labelled_; }
  int sent() const { return sent_; }
  int handled() const { return handled_; }

  void Wake() override {
    absl::MutexLock lock(&mutex_);
    woken_ = true;
  }
  void End(const absl::Status& status) override {
    absl::MutexLock lock(&mutex_);
    if (!end_.has_value()) end_ = status;
    woken_ = true;
  }
  void Handled() override { ++handled_; }

 private:
  bool AwaitWoken() {
    absl::MutexLock lock(&mutex_);
    const auto woken = [this]() ABSL_SHARED_LOCKS_REQUIRED(mutex_) { return woken_; };
    if (!mutex_.AwaitWithTimeout(absl::Condition(&woken), kPatience)) return false;
    woken_ = false;
    return true;
  }
  // Once for each ask.
  void Finish(uint64_t request, std::optional<std::string> labels) {
    const auto asked = unanswered_.extract(request);
    ASSERT_FALSE(asked.empty()) << "answered twice, or never asked: " << request;
    if (!labels.has_value()) return;
    EXPECT_TRUE(*labels == Truth(asked.mapped())) << "labels of other examples";
    labelled_ += static_cast<int64_t>(asked.mapped().size());
  }

  LabelServer* server_ = nullptr;
  uint64_t id_ = 0;
  uint64_t last_request_ = 0;
  std::map<uint64_t, std::vector<uint64_t>> unanswered_;
  std::map<uint64_t, std::string> payloads_;
  bool draining_ = false;
  int64_t labelled_ = 0;
  int sent_ = 0;
  // By whichever thread runs the control executor's closures, one after the other.
  int handled_ = 0;

  absl::Mutex mutex_;
  bool woken_ ABSL_GUARDED_BY(mutex_) = false;
  std::optional<absl::Status> end_ ABSL_GUARDED_BY(mutex_);
};

class LabelServerStressTest : public ::testing::TestWithParam<bool>, public ServingObserver {
 protected:
  // Without a lock: the control thread's, and read when that has ended.
  void OnAnswered(absl::StatusCode code, int64_t examples, absl::Duration) override {
    if (code == absl::StatusCode::kOk) answered_ += examples;
    ++answers_[code];
  }
  void OnQueue(int64_t examples, size_t requests) override { queue_ = {examples, requests}; }

  void Serve() {
    Serving serving;
    serving.model.model = "teacher";
    serving.model.fingerprint = "f00d";
    serving.model.data_set_digest = "data";
    serving.model.outputs = {"logits"};
    serving.model.codecs = {"dense_fp32"};
    serving.model.example_dims = {1, 2};
    serving.model.classes = kClasses;
    serving.runner = std::make_shared<ThreadedRunner>();
    serving.data = ToyExamples(kExamples, kClasses);
    serving.bounds.set_max_batch_examples(kMaxRows);
    serving.bounds.set_max_queue_examples(64);
    server_->Serve(std::move(serving));
  }

  void RunStudent(uint64_t seed) {
    std::mt19937_64 random(seed);
    for (int i = 0; i < kStreamsOfEach; ++i) {
      const auto stream = std::make_shared<Stream>();
      stream->Connect(server_.get(), stream);
      stream->Open(/*exact=*/random() % 3 == 0);
      for (int m = 0; m < kMessagesOfEach && !stream->ended() && !stream->draining(); ++m) {
        SendOne(*stream, random);
        stream->Read();
      }
      // One in four vanishes in the middle.
      if (random() % 4 != 0) {
        stream->Grant(uint64_t{1} << 30);
        stream->ReadToTheEnd();
      }
      stream->Leave();
      absl::MutexLock lock(&mutex_);
      streams_.push_back(stream);
    }
  }
  void SendOne(Stream& stream, std::mt19937_64& random) {
    switch (random() % 8) {
      case 0:
        stream.Cancel(1 + random() % (stream.last_request() + 1));
        return;
      case 1:
        stream.Grant(random() % 512);
        return;
      case 2: {
        absl::MutexLock lock(&time_mutex_);
        timers_.Advance(absl::Milliseconds(1));
        return;
      }
      default: {
        std::vector<uint64_t> ids(1 + random() % kMaxRows);
        for (uint64_t& id : ids) id = random() % kExamples;
        stream.Ask(std::move(ids), absl::Milliseconds(1 + random() % 900));
      }
    }
  }

  // Changes the model three times while students come and go, and drains at last.
  void Operate() {
    constexpr int kTotal = kStudents * kStreamsOfEach;
    for (const int tenths : {2, 4, 6}) {
      if (!AwaitStreams(kTotal * tenths / 10)) return;
      if (tenths == 4) server_->StopServing(absl::UnavailableError("another model comes"));
      Serve();
    }
    if (!AwaitStreams(kTotal * 8 / 10)) return;
    // Twice would crash.
    server_->Drain("the stress ends", [this] { drained_.Notify(); });
  }
  bool AwaitStreams(size_t count) {
    absl::MutexLock lock(&mutex_);
    const auto there = [this, count]()
                           ABSL_SHARED_LOCKS_REQUIRED(mutex_) { return streams_.size() >= count; };
    if (mutex_.AwaitWithTimeout(absl::Condition(&there), kPatience)) return true;
    ADD_FAILURE() << streams_.size() << " streams are over, waited for " << count;
    return false;
  }

  FakeClock clock_;
  absl::Mutex time_mutex_;
  FakeTimerQueue timers_{&clock_};
  FakeFileSystem files_;
  ThreadExecutor disk_executor_{{.name = "disk", .threads = 2, .max_queued = 4096}};
  ThreadExecutor writing_executor_{{.name = "writing", .threads = 1, .max_queued = 4096}};
  DiskTier disk_{
      &files_, {.directory = "cache", .log = {}}, &disk_executor_, &writing_executor_, nullptr};
  // Little in memory, so that the disk is asked too.
  LabelCache cache_{2048, &disk_};
  ThreadExecutor control_{{.name = "control", .threads = 1, .max_queued = 1 << 16}};

  absl::Notification drained_;
  absl::Mutex mutex_;
  std::vector<std::shared_ptr<Stream>> streams_ ABSL_GUARDED_BY(mutex_);

  int64_t answered_ = 0;
  std::map<absl::StatusCode, int> answers_;
  std::pair<int64_t, size_t> queue_{0, 0};
  std::unique_ptr<LabelServer> server_;
};

TEST_P(LabelServerStressTest, EveryAskIsAnsweredOnceAndNothingIsHeldAfterwards) {
  const uint64_t seed = TestSeed();
  LabelStreamOptions options;
  options.max_part_bytes = 48;
  options.max_server_bytes = 16384;
  server_ = std::make_unique<LabelServer>(options, &control_, &timers_, &clock_, this,
                                          GetParam() ? &cache_ : nullptr);
  Serve();
  StressThreads threads;
  for (int i = 0; i < kStudents; ++i) {
    threads.Start("student " + std::to_string(i), [this, seed, i] { RunStudent(seed + i); });
  }
  threads.Start("operator", [this] { Operate(); });
  threads.Join();
  EXPECT_TRUE(drained_.WaitForNotificationWithTimeout(kPatience)) << "the drain does not end";
  ASSERT_TRUE(disk_executor_.StopWithin(kPatience));
  ASSERT_TRUE(writing_executor_.StopWithin(kPatience));
  ASSERT_TRUE(control_.StopWithin(kPatience));

  int64_t labelled = 0;
  absl::MutexLock lock(&mutex_);
  for (const auto& stream : streams_) {
    EXPECT_EQ(stream->handled(), stream->sent()) << "messages were lost";
    const absl::StatusCode end = stream->end().code();
    EXPECT_TRUE(end == absl::StatusCode::kOk || end == absl::StatusCode::kUnavailable)
        << stream->end();
    labelled += stream->labelled();
  }
  // Some answers were for streams that had gone.
  EXPECT_LE(labelled, answered_);
  EXPECT_GT(labelled, 0);
  EXPECT_GT(answers_[absl::StatusCode::kCancelled], 0);
  EXPECT_EQ(queue_, (std::pair<int64_t, size_t>(0, 0)));
  EXPECT_EQ(server_->held_bytes(), 0u);
  server_.reset();
  streams_.clear();
}

INSTANTIATE_TEST_SUITE_P(WithoutAndWithACache, LabelServerStressTest, ::testing::Bool());

}  // namespace
}  // namespace distill
