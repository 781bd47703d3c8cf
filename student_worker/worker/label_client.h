// The soft labels of one teacher role, in the order of the steps: a LabelSource and the
// streams it decides about.
#ifndef STUDENT_WORKER_WORKER_LABEL_CLIENT_H_
#define STUDENT_WORKER_WORKER_LABEL_CLIENT_H_

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "common/clock/clock.h"
#include "common/clock/timer.h"
#include "common/executor/executor.h"
#include "common/rpc/transport.h"
#include "distillation/labels/label_head.h"
#include "distillation/labels/soft_labels.h"
#include "proto/teacher.pb.h"
#include "student_worker/accounting/step_record.h"
#include "student_worker/label_source/label_source.h"
#include "student_worker/worker/label_heads.h"
#include "student_worker/worker/role_labels.h"
#include "teacher_server/client/label_calls.h"
#include "teacher_server/client/label_channel.h"

namespace distill {

struct LabelClientOptions {
  // Everything but examples_per_step, max_asks_per_teacher and keys_of. Where `open` names a
  // hidden codec, no_teacher_timeout is longer by request_timeout: for the head.
  LabelSourceOptions source;
  TransportOptions transport;
  // Opens a stream to a teacher server.
  std::function<absl::StatusOr<std::shared_ptr<LabelCalls>>(const LabelChannelOptions&,
                                                            LabelChannelEvents)>
      open_channel = LabelChannel::Open;
  // Everything but the credit.
  v1::Open open;
  // Examples of a step.
  int64_t rows = 0;
  // Labels come again and the teachers cache them: an example goes to the same one each time.
  bool by_example = false;
  // The examples of a step. Called on the executor only.
  std::function<absl::StatusOr<v1::ExampleRefs>(int64_t step)> examples_of;
  // Of the process: a head that is there is not asked for.
  std::shared_ptr<LabelHeads> heads = std::make_shared<LabelHeads>();
};

// Thread-safe. Everything is decided on `executor`, a serial one that runs nothing inside
// Schedule. A teacher whose answer came whole and may not be trained on, that serves another
// fingerprint, or that answers in another codec than its stream was opened with, is refused and
// another asked. Where the first stream speaks a sparse codec the others must speak the same,
// since the labels of a step are of one kind. Where it speaks a hidden one, one stream is asked for
// the head, which serves all of them, and nobody for labels before it is there. Call Close,
// and let the executor run what it led to, before any of the pointers goes.
class LabelClient final : public RoleLabels, public std::enable_shared_from_this<LabelClient> {
 public:
  static std::shared_ptr<LabelClient> Create(const LabelClientOptions& options, Executor* executor,
                                             TimerQueue* timers, Clock* clock,
                                             std::function<double()> random);

  void SetEndpoints(std::vector<TeacherEndpoint> endpoints);

  // Waits for the labels of `step`; steps are taken in order. Fails as LabelSource's
  // GiveUp, or with the status of Close. INVALID_ARGUMENT: `rows` are more than a teacher
  // server takes in one request.
  absl::StatusOr<StepLabels> Take(int64_t step) override ABSL_LOCKS_EXCLUDED(mu_);

  bool Await(absl::Duration timeout) override ABSL_LOCKS_EXCLUDED(mu_);
  // The executor says it, a little after that.
  std::string WaitsFor() const override ABSL_LOCKS_EXCLUDED(mu_) {
    absl::MutexLock lock(&mu_);
    return waits_for_;
  }

  // Ends the streams and every wait.
  void Close(const absl::Status& reason) override ABSL_LOCKS_EXCLUDED(mu_);

  // As of the last event.
  LabelSource::Counters counters() const override ABSL_LOCKS_EXCLUDED(mu_);

  AnswerTimes TakeAnswerTimes() override ABSL_LOCKS_EXCLUDED(mu_);

 private:
  struct Unanswered {
    int64_t examples = 0;
    absl::Duration asked_at;
  };
  struct Teacher {
    uint64_t serial = 0;
    std::shared_ptr<LabelCalls> channel;
    // As `opened` said.
    std::string codec;
    std::string numerics_class;
    // The source is to hear of it when the head is there.
    bool waits_for_head = false;
    // By ask without a terminal answer; those that no longer count included.
    std::map<uint64_t, Unanswered> unanswered;
  };
  struct HeadAsk {
    std::string teacher;
    uint64_t serial = 0;
    absl::Duration deadline;
  };
  // The source counts from 1.
  static constexpr uint64_t kHeadRequest = 0;
  struct Ready {
    int64_t step = 0;
    std::shared_ptr<const StepLabels> labels;
  };

  LabelClient(const LabelClientOptions& options, Executor* executor, TimerQueue* timers,
              Clock* clock, std::function<double()> random);

  bool TakeReturns() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) {
    return ready_.has_value() || ended_.has_value();
  }
  // Runs `event` on the executor, then what the source decides; nothing after Close, since
  // streams tell their end after the executor may be gone.
  void Post(std::function<void(absl::Duration now)> event) ABSL_LOCKS_EXCLUDED(mu_);
  void Schedule(std::function<void(absl::Duration now)> event) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  // The first reason counts.
  void End(const absl::Status& reason) ABSL_LOCKS_EXCLUDED(mu_);
  void EndLocked(const absl::Status& reason) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void Settle(absl::Duration now);
  void Do(const LabelAction& action, absl::Duration now);
  void Open(const TeacherEndpoint& endpoint, absl::Duration now);
  void Ask(const AskLabels& ask, absl::Duration now);
  // Makes examples_ those of the step.
  absl::Status FetchExamples(int64_t step);
  std::vector<uint64_t> KeysOf(int64_t step);
  // Of these examples of the step.
  absl::StatusOr<v1::ExampleRefs> ExamplesOf(const AskLabels& ask);
  LabelChannelEvents EventsOf(const std::string& name, uint64_t serial);
  // The teacher of that stream, if it is still the one in use.
  Teacher* Current(const std::string& name, uint64_t serial);
  // Of a stream that was opened: asked for, and fit to be joined with the others'.
  absl::Status CheckCodec(const std::string& codec) const;
  void OnOpened(const std::string& name, uint64_t serial, const v1::Opened& opened,
                absl::Duration now);
  void Opened(const std::string& name, Teacher& teacher, absl::Duration now);
  // Where somebody waits for it and nobody in time has been asked.
  void AskForHead(absl::Duration now);
  void OnHead(const std::string& name, const ReceivedLabels& received, absl::Duration now);
  // To the source, once the head is there.
  void OfferWaiting(absl::Duration now);
  void LoseForHead(const std::string& name, const absl::Status& why, bool lied, absl::Duration now);
  absl::StatusOr<std::shared_ptr<const StepLabels>> Decode(
      const std::shared_ptr<const ReceivedLabels>& received, const std::string& codec,
      int64_t rows) const;
  absl::Status CheckTemperatures(const SoftLabels& labels) const;
  void CountAnswer(const Unanswered& asked, const v1::StageSeconds& stages, absl::Duration now)
      ABSL_LOCKS_EXCLUDED(mu_);
  void OfferReady() ABSL_LOCKS_EXCLUDED(mu_);
  void SetTimer();

  const LabelClientOptions options_;
  Executor* const executor_;
  TimerQueue* const timers_;
  Clock* const clock_;

  // Confined to the executor.
  LabelSource source_;
  std::map<std::string, Teacher> teachers_;
  uint64_t last_serial_ = 0;
  // Of the first stream that was opened.
  std::string codec_;
  // Of hidden labels; once it is there, for good, so that all parts of a step join.
  std::shared_ptr<const LabelHead> head_;
  std::optional<HeadAsk> head_ask_;
  // The step last asked about, since the asks of one come together.
  int64_t examples_step_ = -1;
  v1::ExampleRefs examples_;
  bool stopped_ = false;
  absl::Duration timer_at_ = absl::InfiniteDuration();
  TimerQueue::TimerId timer_ = 0;

  mutable absl::Mutex mu_;
  std::optional<Ready> ready_ ABSL_GUARDED_BY(mu_);
  std::optional<absl::Status> ended_ ABSL_GUARDED_BY(mu_);
  bool closed_ ABSL_GUARDED_BY(mu_) = false;
  LabelSource::Counters counters_ ABSL_GUARDED_BY(mu_);
  AnswerTimes answer_times_ ABSL_GUARDED_BY(mu_);
  std::string waits_for_ ABSL_GUARDED_BY(mu_);
};

}  // namespace distill

#endif  // STUDENT_WORKER_WORKER_LABEL_CLIENT_H_
