// For tests: a LabelServer without gRPC, threads or time, over a fake runner, and its
// students.
#ifndef TEACHER_SERVER_SERVICE_LABEL_SERVER_HARNESS_H_
#define TEACHER_SERVER_SERVICE_LABEL_SERVER_HARNESS_H_

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "common/clock/fake_clock.h"
#include "common/clock/fake_timer_queue.h"
#include "common/executor/manual_executor.h"
#include "common/rpc/peer_identity.h"
#include "proto/teacher.pb.h"
#include "teacher_server/cache/label_cache.h"
#include "teacher_server/canary/canary.h"
#include "teacher_server/label_stream/label_stream.h"
#include "teacher_server/runner/fake_runner.h"
#include "teacher_server/runner/interface.h"
#include "teacher_server/service/label_server.h"
#include "teacher_server/service/toy_examples.h"

namespace distill {

// A student that reads only when told to.
class HarnessStudent final : public FrameSink {
 public:
  explicit HarnessStudent(LabelServer* server) : server_(server) {}

  void Wake() override {}
  void End(const absl::Status& status) override {
    if (!end.has_value()) end = status;
  }
  void Handled() override { ++handled; }

  // Everything that can be written now.
  void Read() {
    while (std::optional<LabelFrame> frame = server_->NextFrame(id)) {
      const v1::LabelResponse& head = frame->head;
      if (head.has_failed()) failed[head.failed().request_id()] = head.failed();
      if (!head.has_labels()) continue;
      for (const v1::Section& section : head.labels().sections()) {
        sections[head.labels().request_id()] = section;
        all_sections[head.labels().request_id()].push_back(section);
      }
      bytes += frame->payload.size();
      for (const std::string_view slice : frame->payload.slices) {
        payload[head.labels().request_id()] += slice;
      }
      if (head.labels().last()) answered.push_back(head.labels().request_id());
    }
  }
  absl::StatusCode Code(uint64_t request) {
    return static_cast<absl::StatusCode>(failed[request].code());
  }

  uint64_t id = 0;
  int handled = 0;
  std::optional<absl::Status> end;
  std::map<uint64_t, v1::Failed> failed;
  std::vector<uint64_t> answered;
  uint64_t bytes = 0;
  std::map<uint64_t, std::string> payload;
  std::map<uint64_t, v1::Section> sections;
  std::map<uint64_t, std::vector<v1::Section>> all_sections;

 private:
  LabelServer* const server_;
};

class LabelServerHarness : public ServingObserver {
 public:
  static constexpr int kExamples = 64;
  // 40 bytes of labels for an example in dense_fp32.
  static constexpr int kClasses = 10;

  explicit LabelServerHarness(const LabelStreamOptions& options, LabelCache* cache = nullptr)
      : server(options, &control, &timers, &clock, this, cache) {}
  ~LabelServerHarness() override {
    server.StopServing(absl::UnavailableError("the test ends"));
    control.RunAll();
  }

  static ModelDescription Description() { return {"f00d", "test", {1, 2}, kClasses, {"logits"}}; }
  // Batches of 8 examples, one in flight.
  std::shared_ptr<FakeRunner> Serve(FakeRunner::Mode mode, uint32_t queue) {
    auto runner = std::make_shared<FakeRunner>(Description(), mode, 1);
    Serve(runner, queue);
    return runner;
  }
  void Serve(std::shared_ptr<Runner> runner, uint32_t queue, CanaryRecord canary = {}) {
    Serving serving;
    serving.model.model = "teacher";
    serving.model.fingerprint = "f00d";
    serving.model.data_set_digest = "data";
    serving.model.outputs = {"logits"};
    serving.model.codecs = {"dense_fp32", "top_k", "sampled", "hidden_fp32", "hidden_fp16"};
    serving.model.example_dims = {1, 2};
    serving.model.classes = kClasses;
    serving.runner = std::move(runner);
    serving.data = ToyExamples(kExamples, kClasses);
    serving.bounds.set_max_batch_examples(8);
    serving.bounds.set_max_queue_examples(queue);
    serving.bounds.set_canary_interval_seconds(canary_interval_seconds);
    serving.canary = std::move(canary);
    serving.told = [this](const absl::Status& status) { told.push_back(status); };
    server.Serve(std::move(serving));
    control.RunAll();
  }
  // What the fake runner answers for the last examples, which no student asks for.
  static CanaryRecord Record(int examples) {
    CanaryRecord record;
    record.fingerprint = "f00d";
    record.output = "logits";
    for (int i = kExamples - examples; i < kExamples; ++i) record.ids.push_back(i);
    const std::vector<uint64_t> ids(record.ids.begin(), record.ids.end());
    record.examples = ToyExamples(kExamples, kClasses)->Examples(v1::TRAIN, ids, {}, {}).value();
    record.logits =
        FakeRunner::Answer(Description(), {record.examples, {"logits"}}).value().outputs[0];
    return record;
  }
  void Advance(absl::Duration by) {
    timers.Advance(by);
    control.RunAll();
  }

  std::shared_ptr<HarnessStudent> Open(const std::string& run = "run",
                                       uint64_t byte_credit = uint64_t{1} << 30,
                                       std::optional<double> share = std::nullopt) {
    auto student = std::make_shared<HarnessStudent>(&server);
    student->id = server.Connect(PeerIdentity{"ipv4:10.0.0.7:40000", ""}, student);
    v1::LabelRequest message;
    v1::Open* open = message.mutable_open();
    *open = as_opened;
    open->set_run_id(run);
    if (share.has_value()) open->set_share(*share);
    open->set_model("teacher");
    open->set_fingerprint("f00d");
    open->add_outputs()->set_name("logits");
    open->mutable_outputs(0)->mutable_logits();
    if (open->codecs().empty()) open->add_codecs("dense_fp32");
    open->set_classes(kClasses);
    open->add_example_dims(1);
    open->add_example_dims(2);
    open->mutable_credit()->set_requests(1 << 20);
    open->mutable_credit()->set_bytes(byte_credit);
    server.OnMessage(student->id, message);
    control.RunAll();
    return student;
  }

  // Asks for the first `count` examples, without running the server.
  void Send(const HarnessStudent& student, uint64_t request, int count, int seconds = 10) {
    v1::LabelRequest message;
    message.mutable_ask()->set_request_id(request);
    message.mutable_ask()->mutable_remaining()->set_seconds(seconds);
    v1::ExampleRefs* refs = message.mutable_ask()->mutable_examples();
    refs->set_data_set_digest("data");
    refs->set_split(v1::TRAIN);
    for (int i = 0; i < count; ++i) refs->add_ids(static_cast<uint64_t>(i) % kExamples);
    server.OnMessage(student.id, message);
  }
  void Ask(const HarnessStudent& student, uint64_t request, int count, int seconds = 10) {
    Send(student, request, count, seconds);
    control.RunAll();
  }

  void OnShed(const char* reason) override { ++shed[reason]; }
  void OnCanary(bool passed, double) override { ++canaries[passed]; }

  // Codecs and temperatures that students open with; dense_fp32 where it names none.
  v1::Open as_opened;
  double canary_interval_seconds = 30;
  FakeClock clock;
  FakeTimerQueue timers{&clock};
  ManualExecutor control{16384};
  std::map<std::string, int> shed;
  // By whether they passed.
  std::map<bool, int> canaries;
  std::vector<absl::Status> told;
  LabelServer server;
};

}  // namespace distill

#endif  // TEACHER_SERVER_SERVICE_LABEL_SERVER_HARNESS_H_
