// The label source behind its LabelClient, with a fleet of fake teachers instead of gRPC:
// answers, failures, lies, silence, drains, deaths, rebirths, new lists, time and Close, all at
// once. For TSan, and for what must hold however they meet.
#include <gtest/gtest.h>

#include <atomic>
#include <cstdint>
#include <cstring>
#include <limits>
#include <memory>
#include <optional>
#include <random>
#include <set>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "absl/synchronization/notification.h"
#include "absl/time/time.h"
#include "common/bytes/aligned_bytes.h"
#include "common/bytes/byte_slices.h"
#include "common/clock/fake_clock.h"
#include "common/clock/fake_timer_queue.h"
#include "common/executor/stress_threads.h"
#include "common/executor/thread_executor.h"
#include "common/random/test_seed.h"
#include "common/tensor_view/tensor_view.h"
#include "proto/teacher.pb.h"
#include "student_worker/label_source/label_actions.h"
#include "student_worker/label_source/label_source.h"
#include "student_worker/worker/label_client.h"
#include "teacher_server/client/answer_assembler.h"
#include "teacher_server/client/label_calls.h"
#include "teacher_server/client/label_channel.h"

namespace distill {
namespace {

constexpr int kStudents = 2;
constexpr int kClientsOfEach = 6;
constexpr int64_t kSteps = 30;
constexpr int kRows = 12;
constexpr int kClasses = 3;
constexpr int kTeachers = 4;
constexpr absl::Duration kPatience = absl::Seconds(40);
constexpr absl::Duration kTick = absl::Milliseconds(1);

v1::ExampleRefs ExamplesOf(int64_t step) {
  v1::ExampleRefs refs;
  for (int i = 0; i < kRows; ++i) refs.add_ids(static_cast<uint64_t>(step * kRows + i));
  return refs;
}

std::vector<float> Truth(const v1::ExampleRefs& examples) {
  std::vector<float> logits;
  for (const uint64_t id : examples.ids()) {
    for (int c = 0; c < kClasses; ++c) logits.push_back(static_cast<float>(c * (1 + id)));
  }
  return logits;
}

// What all streams count.
struct Totals {
  std::atomic<int> opened{0};
  std::atomic<int> closed{0};
  std::atomic<int> alive{0};
  std::atomic<int64_t> answered{0};
};

// One stream of one fake teacher, which does what it draws.
class FakeStream final : public LabelCalls, public std::enable_shared_from_this<FakeStream> {
 public:
  // `executor` is serial: events come one at a time.
  FakeStream(ThreadExecutor* executor, LabelChannelEvents events, uint64_t seed, Totals* totals)
      : executor_(executor), events_(std::move(events)), random_(seed), totals_(totals) {
    ++totals_->alive;
  }
  ~FakeStream() override { --totals_->alive; }

  void Begin() {
    Post([this] {
      if (random_() % 8 == 0) return End(absl::UnavailableError("it is starting"));
      v1::Opened opened;
      opened.set_codec("dense_fp32");
      opened.set_fingerprint("f00d");
      opened.set_max_part_bytes(1 << 20);
      opened.set_max_request_examples(64);
      if (!closing_) events_.opened(opened);
    });
  }
  void Ask(v1::Ask ask, ByteSlices) override {
    Post([this, ask = std::move(ask)] { OnAsk(ask); });
  }
  void Cancel(uint64_t request) override {
    Post([this, request] {
      if (!ended_ && unanswered_.contains(request))
        Fail(request, absl::CancelledError("by the student"), {});
    });
  }
  void Close() override {
    closing_ = true;
    Post([this] { End(absl::CancelledError("closed by the student")); });
  }

 private:
  void Post(std::function<void()> event) {
    const absl::Status posted =
        executor_->Schedule([self = shared_from_this(), event = std::move(event)] { event(); });
    EXPECT_TRUE(posted.ok()) << posted;
  }

  void OnAsk(const v1::Ask& ask) {
    if (ended_) return;
    const uint64_t request = ask.request_id();
    EXPECT_TRUE(unanswered_.insert(request).second) << "asked twice: " << request;
    const int draw = static_cast<int>(random_() % 100);
    if (draw < 3) return;  // silence, until it is cancelled
    if (draw < 6) return End(absl::UnavailableError("killed"));
    if (draw < 8) return Drain();
    if (draw < 14) return Fail(request, absl::UnavailableError("no room"), {});
    if (draw < 20) return Fail(request, absl::ResourceExhaustedError("later"), 3 * kTick);
    Answer(ask, /*lie=*/draw < 22);
  }
  void Answer(const v1::Ask& ask, bool lie) {
    std::vector<float> logits = Truth(ask.examples());
    if (lie) logits[0] = std::numeric_limits<float>::quiet_NaN();
    auto labels = std::make_shared<ReceivedLabels>();
    labels->payload = AlignedBytes(logits.size() * sizeof(float));
    std::memcpy(labels->payload.data(), logits.data(), labels->payload.size());
    v1::Section& section = labels->sections.emplace_back();
    section.set_output("logits");
    section.set_codec("dense_fp32");
    section.set_dtype(v1::FLOAT32);
    section.add_dims(ask.examples().ids_size());
    section.add_dims(kClasses);
    section.set_length(labels->payload.size());
    unanswered_.erase(ask.request_id());
    ++totals_->answered;
    if (!closing_) events_.answered(ask.request_id(), std::move(labels));
  }
  void Fail(uint64_t request, const absl::Status& status, absl::Duration retry_after) {
    unanswered_.erase(request);
    if (!closing_) events_.failed(request, status, retry_after);
  }
  void Drain() {
    if (!closing_) events_.draining("asked to");
    for (const uint64_t request : std::set<uint64_t>(unanswered_)) {
      Fail(request, absl::UnavailableError("it drains"), {});
    }
    End(absl::OkStatus());
  }
  void End(const absl::Status& status) {
    if (std::exchange(ended_, true)) return;
    events_.closed(status);
    events_ = {};  // which hold the client
    ++totals_->closed;
  }

  ThreadExecutor* const executor_;
  std::atomic<bool> closing_{false};
  // Of the executor.
  LabelChannelEvents events_;
  std::mt19937_64 random_;
  bool ended_ = false;
  std::set<uint64_t> unanswered_;

  Totals* const totals_;
};

class LabelClientStressTest : public ::testing::Test {
 protected:
  LabelClientOptions Options(uint64_t seed) {
    LabelClientOptions options;
    options.source.end_step = 1'000'000;
    options.source.request_timeout = 200 * kTick;
    options.source.no_teacher_timeout = absl::Hours(24);
    options.source.max_attempts = 1'000'000;
    options.source.breaker.max_backoff = 50 * kTick;
    options.rows = kRows;
    options.by_example = seed % 2 == 0;
    options.open.set_model("teacher");
    options.open.set_fingerprint("f00d");
    options.open.add_outputs()->set_name("logits");
    options.open.mutable_outputs(0)->mutable_logits();
    options.open.add_codecs("dense_fp32");
    options.open.set_classes(kClasses);
    options.examples_of = [](int64_t step) -> absl::StatusOr<v1::ExampleRefs> {
      return ExamplesOf(step);
    };
    // On the label executor only, which is serial.
    options.open_channel =
        [this](const LabelChannelOptions& channel,
               LabelChannelEvents events) -> absl::StatusOr<std::shared_ptr<LabelCalls>> {
      if (stream_random_() % 16 == 0) return absl::InvalidArgumentError("no address");
      ThreadExecutor* const executor = &wires_[channel.address == "even" ? 0 : 1];
      auto stream =
          std::make_shared<FakeStream>(executor, std::move(events), stream_random_(), &totals_);
      ++totals_.opened;
      stream->Begin();
      return stream;
    };
    return options;
  }

  // Clients one after the other, each closed by another thread after some steps.
  void RunStudent(int index, uint64_t seed) {
    std::mt19937_64 random(seed);
    for (int i = 0; i < kClientsOfEach; ++i) {
      const std::shared_ptr<LabelClient> client =
          LabelClient::Create(Options(random()), &executor_, &timers_, &clock_, [] { return 0.5; });
      {
        absl::MutexLock lock(&mutex_);
        clients_[index] = client;
        ended_clients_.push_back(client);
      }
      Train(*client, /*close_at=*/i + 1 == kClientsOfEach ? kSteps : random() % kSteps);
      absl::MutexLock lock(&mutex_);
      clients_[index] = nullptr;
    }
  }
  void Train(LabelClient& client, int64_t close_at) {
    absl::Notification reached;
    StressThreads closing;
    closing.Start("closing", [&] {
      EXPECT_TRUE(reached.WaitForNotificationWithTimeout(kPatience)) << "no labels come";
      client.Close(absl::CancelledError("enough"));
    });
    int64_t step = 0;
    for (;; ++step) {
      if (step == close_at) reached.Notify();
      const absl::StatusOr<StepLabels> labels = client.Take(step);
      if (!labels.ok()) {
        EXPECT_EQ(labels.status().message(), "enough");
        break;
      }
      const auto values = std::get<TensorView>(labels->at("logits")).as<float>();
      ASSERT_EQ(std::vector<float>(values.begin(), values.end()), Truth(ExamplesOf(step)))
          << "step " << step;
    }
    closing.Join();
    const LabelSource::Counters counters = client.counters();
    int64_t served = 0;
    for (const auto& [endpoint, answers] : counters.served) served += answers;
    // The counters may lag by the event that offered the last step.
    EXPECT_GE(served + 1, step) << "each step has an answer at least";
    EXPECT_GE(counters.asks, served);
    steps_ += step;
  }

  // Time, which goes on as fast as everybody keeps up, and with it the list of teachers.
  void Tick(uint64_t seed) {
    std::mt19937_64 random(seed);
    std::vector<TeacherEndpoint> teachers;
    for (int i = 0; i < kTeachers; ++i) {
      teachers.push_back({"teacher-" + std::to_string(i), 1, i % 2 == 0 ? "even" : "odd"});
    }
    for (int64_t tick = 0; !trained_; ++tick) {
      timers_.Advance(kTick);
      if (tick % 16 == 0) {
        for (TeacherEndpoint& teacher : teachers) teacher.incarnation += random() % 3 == 0;
        std::vector<TeacherEndpoint> list = teachers;
        if (random() % 2 == 0) list.erase(list.begin() + random() % list.size());
        Tell(list);
      }
      for (ThreadExecutor* executor : {&executor_, &wires_[0], &wires_[1]}) {
        if (!Pass(*executor)) return;
      }
    }
  }
  void Tell(const std::vector<TeacherEndpoint>& list) {
    for (int i = 0; i < kStudents; ++i) {
      std::shared_ptr<LabelClient> client;
      {
        absl::MutexLock lock(&mutex_);
        client = clients_[i];
      }
      if (client == nullptr) continue;
      client->SetEndpoints(list);
      counted_ += client->TakeAnswerTimes().count;
      EXPECT_GE(client->counters().asks, 0);
    }
  }
  // Waits until the executor has run what it has.
  static bool Pass(ThreadExecutor& executor) {
    const auto passed = std::make_shared<absl::Notification>();
    EXPECT_TRUE(executor.Schedule([passed] { passed->Notify(); }).ok());
    if (passed->WaitForNotificationWithTimeout(kPatience)) return true;
    ADD_FAILURE() << "an executor does not get on";
    return false;
  }

  FakeClock clock_;
  FakeTimerQueue timers_{&clock_};
  ThreadExecutor executor_{{.name = "labels", .threads = 1, .max_queued = 4096}};
  // Of the teachers' streams.
  ThreadExecutor wires_[2] = {ThreadExecutor({.name = "wire", .threads = 1, .max_queued = 4096}),
                              ThreadExecutor({.name = "wire", .threads = 1, .max_queued = 4096})};
  Totals totals_;
  std::mt19937_64 stream_random_;
  std::atomic<bool> trained_{false};
  std::atomic<int64_t> steps_{0};
  int64_t counted_ = 0;

  absl::Mutex mutex_;
  std::shared_ptr<LabelClient> clients_[kStudents] ABSL_GUARDED_BY(mutex_);
  std::vector<std::weak_ptr<LabelClient>> ended_clients_ ABSL_GUARDED_BY(mutex_);
};

TEST_F(LabelClientStressTest, EveryStepIsTakenOnceAndAllStreamsAreClosed) {
  const uint64_t seed = TestSeed();
  stream_random_.seed(seed);
  StressThreads time;
  time.Start("time", [this, seed] { Tick(seed + 1); });
  StressThreads students;
  for (int i = 0; i < kStudents; ++i) {
    students.Start("student " + std::to_string(i), [=, this] { RunStudent(i, seed + 2 + i); });
  }
  students.Join();
  trained_ = true;
  time.Join();
  // A closed stream's end, and what the client does about it.
  ASSERT_TRUE(executor_.StopWithin(kPatience));
  for (ThreadExecutor& wire : wires_) ASSERT_TRUE(wire.StopWithin(kPatience));

  EXPECT_GE(steps_, kStudents * kSteps);
  EXPECT_GT(totals_.opened, 0);
  EXPECT_EQ(totals_.closed, totals_.opened) << "streams that were left open";
  EXPECT_EQ(totals_.alive, 0);
  EXPECT_LE(counted_, totals_.answered);
  absl::MutexLock lock(&mutex_);
  for (const auto& client : ended_clients_) EXPECT_TRUE(client.expired()) << "a client is held";
}

}  // namespace
}  // namespace distill
