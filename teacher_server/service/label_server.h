// What a teacher server does, without gRPC: joins Label streams, batcher, runner, data
// and codecs.
#ifndef TEACHER_SERVER_SERVICE_LABEL_SERVER_H_
#define TEACHER_SERVER_SERVICE_LABEL_SERVER_H_

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "common/clock/clock.h"
#include "common/clock/timer.h"
#include "common/executor/executor.h"
#include "common/rpc/peer_identity.h"
#include "distillation/data/data_set.h"
#include "proto/run_config.pb.h"
#include "proto/teacher.pb.h"
#include "teacher_server/batching/batcher.h"
#include "teacher_server/cache/label_cache.h"
#include "teacher_server/canary/canary.h"
#include "teacher_server/label_stream/label_stream.h"
#include "teacher_server/label_stream/memory_ledger.h"
#include "teacher_server/runner/interface.h"
#include "teacher_server/service/cached_rows.h"

namespace distill {

// The sending end of one Label stream. Thread-safe.
class FrameSink {
 public:
  virtual ~FrameSink() = default;
  // NextFrame may have something.
  virtual void Wake() = 0;
  // Finish once NextFrame has nothing more; the first status counts. May be called
  // inside NextFrame.
  virtual void End(const absl::Status& status) = 0;
  // A message given to OnMessage has been handled; whoever reads only so many ahead is
  // not cut off for asking too fast.
  virtual void Handled() {}
};

// A model that is loaded.
struct Serving {
  ServedModel model;
  // Whoever holds it too lets its batches end before the server goes: they tell the server.
  std::shared_ptr<Runner> runner;
  std::shared_ptr<const DataSet> data;
  // Zero batch or queue sizes: those of BatcherOptions. A queue holds one batch at least.
  v1::ServingConfig bounds;
  // Asked at the bounds' interval, and before the model serves at all. None recorded: it
  // serves unproven.
  CanaryRecord canary;
  // Called on the control thread: OK once it serves; and once with an error, the last call,
  // when it answers canaries wrongly, at first or later: it does not serve (any more). Not
  // called once it is replaced. May be null.
  std::function<void(const absl::Status&)> told;
};

// For metrics; called on the control thread.
class ServingObserver {
 public:
  virtual ~ServingObserver() = default;
  // An admitted ask got its terminal answer.
  virtual void OnAnswered(absl::StatusCode, int64_t /*examples*/,
                          absl::Duration /*since_admitted*/) {}
  virtual void OnBatch(BatchReason, int64_t /*examples*/, absl::Duration /*queue*/,
                       absl::Duration /*compute*/) {}
  // Of the same batch: ratios, as in Batch.
  virtual void OnFill(double /*fill*/, double /*padding*/) {}
  // An ask was refused or dropped for lack of time or room: a ShedReasonName, or
  // LabelServer::kShedMemory.
  virtual void OnShed(const char* /*reason*/) {}
  // A question of recorded answers was judged; the worst deviation over what is allowed,
  // that of the former question where there was no answer.
  virtual void OnCanary(bool /*passed*/, double /*deviation*/) {}
  // After a change.
  virtual void OnQueue(int64_t /*waiting_examples*/, size_t /*waiting_requests*/) {}
  // After a change, where there is a cache: everything since the start of the process.
  virtual void OnCache(const LabelCacheStats&) {}
};

// Thread-safe. Everything but NextFrame is confined to `control`, a serial executor
// that runs nothing inside Schedule; a message is dispatched to it. All pointers outlive the
// server; stop `control` and the timers before destroying it, and before these the executor
// of the cache's disk. The observer may be null.
//
// Failures of one ask (teacher.proto), beside those of LabelStream and Batcher:
// RESOURCE_EXHAUSTED its answer would not fit into options.max_server_bytes;
// OUT_OF_RANGE an id beyond its split; DATA_LOSS its labels may not be trained on (the
// requests that shared a batch with a non-finite row, or with copied rows, are run again,
// each alone); else what the runner says.
//
// A model with recorded answers is asked them before it serves, at intervals, and at once
// when labels may not be trained on. Once it answers wrongly its streams end with
// FAILED_PRECONDITION and the fault, so do opens, its results are thrown away, and the cache
// is cleared.
//
// With a cache, a stream that is not exact is answered from it where all rows are there;
// else the rows that are missing are computed, each once for all asks that wait for it.
class LabelServer {
 public:
  static constexpr size_t kMaxStreams = 1024;
  // To the observer, beside ShedReasonName.
  static constexpr char kShedMemory[] = "memory";

  // options.max_request_examples is replaced by the served model's largest batch.
  // The cache may be null.
  LabelServer(const LabelStreamOptions& options, Executor* control, TimerQueue* timers,
              Clock* clock, ServingObserver* observer, LabelCache* cache = nullptr);
  ~LabelServer();

  // Replaces what was served; streams of the former end with UNAVAILABLE. Batches in
  // flight keep their runner, and it is destroyed on the control thread. Opens are refused
  // with UNAVAILABLE while the model is asked its recorded answers.
  void Serve(Serving serving);
  // Streams end with UNAVAILABLE; opens are refused with `why`.
  void StopServing(const absl::Status& why);

  // A stream's id. Beyond kMaxStreams the sink ends with RESOURCE_EXHAUSTED and the
  // address that holds the most of them, and the id, 0, is nobody's.
  uint64_t Connect(PeerIdentity peer, std::shared_ptr<FrameSink> sink);
  void OnMessage(uint64_t stream, v1::LabelRequest message, ByteSlices payload = {});
  // The stream is over: what it still waits for is cancelled.
  void Lost(uint64_t stream);
  // Bytes of answers that are asked for or not out, of all streams. An answer is counted
  // twice for the moment in which it is handed over.
  uint64_t held_bytes() const { return ledger_.held(); }
  // Called by the stream's writer when no write is under way.
  std::optional<LabelFrame> NextFrame(uint64_t stream);

  // Takes no new asks or streams, answers what was admitted, ends the streams with OK
  // (those not opened with UNAVAILABLE), then calls `done` on the control thread: every
  // stream is Lost and every batch back. Final: nothing is served afterwards. A student
  // that reads no answers holds `done` back: bound the wait.
  void Drain(const std::string& reason, std::function<void()> done);

 private:
  struct Stream;
  struct Request;
  struct Model;
  struct Work;
  using Event = absl::AnyInvocable<void()>;

  // An event that may be dropped with the status' reason, and one that may not.
  absl::Status Post(Event event);
  void PostSurely(Event event) ABSL_LOCKS_EXCLUDED(mu_);
  std::shared_ptr<Stream> Find(uint64_t id) ABSL_LOCKS_EXCLUDED(mu_);
  std::vector<std::shared_ptr<Stream>> Streams() ABSL_LOCKS_EXCLUDED(mu_);
  absl::Status TooManyStreams() ABSL_LOCKS_EXCLUDED(mu_);

  // All that follows: on the control thread.
  void Run(Event event);
  void RunInbox() ABSL_LOCKS_EXCLUDED(mu_);
  void Settle();
  void SetTimer();
  void TellObserver();
  void CheckDrained();

  void Attach(const std::shared_ptr<Stream>& stream);
  void Handle(const std::shared_ptr<Stream>& stream, v1::LabelRequest message, ByteSlices payload);
  void Admit(const std::shared_ptr<Stream>& stream, AdmittedAsk ask);
  void Submit(Request request);
  uint64_t MemoryOf(const Stream& stream, const Request& request, bool cached) const;
  void Shed(const char* reason);
  void Cancel(Stream& stream, uint64_t request_id);
  void Abandon(Stream& stream);
  void EndStream(Stream& stream, const absl::Status& status);
  // Ends the streams of the model that goes, and readies the others for the next.
  void SwitchTo(std::shared_ptr<Model> model, const absl::Status& unavailable);
  void StartDrain(const std::string& reason);

  void StartServing(std::shared_ptr<Model> model);
  void AskCanary();
  void OnCanary(uint64_t work_id, const absl::StatusOr<InferenceResult>& result);
  void TakeOut(Model& model, const absl::Status& why);
  // Canaries are due where the failure of what the model was given may be its own.
  void Suspect(Model& model, const absl::Status& status);

  void StartBatch(const Batch& batch);
  void RunNext(uint64_t work_id);
  // The examples of work.running, less those requests that fail here; null: none left.
  std::optional<InferenceBatch> Assemble(Work& work);
  void OnResult(uint64_t work_id, absl::StatusOr<InferenceResult> result);
  void AnswerAll(Work& work, const std::vector<Request>& requests, const InferenceResult& result);
  void Complete(uint64_t work_id);

  // The way of the asks that the cache may answer.
  void StartRows(Request request);
  void TakeRows();
  // Whether there were any.
  bool ExpireAsks();
  // Those that nobody waits for.
  void DropFlights(const std::vector<uint64_t>& flights);
  void SubmitFlight(const CachedRows::Flight& flight);
  void AnswerRows(const CachedRows::Ready& ready);
  void KeepRows(Work& work, const Request& request, const InferenceResult& result, int64_t first);

  // Whether the request still waits for its terminal answer.
  static bool Wanted(const Request& request);
  // Whether anybody does.
  static bool Needed(const Request& request);
  void Answer(const Request& request, LabelAnswer answer);
  void Fail(const Request& request, const absl::Status& status,
            absl::Duration retry_after = absl::ZeroDuration());

  const LabelStreamOptions options_;
  Executor* const control_;
  TimerQueue* const timers_;
  Clock* const clock_;
  ServingObserver* const observer_;
  LabelCache* const cache_;
  MemoryLedger ledger_;

  absl::Mutex mu_;
  // Results, ends of streams and orders: few by nature, so a full executor drops none.
  std::vector<Event> inbox_ ABSL_GUARDED_BY(mu_);
  std::map<uint64_t, std::shared_ptr<Stream>> streams_ ABSL_GUARDED_BY(mu_);
  uint64_t last_stream_ ABSL_GUARDED_BY(mu_) = 0;

  absl::Status unavailable_;
  bool draining_ = false;
  std::vector<std::function<void()>> drained_;
  uint64_t last_request_ = 0;
  uint64_t last_work_ = 0;
  TimerQueue::TimerId timer_ = 0;
  absl::Duration timer_at_ = absl::InfiniteDuration();
  std::pair<int64_t, size_t> told_{0, 0};
  LabelCacheStats told_cache_;
  // Last, so destroyed first: a runner's destructor waits for results, which come to
  // the inbox.
  std::map<uint64_t, std::unique_ptr<Work>> works_;
  std::shared_ptr<Model> model_;
  // Asked its recorded answers, to be served then; model_ is null meanwhile.
  std::shared_ptr<Model> proving_;
};

}  // namespace distill

#endif  // TEACHER_SERVER_SERVICE_LABEL_SERVER_H_
