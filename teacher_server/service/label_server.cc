#include "teacher_server/service/label_server.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <map>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/status/annotate.h"
#include "common/status/error_id.h"
#include "distillation/labels/codec.h"
#include "teacher_server/service/batch_rows.h"
#include "teacher_server/service/label_server_state.h"

namespace distill {
namespace {

BatcherOptions BoundsOf(const v1::ServingConfig& bounds, int max_in_flight) {
  BatcherOptions options;
  if (bounds.max_batch_examples() > 0) options.max_batch_examples = bounds.max_batch_examples();
  if (bounds.max_queue_examples() > 0) options.max_queue_examples = bounds.max_queue_examples();
  options.max_queue_examples = std::max(options.max_queue_examples, options.max_batch_examples);
  options.max_queue_delay = std::clamp(absl::Seconds(bounds.max_queue_delay_seconds()),
                                       absl::ZeroDuration(), absl::Minutes(1));
  options.max_in_flight = std::max(max_in_flight, 1);
  return options;
}

// As of a checked configuration.
constexpr absl::Duration kLeastCanaryInterval = absl::Milliseconds(10);

absl::Duration CanaryInterval(const v1::ServingConfig& bounds) {
  if (!bounds.has_canary_interval_seconds()) return CanaryOptions().interval;
  const double seconds = bounds.canary_interval_seconds();
  if (!(seconds > 0)) return absl::InfiniteDuration();
  return std::max(absl::Seconds(seconds), kLeastCanaryInterval);
}

Canary CanaryOf(CanaryRecord record, int64_t max_batch_examples, absl::Duration interval) {
  if (record.ids.empty()) return Canary();
  CanaryOptions options;
  options.interval = interval;
  options.max_batch_examples = max_batch_examples;
  return Canary(std::move(record), options);
}

}  // namespace

LabelServer::LabelServer(const LabelStreamOptions& options, Executor* control, TimerQueue* timers,
                         Clock* clock, ServingObserver* observer, LabelCache* cache)
    : options_(options),
      control_(control),
      timers_(timers),
      clock_(clock),
      observer_(observer),
      cache_(cache),
      ledger_(options.max_server_bytes),
      unavailable_(absl::UnavailableError("no model is loaded yet; ask another server")) {}

LabelServer::~LabelServer() = default;

void LabelServer::Serve(Serving serving) {
  PostSurely([this, serving = std::move(serving)]() mutable {
    if (draining_) return;
    const BatcherOptions bounds = BoundsOf(serving.bounds, serving.runner->max_in_flight());
    const absl::Duration interval = CanaryInterval(serving.bounds);
    CanaryRecord record = std::move(serving.canary);
    if (serving.runner->description().head == nullptr) {
      std::erase_if(serving.model.codecs,
                    [](const std::string& codec) { return IsHiddenCodec(codec); });
    }
    auto model = std::make_shared<Model>(std::move(serving), bounds);
    if (cache_ != nullptr) {
      model->rows = std::make_shared<CachedRows>(
          cache_, [this] { return ++last_request_; },
          [this](Event event) { PostSurely(std::move(event)); });
    }
    model->gives_copies =
        !record.ids.empty() &&
        !CheckCopies({{record.logits}, {}, {}}, {record.output}, record.examples).ok();
    model->canary = CanaryOf(std::move(record), bounds.max_batch_examples, interval);
    if (model->canary.proven()) {
      StartServing(std::move(model));
    } else {
      SwitchTo(nullptr, absl::UnavailableError("its model is being asked its recorded answers"));
      proving_ = std::move(model);
    }
  });
}

void LabelServer::StopServing(const absl::Status& why) {
  PostSurely([this, why] { SwitchTo(nullptr, why); });
}

uint64_t LabelServer::Connect(PeerIdentity peer, std::shared_ptr<FrameSink> sink) {
  std::shared_ptr<Stream> stream;
  {
    absl::MutexLock lock(&mu_);
    if (streams_.size() < kMaxStreams) {
      stream = std::make_shared<Stream>(++last_stream_, std::move(peer), sink, ledger_.Open());
      streams_[stream->id] = stream;
    }
  }
  if (stream == nullptr) {
    sink->End(TooManyStreams());
    return 0;
  }
  PostSurely([this, stream] { Attach(stream); });
  return stream->id;
}

// A student that leaks streams does so from one address: its port varies.
absl::Status LabelServer::TooManyStreams() {
  std::map<std::string, size_t> streams_of;
  for (const std::shared_ptr<Stream>& stream : Streams()) {
    ++streams_of[stream->peer.address.substr(0, stream->peer.address.rfind(':'))];
  }
  const auto most =
      std::max_element(streams_of.begin(), streams_of.end(),
                       [](const auto& a, const auto& b) { return a.second < b.second; });
  const std::string whose =
      most == streams_of.end() ? "" : absl::StrCat(" (", most->second, " from ", most->first, ")");
  return WithErrorId(
      absl::ResourceExhaustedError(absl::StrCat("this teacher server has ", kMaxStreams,
                                                " streams already", whose, "; ask another")),
      ErrorId::kTeacherOverloaded);
}

void LabelServer::OnMessage(uint64_t id, v1::LabelRequest message, ByteSlices payload) {
  const std::shared_ptr<Stream> stream = Find(id);
  if (stream == nullptr) return;
  const absl::Status posted = control_->Dispatch(
      [this, stream, message = std::move(message), payload = std::move(payload)]() mutable {
        Run([&] {
          Handle(stream, std::move(message), std::move(payload));
          stream->sink->Handled();
        });
      });
  if (!posted.ok()) stream->sink->End(Annotate(posted, "a message was dropped"));
}

void LabelServer::Lost(uint64_t id) {
  PostSurely([this, id] {
    const std::shared_ptr<Stream> stream = Find(id);
    if (stream == nullptr) return;
    stream->ended = true;
    Abandon(*stream);
    absl::MutexLock lock(&mu_);
    streams_.erase(id);
  });
}

std::optional<LabelFrame> LabelServer::NextFrame(uint64_t id) {
  const std::shared_ptr<Stream> stream = Find(id);
  if (stream == nullptr) return std::nullopt;
  std::optional<LabelFrame> frame;
  bool finished = false;
  {
    absl::MutexLock lock(&stream->mu);
    if (!stream->state.has_value()) return std::nullopt;
    frame = stream->state->NextFrame();
    // Once: End wakes the writer, which comes here again.
    finished = stream->state->finished() && !std::exchange(stream->finished, true);
  }
  if (finished) stream->sink->End(absl::OkStatus());
  return frame;
}

void LabelServer::Drain(const std::string& reason, std::function<void()> done) {
  PostSurely([this, reason, done = std::move(done)]() mutable {
    if (done) drained_.push_back(std::move(done));
    if (!draining_) StartDrain(reason);
  });
}

absl::Status LabelServer::Post(Event event) {
  return control_->Schedule([this, event = std::move(event)]() mutable { Run(std::move(event)); });
}

void LabelServer::PostSurely(Event event) {
  {
    absl::MutexLock lock(&mu_);
    inbox_.push_back(std::move(event));
  }
  // Dropped: an event that waits in the full executor empties the inbox.
  Post([] {}).IgnoreError();
}

std::shared_ptr<LabelServer::Stream> LabelServer::Find(uint64_t id) {
  absl::MutexLock lock(&mu_);
  const auto it = streams_.find(id);
  return it == streams_.end() ? nullptr : it->second;
}

std::vector<std::shared_ptr<LabelServer::Stream>> LabelServer::Streams() {
  absl::MutexLock lock(&mu_);
  std::vector<std::shared_ptr<Stream>> streams;
  for (const auto& [id, stream] : streams_) streams.push_back(stream);
  return streams;
}

void LabelServer::Run(Event event) {
  // First, so that a stream is attached before its first message is handled.
  RunInbox();
  event();
  Settle();
}

void LabelServer::RunInbox() {
  std::vector<Event> events;
  {
    absl::MutexLock lock(&mu_);
    events.swap(inbox_);
  }
  for (Event& event : events) event();
}

void LabelServer::Settle() {
  AskCanary();
  if (model_ != nullptr) {
    bool again = true;
    while (again) {
      TakeRows();
      while (std::optional<Batch> batch = model_->batcher.Next(clock_->MonotonicNow())) {
        StartBatch(*batch);
        TakeRows();
      }
      const std::vector<uint64_t> expired = model_->batcher.TakeExpired(clock_->MonotonicNow());
      for (uint64_t id : expired) {
        const auto node = model_->waiting.extract(id);
        Shed(ShedReasonName(ShedReason::kExpired));
        Fail(node.mapped(), absl::DeadlineExceededError(
                                "its time ended in the server's queue, or would have before its "
                                "labels were computed"));
      }
      // Whoever waited for the rows of one of them asks anew.
      again = ExpireAsks() || !expired.empty();
    }
  }
  TellObserver();
  SetTimer();
  CheckDrained();
}

void LabelServer::TellObserver() {
  std::pair<int64_t, size_t> queue{0, 0};
  if (model_ != nullptr) {
    queue = {model_->batcher.waiting_examples(), model_->batcher.waiting_requests()};
  }
  if (queue != told_) {
    told_ = queue;
    if (observer_ != nullptr) observer_->OnQueue(queue.first, queue.second);
  }
  if (cache_ == nullptr || observer_ == nullptr) return;
  const LabelCacheStats stats = cache_->stats();
  if (stats == told_cache_) return;
  told_cache_ = stats;
  observer_->OnCache(stats);
}

void LabelServer::SetTimer() {
  absl::Duration next = absl::InfiniteDuration();
  if (model_ != nullptr) {
    next = model_->batcher.NextWakeup();
    const auto& deadlines = model_->ask_deadlines;
    if (!deadlines.empty()) next = std::min(next, deadlines.begin()->first);
    // Without a place a completion comes first.
    if (!draining_ && model_->batcher.has_place()) next = std::min(next, model_->canary.due());
  }
  if (next == timer_at_ && timer_ != 0) return;
  if (timer_ != 0) timers_->Cancel(timer_);
  timer_ = 0;
  timer_at_ = next;
  if (next == absl::InfiniteDuration()) return;
  auto id = timers_->ScheduleAt(next, [this, next] {
    // A full executor is busy with events, and each of them does what the timer would.
    PostSurely([this, next] {
      if (timer_at_ == next) timer_ = 0;
    });
  });
  if (id.ok()) timer_ = *id;
}

void LabelServer::CheckDrained() {
  if (!draining_ || drained_.empty() || !works_.empty()) return;
  {
    absl::MutexLock lock(&mu_);
    if (!streams_.empty()) return;
  }
  for (const auto& done : std::exchange(drained_, {})) done();
}

void LabelServer::Attach(const std::shared_ptr<Stream>& stream) {
  if (stream->ended) return;
  if (draining_) {
    EndStream(*stream, unavailable_);
    return;
  }
  LabelStreamOptions options = options_;
  std::shared_ptr<const ServedModel> served;
  if (model_ != nullptr) {
    options.max_request_examples = model_->max_request_examples;
    served = model_->served;
  }
  absl::MutexLock lock(&stream->mu);
  stream->state.emplace(options, std::move(served), unavailable_, stream->account);
}

void LabelServer::Handle(const std::shared_ptr<Stream>& stream, v1::LabelRequest message,
                         ByteSlices payload) {
  if (stream->ended) return;
  absl::Status status;
  std::vector<AdmittedAsk> admitted;
  std::vector<uint64_t> cancelled;
  {
    absl::MutexLock lock(&stream->mu);
    LabelStream& state = *stream->state;
    status = state.OnMessage(std::move(message), std::move(payload));
    admitted = state.TakeAdmitted();
    cancelled = state.TakeCancelled();
    if (status.ok() && !stream->opened) {
      stream->opened = true;
      stream->exact = state.open().exact();
      stream->run = std::hash<std::string>()(state.open().run_id());
      if (state.open().has_share()) {
        stream->weight = std::llround(state.open().share() * static_cast<double>(kUsualWeight));
      }
      for (const v1::OutputSpec& output : state.open().outputs()) {
        stream->outputs.push_back(output.name());
      }
      // Negotiated among served.codecs, which may name what this build does not know.
      const auto codec = FindCodecForRun(state.codec(), state.open().min_temperature(),
                                         state.open().max_temperature());
      status = codec.status();
      if (codec.ok()) {
        stream->codec = *codec;
        for (const std::string& output : stream->outputs) {
          stream->computed.push_back(ComputedOutput(**codec, output));
        }
      }
    }
  }
  for (uint64_t request_id : cancelled) Cancel(*stream, request_id);
  if (!status.ok()) {
    EndStream(*stream, status);
    return;
  }
  for (AdmittedAsk& ask : admitted) Admit(stream, std::move(ask));
  stream->sink->Wake();
}

void LabelServer::Admit(const std::shared_ptr<Stream>& stream, AdmittedAsk ask) {
  Request request;
  request.id = ++last_request_;
  request.stream = stream;
  request.request_id = ask.request_id;
  request.refs = std::move(ask.examples);
  request.tensors = std::move(ask.tensors);
  request.admitted = clock_->MonotonicNow();
  stream->asked[request.request_id] = request.id;
  if (ask.head) {
    absl::StatusOr<LabelAnswer> head = model_->HeadAnswer();
    return head.ok() ? Answer(request, *std::move(head)) : Fail(request, head.status());
  }

  const uint64_t size = model_->data->size(request.refs.split());
  for (uint64_t id : request.refs.ids()) {
    if (id < size) continue;
    Fail(request, absl::OutOfRangeError(absl::StrCat("example ", id, " of split ",
                                                     v1::Split_Name(request.refs.split()),
                                                     ": this server has ", size, " there")));
    return;
  }
  const bool cached = model_->rows != nullptr && !stream->exact && !request.tensors.has_value();
  request.memory = stream->account->TryHold(MemoryOf(*stream, request, cached));
  if (request.memory == nullptr) {
    Shed(kShedMemory);
    Fail(request,
         absl::ResourceExhaustedError(absl::StrCat(
             "the answers of this server hold ", ledger_.held(), " of ", ledger_.limit(),
             " bytes, those of this student ", stream->account->held(), "; read answers first")),
         model_->batcher.RetryAfter());
    return;
  }
  request.deadline = request.admitted + ask.remaining;
  if (cached) {
    StartRows(std::move(request));
  } else {
    Submit(std::move(request));
  }
}

void LabelServer::Submit(Request request) {
  BatchRequest wanted;
  wanted.id = request.batcher_id();
  wanted.run = request.stream->run;
  wanted.weight = request.stream->weight;
  wanted.stream = request.stream->id;
  wanted.examples = request.examples();
  wanted.deadline = request.deadline;
  wanted.exact = request.stream->exact;
  // Its ask was admitted before, when there was no drain yet.
  wanted.promised = request.rows != nullptr;
  ShedReason shed = ShedReason::kExpired;
  const absl::Status added = model_->batcher.Add(wanted, clock_->MonotonicNow(), &shed);
  if (!added.ok()) {
    const bool full = absl::IsResourceExhausted(added);
    if (full || absl::IsDeadlineExceeded(added)) Shed(ShedReasonName(shed));
    Fail(request, added, full ? model_->batcher.RetryAfter() : absl::ZeroDuration());
    return;
  }
  model_->waiting.emplace(wanted.id, std::move(request));
}

// As encoded, or as the floats that wait for the last row, whose size a sparse codec does not
// show; and the examples, where they came along.
uint64_t LabelServer::MemoryOf(const Stream& stream, const Request& request, bool cached) const {
  const int64_t width = model_->WidthFor(stream);
  uint64_t of_output = stream.codec->EncodedBytes(request.examples(), width).value_or(0);
  if (cached) {
    of_output =
        std::max(of_output, static_cast<uint64_t>(request.examples() * width) * sizeof(float));
  }
  return of_output * stream.outputs.size() +
         (request.tensors.has_value() ? request.tensors->bytes.size() : 0);
}

void LabelServer::Shed(const char* reason) {
  if (observer_ != nullptr) observer_->OnShed(reason);
}

// The stream has answered the ask itself.
void LabelServer::Cancel(Stream& stream, uint64_t request_id) {
  const auto asked = stream.asked.find(request_id);
  if (asked == stream.asked.end()) return;
  std::optional<Request> request = model_->TakeAsk(asked->second);
  if (!request.has_value() && model_->batcher.Cancel(asked->second)) {
    request = std::move(model_->waiting.extract(asked->second).mapped());
  }
  if (request.has_value() && observer_ != nullptr) {
    observer_->OnAnswered(absl::StatusCode::kCancelled, request->examples(),
                          clock_->MonotonicNow() - request->admitted);
  }
  if (model_->rows != nullptr) DropFlights(model_->rows->Abandon(asked->second));
  stream.asked.erase(asked);
}

void LabelServer::Abandon(Stream& stream) {
  while (!stream.asked.empty()) Cancel(stream, stream.asked.begin()->first);
}

void LabelServer::EndStream(Stream& stream, const absl::Status& status) {
  if (stream.ended) return;
  stream.ended = true;
  Abandon(stream);
  stream.sink->End(status);
}

void LabelServer::SwitchTo(std::shared_ptr<Model> model, const absl::Status& unavailable) {
  // Another model may be served here soon; one at fault is not to be asked again.
  const absl::Status goodbye = absl::IsFailedPrecondition(unavailable)
                                   ? unavailable
                                   : Reworded(unavailable, absl::StatusCode::kUnavailable,
                                              std::string(unavailable.message()));
  proving_ = nullptr;
  const std::vector<std::shared_ptr<Stream>> streams = Streams();
  for (const auto& stream : streams) {
    if (stream->opened) EndStream(*stream, goodbye);
  }
  model_ = std::move(model);
  if (draining_) return;
  unavailable_ = unavailable;
  for (const auto& stream : streams) {
    if (!stream->opened) Attach(stream);
  }
}

void LabelServer::StartDrain(const std::string& reason) {
  draining_ = true;
  proving_ = nullptr;
  unavailable_ = absl::UnavailableError(absl::StrCat("this teacher server is draining: ", reason));
  if (model_ != nullptr) model_->batcher.Drain();
  for (const auto& stream : Streams()) {
    if (stream->ended) continue;
    if (!stream->opened) {
      EndStream(*stream, unavailable_);
      continue;
    }
    {
      absl::MutexLock lock(&stream->mu);
      stream->state->Drain(reason);
    }
    stream->sink->Wake();
  }
}

}  // namespace distill
