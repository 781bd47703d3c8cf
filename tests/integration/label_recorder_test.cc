// The recorder of label sets against teacher servers, good and bad, over loopback.
#include "cli/label_recording/label_recorder.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <memory>
#include <numeric>
#include <string>
#include <utility>
#include <vector>

#include "common/clock/thread_timer_queue.h"
#include "common/digest/crc32c.h"
#include "common/executor/thread_executor.h"
#include "common/files/fake_file_system.h"
#include "common/rpc/server.h"
#include "distillation/data/data_set.h"
#include "distillation/label_sets/reader.h"
#include "proto/teacher.grpc.pb.h"
#include "teacher_server/runner/fake_runner.h"
#include "teacher_server/service/label_server.h"
#include "teacher_server/service/teacher_service.h"
#include "tests/integration/in_process_teacher.h"

namespace distill {
namespace {

using Teacher = InProcessTeacher;

using ::testing::HasSubstr;

constexpr uint64_t kExamples = InProcessTeacher::kExamples;
constexpr int kClasses = InProcessTeacher::kClasses;

// One that says the same of every class, under a right checksum.
class LyingTeacher final : public v1::TeacherService::Service {
 public:
  LyingTeacher() {
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
        v1::Opened& opened = *response.mutable_opened();
        opened.set_codec("dense_fp32");
        opened.set_fingerprint("f00d");
        opened.mutable_numerics_class()->set_text("test");
        opened.set_max_part_bytes(1 << 20);
        opened.set_max_request_examples(16);
      } else if (request.has_ask()) {
        const int rows = request.ask().examples().ids_size();
        const std::string bytes(static_cast<size_t>(rows) * kClasses * sizeof(float), '\0');
        v1::Labels& labels = *response.mutable_labels();
        labels.set_request_id(request.ask().request_id());
        labels.set_last(true);
        labels.set_total_bytes(bytes.size());
        labels.set_crc32c(Crc32c(bytes));
        v1::Section& section = *labels.add_sections();
        section.set_output("logits");
        section.set_codec("dense_fp32");
        section.set_dtype(v1::FLOAT32);
        section.add_dims(rows);
        section.add_dims(kClasses);
        section.set_length(bytes.size());
        response.set_payload(bytes);
      } else {
        continue;
      }
      if (!stream->Write(response)) break;
    }
    return grpc::Status::OK;
  }

 private:
  std::unique_ptr<RpcServer> rpc_;
};

class LabelRecorderTest : public ::testing::Test {
 protected:
  static LabelRecorderOptions Options() {
    LabelRecorderOptions options;
    options.directory = "/set";
    LabelSetIdentity& identity = options.identity;
    identity.fingerprint = "f00d";
    identity.output = "logits";
    identity.data_set_digest = "data";
    identity.split = v1::TRAIN;
    identity.view_spec_digest = "view";
    identity.codec = "dense_fp32";
    identity.classes = kClasses;
    identity.examples = kExamples;
    identity.block_rows = 8;
    identity.part_blocks = 4;
    options.open.set_model("teacher");
    options.open.set_fingerprint("f00d");
    options.open.add_outputs()->set_name("logits");
    options.open.mutable_outputs(0)->mutable_logits();
    options.open.add_codecs("dense_fp32");
    options.open.set_exact(true);
    options.open.set_classes(kClasses);
    options.open.add_example_dims(1);
    options.open.add_example_dims(2);
    return options;
  }
  // The same for another directory.
  static LabelRecorderOptions Other() {
    LabelRecorderOptions options = Options();
    options.directory = "/other";
    return options;
  }
  absl::Status Record(const LabelRecorderOptions& options,
                      const std::vector<std::string>& addresses) {
    ThreadExecutor writers({.name = "writers", .threads = 2, .max_queued = 256});
    LabelRecorderTools tools;
    tools.files = &files_;
    tools.clock = &clock_;
    tools.writers = &writers;
    tools.say = [this](const std::string& line) { said_ += line + "\n"; };
    tools.progress = [this](const RecordingProgress& progress) {
      progress_ = progress;
      if (on_progress_) on_progress_();
    };
    LabelRecorder recorder(options, tools);
    recorder_ = &recorder;
    const absl::Status status = recorder.Record(addresses).status();
    writers.Stop();
    return status;
  }
  // Every row has what FakeRunner says: c * (1 + id).
  void ExpectComplete() {
    LabelSetIdentity asked = Options().identity;
    auto set = LabelSetReader::Open(&files_, "/set", asked, {});
    ASSERT_TRUE(set.ok()) << set.status();
    EXPECT_EQ((*set)->Verify(), absl::OkStatus());
    EXPECT_EQ((*set)->identity().numerics_class, "test");
    std::vector<uint64_t> rows(kExamples);
    std::iota(rows.begin(), rows.end(), 0);
    std::vector<float> labels(kExamples * kClasses);
    ASSERT_TRUE((*set)->Read(rows, labels).ok());
    for (size_t i = 0; i < labels.size(); ++i) {
      ASSERT_EQ(labels[i], static_cast<float>(i % kClasses * (1 + i / kClasses))) << i;
    }
  }

  SystemClock clock_;
  FakeFileSystem files_;
  LabelRecorder* recorder_ = nullptr;
  std::function<void()> on_progress_;
  RecordingProgress progress_;
  std::string said_;
};

TEST_F(LabelRecorderTest, SeveralTeachersFillASetTogether) {
  Teacher one, two;
  ASSERT_EQ(Record(Options(), {one.address(), two.address()}), absl::OkStatus());
  ExpectComplete();
  EXPECT_EQ(progress_.blocks_done, 13u);
  EXPECT_EQ(progress_.blocks_kept, 0u);
  EXPECT_EQ(progress_.rows_missing, kExamples);
}

TEST_F(LabelRecorderTest, OneThatWasStoppedGoesOnWithWhatItHad) {
  Teacher teacher;
  on_progress_ = [this] {
    if (progress_.blocks_done >= 5) recorder_->Stop();
  };
  EXPECT_EQ(Record(Options(), {teacher.address()}).code(), absl::StatusCode::kCancelled);
  on_progress_ = nullptr;
  ASSERT_EQ(Record(Options(), {teacher.address()}), absl::OkStatus());
  EXPECT_GE(progress_.blocks_kept, 4u);
  EXPECT_LT(progress_.blocks_kept, 13u);
  ExpectComplete();
}

TEST_F(LabelRecorderTest, ATeacherThatIsNotThereOrHangsIsAskedNoMoreAndAnotherOneGivesTheRest) {
  Teacher hangs({.mode = FakeRunner::Mode::kOnDemand});
  Teacher good;
  LabelRecorderOptions options = Options();
  options.request_timeout = options.grace = absl::Milliseconds(100);
  options.max_failures = 1;
  ASSERT_EQ(Record(options, {"127.0.0.1:1", hangs.address(), good.address()}), absl::OkStatus());
  ExpectComplete();
}

TEST_F(LabelRecorderTest, WithoutATeacherItEndsAndSaysWhy) {
  LabelRecorderOptions options = Options();
  options.max_failures = 1;
  const absl::Status status = Record(options, {"127.0.0.1:1"});
  EXPECT_EQ(status.code(), absl::StatusCode::kUnavailable);
  EXPECT_THAT(std::string(status.message()), HasSubstr("no teacher server is left"));
  EXPECT_THAT(said_, HasSubstr("127.0.0.1:1 is not asked any more"));
  EXPECT_EQ(Record(options, {}).code(), absl::StatusCode::kUnavailable);
  // Unencrypted and off this machine: not even tried.
  EXPECT_FALSE(Record(options, {"192.0.2.1:1"}).ok());
}

TEST_F(LabelRecorderTest, OneWhoseLabelsMayNotBeTrainedOnIsAskedNoMoreAndTheOthersGiveThem) {
  LyingTeacher lies;
  Teacher good;
  ASSERT_EQ(Record(Options(), {lies.address(), good.address()}), absl::OkStatus());
  ExpectComplete();
  const absl::Status alone = Record(Other(), {lies.address()});
  EXPECT_EQ(alone.code(), absl::StatusCode::kDataLoss);
  EXPECT_THAT(std::string(alone.message()), HasSubstr("no teacher server is left"));
  EXPECT_THAT(std::string(alone.message()), HasSubstr("is constant"));
  EXPECT_THAT(said_, HasSubstr(lies.address() + " is not asked any more"));
}

TEST_F(LabelRecorderTest, OneThatDrainsIsLeftToTheOthers) {
  Teacher drains, good;
  bool drained = false;
  on_progress_ = [&] {
    if (progress_.blocks_done >= 3 && !drained) drains.Drain();
    drained = drained || progress_.blocks_done >= 3;
  };
  ASSERT_EQ(Record(Options(), {drains.address(), good.address()}), absl::OkStatus());
  ExpectComplete();
}

TEST_F(LabelRecorderTest, OnlyTeachersOfTheSetsFingerprintAndNumericsClassAreAsked) {
  Teacher other({.fingerprint = "beef"});
  EXPECT_EQ(Record(Options(), {other.address()}).code(), absl::StatusCode::kFailedPrecondition);
  Teacher elsewhere({.numerics_class = "m"});
  Teacher good;
  LabelRecorderOptions options = Options();
  options.identity.numerics_class = "test";
  ASSERT_EQ(Record(options, {elsewhere.address(), other.address(), good.address()}),
            absl::OkStatus());
  EXPECT_THAT(said_, HasSubstr(other.address() + " is not asked any more"));
  EXPECT_EQ(elsewhere.runner().in_flight(), 0);
  ExpectComplete();
  // What the other one would have recorded is another set.
  const absl::Status refused = Record(Options(), {elsewhere.address()});
  EXPECT_EQ(refused.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(std::string(refused.message()), HasSubstr("numerics class"));
}

TEST_F(LabelRecorderTest, AFullDiskEndsItAndWhatWasWrittenStays) {
  Teacher teacher;
  files_.FailOperation(15, absl::ResourceExhaustedError("disk full"), /*and_all_later=*/true);
  EXPECT_EQ(Record(Options(), {teacher.address()}).code(), absl::StatusCode::kResourceExhausted);
  files_.Crash();  // which forgets the failure
  ASSERT_EQ(Record(Options(), {teacher.address()}), absl::OkStatus());
  ExpectComplete();
}

}  // namespace
}  // namespace distill
