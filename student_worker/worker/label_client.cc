#include "student_worker/worker/label_client.h"

#include <algorithm>
#include <cmath>
#include <span>
#include <utility>
#include <variant>

#include "absl/base/internal/raw_logging.h"
#include "absl/strings/str_cat.h"
#include "common/status/annotate.h"
#include "common/status/error_id.h"
#include "common/status/status_macros.h"
#include "distillation/labels/codec.h"
#include "distillation/labels/label_codec.h"
#include "distillation/labels/sparse_labels.h"
#include "student_worker/label_source/rendezvous.h"
#include "student_worker/worker/answer_check.h"

namespace distill {
namespace {

constexpr uint32_t kRequestCredit = 64;
constexpr absl::Duration kCreditRetry = absl::Milliseconds(10);

google::protobuf::Duration ToProto(absl::Duration duration) {
  google::protobuf::Duration proto;
  const int64_t nanoseconds = absl::ToInt64Nanoseconds(duration);
  proto.set_seconds(nanoseconds / 1'000'000'000);
  proto.set_nanos(static_cast<int32_t>(nanoseconds % 1'000'000'000));
  return proto;
}

bool AnyHidden(const v1::Open& open) {
  return std::any_of(open.codecs().begin(), open.codecs().end(), IsHiddenCodec);
}

LabelSourceOptions SourceOptions(const LabelClientOptions& options,
                                 std::function<std::vector<uint64_t>(int64_t)> keys_of) {
  LabelSourceOptions source = options.source;
  if (options.by_example) source.keys_of = std::move(keys_of);
  source.examples_per_step = std::max<int64_t>(1, options.rows);
  source.max_asks_per_teacher = kRequestCredit;
  // The source hears of no stream before the head is there, which may take as long as an ask.
  if (AnyHidden(options.open)) source.no_teacher_timeout += source.request_timeout;
  return source;
}

// One step's labels from those of its parts, which have a row for each of their positions.
std::shared_ptr<const StepLabels> Join(const std::vector<LabelPart>& parts) {
  const auto labels_of = [](const LabelPart& part) {
    return std::static_pointer_cast<const StepLabels>(part.payload);
  };
  if (parts.size() == 1) return labels_of(parts[0]);
  auto joined = std::make_shared<StepLabels>();
  for (const auto& [output, first] : *labels_of(parts[0])) {
    std::vector<SoftLabelsPart> of_output;
    for (const LabelPart& part : parts) {
      of_output.push_back({labels_of(part)->at(output), part.positions});
    }
    absl::StatusOr<SoftLabels> labels = JoinSoftLabels(of_output);
    ABSL_RAW_CHECK(labels.ok(), "parts of one step are of one codec and shape");
    (*joined)[output] = *std::move(labels);
  }
  return joined;
}

// Whether labels of the two join.
bool Join(const std::string& codec, const std::string& other) {
  if (codec == other) return true;
  const auto one = FindCodec(codec);
  const auto two = FindCodec(other);
  return one.ok() && two.ok() && (*one)->layout() == (*two)->layout() &&
         (*one)->layout() != LabelLayout::kSparse;
}

// `positions` ascend.
template <typename T>
void Keep(T& values, const std::vector<int32_t>& positions) {
  if (values.empty()) return;  // none for any example
  for (size_t i = 0; i < positions.size(); ++i) {
    values.SwapElements(static_cast<int>(i), positions[i]);
  }
  values.erase(values.begin() + static_cast<int64_t>(positions.size()), values.end());
}

template <typename... Fs>
struct Overloaded : Fs... {
  using Fs::operator()...;
};
template <typename... Fs>
Overloaded(Fs...) -> Overloaded<Fs...>;

}  // namespace

std::shared_ptr<LabelClient> LabelClient::Create(const LabelClientOptions& options,
                                                 Executor* executor, TimerQueue* timers,
                                                 Clock* clock, std::function<double()> random) {
  std::shared_ptr<LabelClient> client(
      new LabelClient(options, executor, timers, clock, std::move(random)));
  client->Post([](absl::Duration) {});
  return client;
}

LabelClient::LabelClient(const LabelClientOptions& options, Executor* executor, TimerQueue* timers,
                         Clock* clock, std::function<double()> random)
    : options_(options),
      executor_(executor),
      timers_(timers),
      clock_(clock),
      source_(SourceOptions(options, [this](int64_t step) { return KeysOf(step); }),
              std::move(random), clock->MonotonicNow()) {}

void LabelClient::Post(std::function<void(absl::Duration)> event) {
  absl::MutexLock lock(&mu_);
  if (!closed_) Schedule(std::move(event));
}

void LabelClient::Schedule(std::function<void(absl::Duration)> event) {
  const absl::Status posted =
      executor_->Schedule([self = shared_from_this(), event = std::move(event)] {
        const absl::Duration now = self->clock_->MonotonicNow();
        event(now);
        self->Settle(now);
      });
  // The executor is stopped or cannot keep up: no event may be lost, so this is the end.
  if (!posted.ok()) EndLocked(Annotate(posted, "soft labels"));
}

void LabelClient::End(const absl::Status& reason) {
  absl::MutexLock lock(&mu_);
  EndLocked(reason);
}

void LabelClient::EndLocked(const absl::Status& reason) {
  if (!ended_.has_value()) ended_ = reason;
}

void LabelClient::SetEndpoints(std::vector<TeacherEndpoint> endpoints) {
  Post([this, endpoints = std::move(endpoints)](absl::Duration now) {
    source_.SetEndpoints(endpoints, now);
  });
}

absl::StatusOr<StepLabels> LabelClient::Take(int64_t step) {
  std::shared_ptr<const StepLabels> labels;
  {
    absl::MutexLock lock(&mu_);
    mu_.Await(absl::Condition(this, &LabelClient::TakeReturns));
    if (!ready_.has_value()) return *ended_;
    ABSL_RAW_CHECK(ready_->step == step, "labels are taken in the order of the steps");
    labels = ready_->labels;
    ready_.reset();
  }
  Post([](absl::Duration) {});  // offers the next one
  return *labels;
}

bool LabelClient::Await(absl::Duration timeout) {
  absl::MutexLock lock(&mu_);
  if (mu_.AwaitWithTimeout(absl::Condition(this, &LabelClient::TakeReturns), timeout)) return true;
  Schedule([this](absl::Duration now) {
    std::string whom = source_.WaitsFor(now);
    absl::MutexLock lock(&mu_);
    waits_for_ = std::move(whom);
  });
  return false;
}

void LabelClient::Close(const absl::Status& reason) {
  absl::MutexLock lock(&mu_);
  EndLocked(reason);
  if (std::exchange(closed_, true)) return;
  Schedule([this](absl::Duration) {
    stopped_ = true;
    if (timer_ != 0) timers_->Cancel(timer_);
    for (auto& [name, teacher] : teachers_) teacher.channel->Close();
    teachers_.clear();
  });
}

LabelSource::Counters LabelClient::counters() const {
  absl::MutexLock lock(&mu_);
  return counters_;
}

AnswerTimes LabelClient::TakeAnswerTimes() {
  absl::MutexLock lock(&mu_);
  return std::exchange(answer_times_, AnswerTimes{});
}

void LabelClient::CountAnswer(const Unanswered& asked, const v1::StageSeconds& stages,
                              absl::Duration now) {
  // One teacher that says nonsense would spoil the sums of all.
  const auto sane = [](double seconds) {
    return std::isfinite(seconds) ? std::max(0.0, seconds) : 0.0;
  };
  const AnswerTimes times = {1,
                             absl::ToDoubleSeconds(now - asked.asked_at),
                             sane(stages.queue()),
                             sane(stages.assemble()),
                             sane(stages.infer()),
                             sane(stages.encode())};
  absl::MutexLock lock(&mu_);
  answer_times_ += times;
}

void LabelClient::Settle(absl::Duration now) {
  if (stopped_) return;
  AskForHead(now);
  source_.Advance(now);
  OfferReady();
  // Actions may lead to more, where a stream cannot even be tried.
  for (std::vector<LabelAction> actions = source_.TakeActions(); !actions.empty();
       actions = source_.TakeActions()) {
    for (const LabelAction& action : actions) Do(action, now);
  }
  SetTimer();
  absl::MutexLock lock(&mu_);
  counters_ = source_.counters();
}

void LabelClient::OfferReady() {
  if (!source_.Ready()) return;
  {
    absl::MutexLock lock(&mu_);
    if (ready_.has_value()) return;
  }
  // Only the executor offers. Joining copies: gRPC's threads, which post, must not wait for it.
  const int64_t step = source_.next_step();
  std::shared_ptr<const StepLabels> labels = Join(source_.Take(clock_->MonotonicNow()));
  absl::MutexLock lock(&mu_);
  ready_ = Ready{step, std::move(labels)};
}

void LabelClient::Do(const LabelAction& action, absl::Duration now) {
  std::visit(Overloaded{
                 [&](const OpenStream& open) { Open(open.endpoint, now); },
                 [&](const CloseStream& close) {
                   const auto it = teachers_.find(close.endpoint);
                   if (it == teachers_.end()) return;
                   it->second.channel->Close();
                   teachers_.erase(it);
                 },
                 [&](const AskLabels& ask) { Ask(ask, now); },
                 [&](const CancelAsk& cancel) {
                   const auto it = teachers_.find(cancel.endpoint);
                   if (it != teachers_.end()) it->second.channel->Cancel(cancel.request_id);
                 },
                 [&](const GiveUp& give_up) { End(give_up.status); },
             },
             action);
}

void LabelClient::Open(const TeacherEndpoint& endpoint, absl::Duration now) {
  LabelChannelOptions options;
  options.address = endpoint.address;
  options.transport = options_.transport;
  options.open = options_.open;
  options.request_credit = kRequestCredit;
  if (AnyHidden(options_.open)) options.max_answer_bytes = options_.heads->max_bytes();
  const uint64_t serial = ++last_serial_;
  auto channel = options_.open_channel(options, EventsOf(endpoint.name, serial));
  if (!channel.ok()) {
    source_.StreamLost(endpoint.name, channel.status(), now);
    return;
  }
  Teacher& teacher = teachers_[endpoint.name];
  teacher = Teacher();
  teacher.serial = serial;
  teacher.channel = *std::move(channel);
}

void LabelClient::Ask(const AskLabels& ask, absl::Duration now) {
  const auto it = teachers_.find(ask.endpoint);
  if (it == teachers_.end()) return;  // its stream is lost, as the source will hear
  if (it->second.unanswered.size() >= kRequestCredit) {
    source_.AskFailed(ask.request_id,
                      absl::ResourceExhaustedError("the credit for asks is used up"), kCreditRetry,
                      now);
    return;
  }
  absl::StatusOr<v1::ExampleRefs> examples = ExamplesOf(ask);
  if (!examples.ok()) {
    source_.AskFailed(ask.request_id, examples.status(), absl::ZeroDuration(), now);
    return;
  }
  v1::Ask message;
  message.set_request_id(ask.request_id);
  *message.mutable_remaining() = ToProto(ask.remaining);
  *message.mutable_examples() = *std::move(examples);
  it->second.unanswered[ask.request_id] = {message.examples().ids_size(), now};
  it->second.channel->Ask(std::move(message), {});
}

absl::Status LabelClient::FetchExamples(int64_t step) {
  if (examples_step_ == step) return absl::OkStatus();
  examples_step_ = -1;
  ASSIGN_OR_RETURN(examples_, options_.examples_of(step));
  if (examples_.ids_size() != options_.rows) {
    return absl::InternalError(absl::StrCat("step ", step, " has ", examples_.ids_size(),
                                            " examples instead of ", options_.rows));
  }
  examples_step_ = step;
  return absl::OkStatus();
}

std::vector<uint64_t> LabelClient::KeysOf(int64_t step) {
  std::vector<uint64_t> keys;
  if (!FetchExamples(step).ok()) return keys;  // as its asks will say
  for (int i = 0; i < examples_.ids_size(); ++i) {
    const bool seeded = !examples_.view_seeds().empty();
    keys.push_back(LabelKeyHash(examples_.ids(i), seeded ? examples_.view_seeds(i) : 0));
  }
  return keys;
}

absl::StatusOr<v1::ExampleRefs> LabelClient::ExamplesOf(const AskLabels& ask) {
  RETURN_IF_ERROR(FetchExamples(ask.step));
  v1::ExampleRefs examples = examples_;
  Keep(*examples.mutable_ids(), ask.positions);
  Keep(*examples.mutable_view_seeds(), ask.positions);
  Keep(*examples.mutable_ranges(), ask.positions);
  return examples;
}

LabelClient::Teacher* LabelClient::Current(const std::string& name, uint64_t serial) {
  const auto it = teachers_.find(name);
  return it == teachers_.end() || it->second.serial != serial ? nullptr : &it->second;
}

absl::Status LabelClient::CheckCodec(const std::string& codec) const {
  const auto& asked = options_.open.codecs();
  if (std::find(asked.begin(), asked.end(), codec) == asked.end()) {
    return WithErrorId(absl::FailedPreconditionError(absl::StrCat("it took the label codec ", codec,
                                                                  ", which it was not asked for")),
                       ErrorId::kTeacherCodec);
  }
  if (codec_.empty() || Join(codec_, codec)) return absl::OkStatus();
  return WithErrorId(absl::FailedPreconditionError(absl::StrCat(
                         "it took the label codec ", codec, " and another server ", codec_,
                         ", which do not join; run one release on all servers, or name one codec "
                         "in labels.codecs")),
                     ErrorId::kTeacherCodec);
}

void LabelClient::OnOpened(const std::string& name, uint64_t serial, const v1::Opened& opened,
                           absl::Duration now) {
  Teacher* const teacher = Current(name, serial);
  if (teacher == nullptr) return;
  if (const std::string& run = options_.open.fingerprint(); opened.fingerprint() != run) {
    source_.Distrust(name,
                     WithErrorId(absl::FailedPreconditionError(absl::StrCat(
                                     "it serves the fingerprint '", opened.fingerprint(),
                                     "' and the run's teacher has '", run, "'")),
                                 ErrorId::kTeacherFingerprint),
                     now);
    return;
  }
  if (options_.rows > int64_t{opened.max_request_examples()}) {
    // Of the plan, so every other teacher would say the same.
    End(absl::InvalidArgumentError(absl::StrCat(
        "a step asks for ", options_.rows, " examples and teacher server ", name, " takes ",
        opened.max_request_examples(), " in one request; raise serving.max_batch_examples")));
    return;
  }
  if (const absl::Status fits = CheckCodec(opened.codec()); !fits.ok()) {
    teacher->channel->Close();
    teachers_.erase(name);
    source_.StreamLost(name, fits, now);
    return;
  }
  if (codec_.empty()) codec_ = opened.codec();
  teacher->codec = opened.codec();
  teacher->numerics_class = opened.numerics_class().text();
  Opened(name, *teacher, now);
}

LabelChannelEvents LabelClient::EventsOf(const std::string& name, uint64_t serial) {
  LabelChannelEvents events;
  const auto self = shared_from_this();
  events.opened = [=](const v1::Opened& opened) {
    self->Post(
        [=, raw = self.get()](absl::Duration now) { raw->OnOpened(name, serial, opened, now); });
  };
  events.answered = [=](uint64_t id, const std::shared_ptr<const ReceivedLabels>& received) {
    self->Post([=, raw = self.get()](absl::Duration now) {
      Teacher* teacher = raw->Current(name, serial);
      if (teacher == nullptr) return;
      if (id == kHeadRequest) return raw->OnHead(name, *received, now);
      const auto asked = teacher->unanswered.extract(id);
      if (asked.empty()) return;
      const Unanswered& was = asked.mapped();
      const auto labels = raw->Decode(received, teacher->codec, was.examples);
      raw->CountAnswer(was, received->stages, now);
      if (labels.ok()) {
        raw->source_.Answered(id, *labels, now);
      } else if (absl::IsDataLoss(labels.status())) {
        // Its checksum is right, so this is what the server sent.
        raw->source_.Distrust(name, labels.status(), now);
      } else {
        raw->source_.AskFailed(id, Annotate(labels.status(), absl::StrCat("teacher server ", name)),
                               absl::ZeroDuration(), now);
      }
    });
  };
  events.failed = [=](uint64_t id, const absl::Status& status, absl::Duration retry_after) {
    self->Post([=, raw = self.get()](absl::Duration now) {
      Teacher* teacher = raw->Current(name, serial);
      if (teacher == nullptr) return;
      if (id == kHeadRequest) return raw->LoseForHead(name, status, /*lied=*/false, now);
      teacher->unanswered.erase(id);
      raw->source_.AskFailed(id, status, retry_after, now);
    });
  };
  events.draining = [=](const std::string&) {
    self->Post([=, raw = self.get()](absl::Duration now) {
      if (raw->Current(name, serial) != nullptr) raw->source_.StreamDraining(name, now);
    });
  };
  events.closed = [=](const absl::Status& status) {
    self->Post([=, raw = self.get()](absl::Duration now) {
      if (raw->Current(name, serial) == nullptr) return;
      raw->teachers_.erase(name);
      raw->source_.StreamLost(
          name, status.ok() ? absl::UnavailableError("it has drained and left") : status, now);
    });
  };
  return events;
}

// Of what was asked for, so that the parts of a step join.
absl::Status LabelClient::CheckTemperatures(const SoftLabels& labels) const {
  const auto* const sparse = std::get_if<std::shared_ptr<const SparseLabels>>(&labels);
  if (sparse == nullptr || !(*sparse)->weights.empty()) return absl::OkStatus();
  if ((*sparse)->min_temperature == options_.open.min_temperature() &&
      (*sparse)->max_temperature == options_.open.max_temperature()) {
    return absl::OkStatus();
  }
  return absl::DataLossError(
      absl::StrCat("labels for temperatures from ", (*sparse)->min_temperature, " to ",
                   (*sparse)->max_temperature, " came where ", options_.open.min_temperature(),
                   " to ", options_.open.max_temperature(), " were asked for"));
}

absl::StatusOr<std::shared_ptr<const StepLabels>> LabelClient::Decode(
    const std::shared_ptr<const ReceivedLabels>& received, const std::string& codec,
    int64_t rows) const {
  // The parts of a step come from several teachers, and are joined by the outputs that they have.
  if (received->sections.size() != static_cast<size_t>(options_.open.outputs_size())) {
    return absl::DataLossError(absl::StrCat("the answer has ", received->sections.size(),
                                            " sections, ", options_.open.outputs_size(),
                                            " outputs were asked for"));
  }
  auto labels = std::make_shared<StepLabels>();
  for (const v1::Section& section : received->sections) {
    if (section.codec() != codec) {
      return absl::DataLossError(absl::StrCat("output ", section.output(), " came in the codec ",
                                              section.codec(), ", the stream's is ", codec));
    }
    ASSIGN_OR_RETURN(SoftLabels values,
                     DecodeSoftLabels(section,
                                      std::as_bytes(std::span<const char>(
                                          received->payload.data(), received->payload.size())),
                                      head_, received));
    if (RowsOf(values) != rows || ClassesOf(values) != int64_t{options_.open.classes()}) {
      return absl::DataLossError(absl::StrCat("output ", section.output(), " has another shape"));
    }
    RETURN_IF_ERROR(
        Annotate(CheckAnswer(values, section.codec()), absl::StrCat("output ", section.output())));
    RETURN_IF_ERROR(CheckTemperatures(values));
    (*labels)[section.output()] = std::move(values);
  }
  for (const v1::OutputSpec& output : options_.open.outputs()) {
    if (labels->count(output.name()) == 0) {
      return absl::DataLossError(absl::StrCat("the answer lacks output ", output.name()));
    }
  }
  return labels;
}

void LabelClient::SetTimer() {
  absl::Duration next = source_.NextDeadline();
  if (head_ask_.has_value()) next = std::min(next, head_ask_->deadline);
  if (next == timer_at_ && timer_ != 0) return;
  if (timer_ != 0) timers_->Cancel(timer_);
  timer_ = 0;
  timer_at_ = next;
  if (next == absl::InfiniteDuration()) return;
  auto id = timers_->ScheduleAt(next, [weak = weak_from_this(), next] {
    const std::shared_ptr<LabelClient> self = weak.lock();
    if (self == nullptr) return;
    self->Post([raw = self.get(), next](absl::Duration) {
      if (raw->timer_at_ == next) raw->timer_ = 0;
    });
  });
  if (id.ok()) timer_ = *id;
}

}  // namespace distill
