// A LabelServer with a cache.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "common/clock/fake_clock.h"
#include "common/clock/fake_timer_queue.h"
#include "common/executor/manual_executor.h"
#include "common/files/fake_file_system.h"
#include "common/rpc/peer_identity.h"
#include "common/tensor_view/tensor_view.h"
#include "distillation/labels/section.h"
#include "distillation/run_config/digests.h"
#include "teacher_server/cache/disk_tier.h"
#include "teacher_server/cache/label_cache.h"
#include "teacher_server/runner/fake_runner.h"
#include "teacher_server/service/flat_example_data.h"
#include "teacher_server/service/label_server.h"

namespace distill {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::SizeIs;
using Ids = std::vector<uint64_t>;

v1::ViewSpec View() {
  v1::ViewSpec view;
  view.set_max_shift_pixels(1);
  return view;
}

std::vector<float> Truth(const Ids& ids, const Ids& seeds = {}) {
  InferenceBatch batch;
  batch.examples = FlatExampleData()->Examples(v1::TRAIN, ids, seeds, View()).value();
  batch.outputs = {"logits"};
  const InferenceResult result = FakeRunner::Answer(FlatExampleModel(), batch).value();
  const auto values = result.outputs[0].as<float>();
  return {values.begin(), values.end()};
}

struct Observer final : ServingObserver {
  void OnBatch(BatchReason, int64_t examples, absl::Duration, absl::Duration) override {
    batches.push_back(examples);
  }
  void OnAnswered(absl::StatusCode code, int64_t, absl::Duration) override { ++answered[code]; }
  void OnQueue(int64_t examples, size_t) override { queue = examples; }
  void OnCache(const LabelCacheStats& stats) override { cache = stats; }
  std::vector<int64_t> batches;
  std::map<absl::StatusCode, int> answered;
  int64_t queue = 0;
  LabelCacheStats cache;
};

class Student final : public FrameSink {
 public:
  explicit Student(LabelServer* server) : server_(server) {}
  void Wake() override {}
  void End(const absl::Status&) override {}

  void Read() {
    while (std::optional<LabelFrame> frame = server_->NextFrame(id)) {
      const v1::LabelResponse& head = frame->head;
      if (head.has_failed()) codes[head.failed().request_id()] = head.failed().code();
      if (!head.has_labels()) continue;
      const uint64_t request = head.labels().request_id();
      std::string payload;
      for (const std::string_view slice : frame->payload.slices) payload += slice;
      const auto labels =
          DecodeSection(head.labels().sections(0), std::as_bytes(std::span(payload)));
      ASSERT_TRUE(labels.ok()) << labels.status();
      ASSERT_FALSE(answers.contains(request));
      const auto values = labels->as<float>();
      answers[request] = {values.begin(), values.end()};
      stages[request] = head.labels().stages();
    }
  }
  absl::StatusCode Code(uint64_t request) { return static_cast<absl::StatusCode>(codes[request]); }

  uint64_t id = 0;
  std::map<uint64_t, std::vector<float>> answers;
  std::map<uint64_t, v1::StageSeconds> stages;
  std::map<uint64_t, int> codes;

 private:
  LabelServer* const server_;
};

class LabelServerCacheTest : public ::testing::Test {
 protected:
  LabelServerCacheTest() { Restart(nullptr); }
  ~LabelServerCacheTest() override { Stop(); }

  void Stop() {
    server_->StopServing(absl::UnavailableError("test ends"));
    Run();
    students_.clear();
  }
  // A server with an empty memory tier.
  void Restart(DiskTier* disk, const std::string& fingerprint = "f00d") {
    if (server_ != nullptr) Stop();
    server_ = nullptr;
    cache_ = std::make_unique<LabelCache>(1 << 20, disk);
    server_ = std::make_unique<LabelServer>(LabelStreamOptions(), &control_, &timers_, &clock_,
                                            &observer_, cache_.get());
    Serve(fingerprint);
  }
  void Run() {
    control_.RunAll();
    for (const auto& student : students_) student->Read();
  }
  void Serve(const std::string& fingerprint) {
    runner_ = std::make_shared<FakeRunner>(FlatExampleModel(), FakeRunner::Mode::kOnDemand, 1);
    Serving serving;
    serving.model.model = "teacher";
    serving.model.fingerprint = fingerprint;
    serving.model.numerics_class = numerics_class_;
    serving.model.data_set_digest = "data";
    serving.model.outputs = {"logits"};
    serving.model.codecs = {"dense_fp32", "dense_fp16"};
    serving.model.example_dims = {1, 2};
    serving.model.classes = 3;
    serving.runner = runner_;
    serving.data = FlatExampleData();
    serving.bounds.set_max_batch_examples(4);
    serving.bounds.set_max_queue_examples(max_queue_examples_);
    serving.bounds.set_max_queue_delay_seconds(0.002);
    server_->Serve(std::move(serving));
    Run();
  }
  void Compute() {
    while (runner_->CompleteOldest()) Run();
  }

  std::shared_ptr<Student> Open(const std::string& codec = "dense_fp32", bool exact = false,
                                const std::string& fingerprint = "f00d") {
    auto student = std::make_shared<Student>(server_.get());
    student->id = server_->Connect(PeerIdentity{"ipv4:10.0.0.7:40000", ""}, student);
    students_.push_back(student);
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
    server_->OnMessage(student->id, message);
    Run();
    return student;
  }
  void Ask(const std::shared_ptr<Student>& student, uint64_t request, const Ids& ids,
           const Ids& seeds = {}, int seconds = 10) {
    v1::LabelRequest message;
    message.mutable_ask()->set_request_id(request);
    message.mutable_ask()->mutable_remaining()->set_seconds(seconds);
    v1::ExampleRefs* refs = message.mutable_ask()->mutable_examples();
    refs->set_data_set_digest("data");
    refs->set_split(v1::TRAIN);
    *refs->mutable_view_spec() = view_;
    refs->set_view_spec_digest(ViewSpecDigest(view_));
    refs->mutable_ids()->Add(ids.begin(), ids.end());
    refs->mutable_view_seeds()->Add(seeds.begin(), seeds.end());
    server_->OnMessage(student->id, message);
    Run();
  }
  void Cancel(const std::shared_ptr<Student>& student, uint64_t request) {
    v1::LabelRequest message;
    message.mutable_cancel()->set_request_id(request);
    server_->OnMessage(student->id, message);
    Run();
  }

  uint32_t max_queue_examples_ = 6;
  std::string numerics_class_ = "cpu";
  v1::ViewSpec view_ = View();
  FakeClock clock_;
  FakeTimerQueue timers_{&clock_};
  ManualExecutor control_{100};
  Observer observer_;
  std::unique_ptr<LabelCache> cache_;
  std::unique_ptr<LabelServer> server_;
  std::shared_ptr<FakeRunner> runner_;
  std::vector<std::shared_ptr<Student>> students_;
};

TEST_F(LabelServerCacheTest, AnotherStudentsRowsAreAnsweredWithoutComputeInItsOwnCodec) {
  runner_->set_waited(absl::Milliseconds(20));
  auto first = Open();
  Ask(first, 1, {0, 1, 2});
  clock_.Advance(absl::Milliseconds(5));
  Compute();
  EXPECT_EQ(first->answers[1], Truth({0, 1, 2}));
  EXPECT_EQ(first->stages[1].queue(), 0.02) << "behind another batch of the runner";
  auto second = Open("dense_fp16");
  Ask(second, 1, {2, 0});
  EXPECT_EQ(second->answers[1], Truth({2, 0}));
  EXPECT_THAT(observer_.batches, ElementsAre(3));
  EXPECT_EQ(second->stages[1].infer(), 0);
  EXPECT_EQ(observer_.cache.memory.hits, 2u);
  EXPECT_EQ(observer_.cache.memory.misses, 3u);
  EXPECT_EQ(observer_.answered[absl::StatusCode::kOk], 2);
}

TEST_F(LabelServerCacheTest, OnlyTheRowsThatAreMissingAreComputed) {
  auto student = Open();
  Ask(student, 1, {0, 1});
  Compute();
  Ask(student, 2, {1, 5, 0, 5});
  clock_.Advance(absl::Milliseconds(250));
  Compute();
  EXPECT_EQ(student->answers[2], Truth({1, 5, 0, 5}));
  EXPECT_THAT(observer_.batches, ElementsAre(2, 1));
}

TEST_F(LabelServerCacheTest, AViewIsAnotherRow) {
  // Two views that show something of the example, and not the same.
  Ids seeds;
  std::vector<float> last(3);
  for (uint64_t seed = 1; seeds.size() < 2; ++seed) {
    const std::vector<float> truth = Truth({1}, {seed});
    if (truth == std::vector<float>(3) || truth == last) continue;
    seeds.push_back(seed);
    last = truth;
  }
  const Ids reversed = {seeds[1], seeds[0]};
  auto student = Open();
  Ask(student, 1, {1, 1}, seeds);
  Compute();
  Ask(student, 2, {1});
  Compute();
  Ask(student, 3, {1, 1}, reversed);
  EXPECT_EQ(student->answers[1], Truth({1, 1}, seeds));
  EXPECT_EQ(student->answers[2], Truth({1}));
  EXPECT_EQ(student->answers[3], Truth({1, 1}, reversed));
  EXPECT_NE(student->answers[1], student->answers[3]);
  EXPECT_THAT(observer_.batches, ElementsAre(2, 1));
}

TEST_F(LabelServerCacheTest, ConcurrentMissesAreComputedOnce) {
  auto first = Open();
  auto second = Open("dense_fp16");
  Ask(first, 1, {0, 1});
  Ask(second, 1, {1, 0});
  Ask(second, 2, {0, 2});
  Compute();
  EXPECT_EQ(first->answers[1], Truth({0, 1}));
  EXPECT_EQ(second->answers[1], Truth({1, 0}));
  EXPECT_EQ(second->answers[2], Truth({0, 2}));
  EXPECT_THAT(observer_.batches, ElementsAre(2, 1));
}

TEST_F(LabelServerCacheTest, AStreamThatIsLostTakesNoRowsFromThoseThatWaitForThem) {
  auto first = Open();
  auto second = Open();
  Ask(first, 1, {3});
  // Queued behind it, then running alike.
  Ask(first, 2, {0, 1});
  Ask(second, 1, {3, 1});
  server_->Lost(first->id);
  Run();
  Compute();
  EXPECT_EQ(second->answers[1], Truth({3, 1}));
  EXPECT_THAT(observer_.batches, ElementsAre(1, 2));
}

TEST_F(LabelServerCacheTest, ACancelledAskIsNotRunUnlessAnotherWaitsForIt) {
  auto student = Open();
  Ask(student, 1, {3});
  Ask(student, 2, {0});
  Ask(student, 3, {1});
  Ask(student, 4, {1});
  Cancel(student, 2);
  Cancel(student, 3);
  EXPECT_EQ(student->Code(2), absl::StatusCode::kCancelled);
  Compute();
  EXPECT_THAT(observer_.batches, ElementsAre(1, 1));
  EXPECT_EQ(student->answers[4], Truth({1}));
  EXPECT_EQ(observer_.answered[absl::StatusCode::kCancelled], 2);
  Ask(student, 5, {0});
  Compute();
  EXPECT_EQ(student->answers[5], Truth({0}));
}

TEST_F(LabelServerCacheTest, ACancelledAskOfABatchThatIsRunAgainLeavesNothingBehind) {
  auto student = Open();
  Ask(student, 1, {3});
  Ask(student, 2, {0});
  Ask(student, 3, {1});
  ASSERT_TRUE(runner_->CompleteOldest());
  Run();
  Cancel(student, 3);
  ASSERT_TRUE(runner_->CompleteOldest(absl::DataLossError("row 0 is not finite")));
  Run();
  Compute();
  EXPECT_EQ(student->answers[2], Truth({0}));
  Ask(student, 4, {1});
  Compute();
  EXPECT_EQ(student->answers[4], Truth({1}));
}

TEST_F(LabelServerCacheTest, AResultThatComesTogetherWithTheEndOfItsStreamIsCached) {
  auto first = Open();
  Ask(first, 1, {0});
  ASSERT_TRUE(runner_->CompleteOldest());
  server_->Lost(first->id);
  Run();
  EXPECT_THAT(first->answers, IsEmpty());
  auto second = Open();
  Ask(second, 1, {0});
  EXPECT_EQ(second->answers[1], Truth({0}));
}

TEST_F(LabelServerCacheTest, WhenTheFirstRunsOutOfTimeTheNextOneAsksAnew) {
  auto student = Open();
  Ask(student, 1, {3});
  Ask(student, 2, {0}, {}, 1);
  Ask(student, 3, {0});
  timers_.Advance(absl::Seconds(1));
  Run();
  EXPECT_EQ(student->Code(2), absl::StatusCode::kDeadlineExceeded);
  EXPECT_EQ(observer_.queue, 1);
  Compute();
  EXPECT_EQ(student->answers[3], Truth({0}));
  EXPECT_THAT(observer_.batches, ElementsAre(1, 1));
}

TEST_F(LabelServerCacheTest, AFailureIsNotCachedAndFailsOnlyThoseWhoseRowsFail) {
  auto student = Open();
  Ask(student, 1, {0, kFlatExample});
  Ask(student, 2, {0});
  Ask(student, 3, {kFlatExample});
  Compute();
  EXPECT_EQ(student->Code(1), absl::StatusCode::kDataLoss);
  EXPECT_EQ(student->Code(3), absl::StatusCode::kDataLoss);
  EXPECT_EQ(student->answers[2], Truth({0}));
  Ask(student, 4, {kFlatExample});
  ASSERT_TRUE(runner_->CompleteOldest(absl::InternalError("the model broke")));
  Run();
  EXPECT_EQ(student->Code(4), absl::StatusCode::kInternal);
}

TEST_F(LabelServerCacheTest, AFailedAskKeepsNoPlaceInTheQueueForItsOtherRows) {
  max_queue_examples_ = 64;
  Restart(nullptr);
  auto first = Open();
  auto second = Open();
  auto third = Open();
  Ask(first, 1, {3});
  Ask(second, 1, {kFlatExample}, {}, 1);
  Ask(second, 2, {0, 1, 2, 5}, {}, 2);
  Ask(third, 1, {kFlatExample, 0, 1, 2});
  timers_.Advance(absl::Seconds(1));
  Run();  // the third has its flat row computed itself
  ASSERT_TRUE(runner_->CompleteOldest());
  timers_.Advance(absl::Seconds(1));
  Run();  // and the others, in another flight, which waits behind the first
  EXPECT_EQ(observer_.queue, 3);
  ASSERT_TRUE(runner_->CompleteOldest());
  Run();
  EXPECT_EQ(third->Code(1), absl::StatusCode::kDataLoss);
  EXPECT_EQ(observer_.queue, 0);
  EXPECT_THAT(observer_.batches, ElementsAre(1, 1));
}

TEST_F(LabelServerCacheTest, AnUnaugmentedViewIsOneRowWhateverTheDigestThatCameWithIt) {
  auto student = Open();
  Ask(student, 1, {0});
  Compute();
  view_.set_max_shift_pixels(2);
  Ask(student, 2, {0});
  EXPECT_EQ(student->answers[2], student->answers[1]);
}

TEST_F(LabelServerCacheTest, RowsOfAnotherNumericsClassAreNotServed) {
  auto student = Open();
  Ask(student, 1, {0});
  Compute();
  numerics_class_ = "another cpu";
  Serve("f00d");
  student = Open();
  Ask(student, 1, {0});
  EXPECT_THAT(student->answers, IsEmpty());
  Compute();
  EXPECT_THAT(student->answers, SizeIs(1));
}

TEST_F(LabelServerCacheTest, AnAskThatAFullQueueRefusedLeavesNothingBehind) {
  auto student = Open();
  Ask(student, 1, {0, 1, 2, 3});
  Ask(student, 2, {4, 5, 6});
  const Ids seeds = {1, 1, 1, 1};
  Ask(student, 3, {0, 1, 2, 3}, seeds);
  EXPECT_EQ(student->Code(3), absl::StatusCode::kResourceExhausted);
  Compute();
  EXPECT_THAT(student->answers, SizeIs(2));
  // Its rows are nobody's: they are computed for the next one.
  Ask(student, 4, {0, 1, 2, 3}, seeds);
  Compute();
  EXPECT_THAT(observer_.batches, ElementsAre(4, 3, 4));
}

TEST_F(LabelServerCacheTest, ExactStreamsNeitherReadNorFillTheCache) {
  auto exact = Open("dense_fp32", /*exact=*/true);
  Ask(exact, 1, {0});
  Compute();
  EXPECT_EQ(cache_->stats(), LabelCacheStats());
  auto student = Open();
  Ask(student, 1, {0});
  Compute();
  Ask(exact, 2, {0});
  EXPECT_THAT(exact->answers, SizeIs(1));
  Compute();
  EXPECT_EQ(exact->answers[2], Truth({0}));
  EXPECT_THAT(observer_.batches, ElementsAre(1, 1, 1));
}

TEST_F(LabelServerCacheTest, AnotherModelHasRowsOfItsOwnAndAFormerOneFindsItsAgain) {
  auto student = Open();
  Ask(student, 1, {0});
  Compute();
  Serve("beef");
  auto other = Open("dense_fp32", false, "beef");
  Ask(other, 1, {0});
  EXPECT_THAT(other->answers, IsEmpty());
  Compute();
  EXPECT_THAT(other->answers, SizeIs(1));
  Serve("f00d");
  auto again = Open();
  Ask(again, 1, {0});
  EXPECT_EQ(again->answers[1], Truth({0}));
  EXPECT_THAT(observer_.batches, ElementsAre(1, 1));
}

TEST_F(LabelServerCacheTest, AReplacedModelsLateResultFillsTheCacheAndTouchesNobody) {
  auto former = runner_;
  auto student = Open();
  Ask(student, 1, {0});
  Serve("beef");
  ASSERT_TRUE(former->CompleteOldest());
  former = nullptr;
  Run();
  EXPECT_THAT(student->answers, IsEmpty());
  Serve("f00d");
  auto again = Open();
  Ask(again, 1, {0});
  EXPECT_EQ(again->answers[1], Truth({0}));
}

TEST_F(LabelServerCacheTest, AfterARestartRowsComeFromDiskWithoutCompute) {
  FakeFileSystem files;
  ManualExecutor executor;
  DiskTierOptions options;
  options.directory = "cache";
  DiskTier disk(&files, options, &executor, &executor, nullptr);
  executor.RunAll();
  Restart(&disk);
  auto student = Open();
  Ask(student, 1, {0, 1});
  executor.RunAll();
  Run();
  Compute();
  executor.RunAll();
  EXPECT_EQ(student->answers[1], Truth({0, 1}));

  DiskTier reopened(&files, options, &executor, &executor, nullptr);
  executor.RunAll();
  Restart(&reopened);
  student = Open();
  Ask(student, 1, {1, 0});
  // The control thread does not wait for the disk.
  EXPECT_THAT(student->answers, IsEmpty());
  executor.RunAll();
  Run();
  EXPECT_EQ(student->answers[1], Truth({1, 0}));
  EXPECT_THAT(observer_.batches, ElementsAre(2));
  EXPECT_EQ(observer_.cache.disk.hits, 2u);
  // A search under way when its model goes.
  Ask(student, 2, {2});
  Stop();
  executor.RunAll();
  Run();
  // The disk goes before the fixture.
  Restart(nullptr);
}

}  // namespace
}  // namespace distill
