#include "cli/label_recording/label_recorder.h"

#include <algorithm>
#include <deque>
#include <span>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/strings/str_cat.h"
#include "absl/synchronization/mutex.h"
#include "common/status/annotate.h"
#include "common/status/error_id.h"
#include "common/status/status_macros.h"

namespace distill {
namespace {

constexpr absl::Duration kFirstPause = absl::Milliseconds(50);
constexpr absl::Duration kLongestPause = absl::Seconds(5);

google::protobuf::Duration ToProto(absl::Duration duration) {
  google::protobuf::Duration proto;
  const int64_t nanoseconds = absl::ToInt64Nanoseconds(duration);
  proto.set_seconds(nanoseconds / 1'000'000'000);
  proto.set_nanos(static_cast<int32_t>(nanoseconds % 1'000'000'000));
  return proto;
}

// Whether asking the same server again could help.
bool IsPassing(const absl::Status& status) {
  switch (status.code()) {
    case absl::StatusCode::kInvalidArgument:
    case absl::StatusCode::kFailedPrecondition:
    case absl::StatusCode::kUnimplemented:
    case absl::StatusCode::kNotFound:
    case absl::StatusCode::kPermissionDenied:
      return false;
    default:
      return true;
  }
}

}  // namespace

// What the streams' and the writers' threads have to say, until the recording is over.
// Thread-safe. It holds a few events for each ask and each stream, whose numbers are bounded.
class LabelRecorder::Mailbox {
 public:
  using Event = std::function<void()>;

  void Post(Event event) {
    absl::MutexLock lock(&mu_);
    if (!closed_) events_.push_back(std::move(event));
  }
  // The events so far; waits for the first one until `timeout` is over.
  std::deque<Event> Take(absl::Duration timeout) {
    absl::MutexLock lock(&mu_);
    const auto some = [this]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) {
      return !events_.empty() || stopped_;
    };
    mu_.AwaitWithTimeout(absl::Condition(&some), timeout);
    return std::exchange(events_, {});
  }
  void Stop() {
    absl::MutexLock lock(&mu_);
    stopped_ = true;
  }
  bool stopped() const {
    absl::MutexLock lock(&mu_);
    return stopped_;
  }
  void Close() {
    absl::MutexLock lock(&mu_);
    closed_ = true;
    events_.clear();
  }

 private:
  mutable absl::Mutex mu_;
  std::deque<Event> events_ ABSL_GUARDED_BY(mu_);
  bool stopped_ ABSL_GUARDED_BY(mu_) = false;
  bool closed_ ABSL_GUARDED_BY(mu_) = false;
};

LabelRecorder::LabelRecorder(const LabelRecorderOptions& options, const LabelRecorderTools& tools)
    : options_(options),
      tools_(tools),
      mailbox_(std::make_shared<Mailbox>()),
      identity_(options.identity) {}

LabelRecorder::~LabelRecorder() {
  mailbox_->Close();
  for (Teacher& teacher : teachers_) {
    if (teacher.channel != nullptr) teacher.channel->Close();
  }
}

void LabelRecorder::Stop() { mailbox_->Stop(); }

absl::StatusOr<LabelSetIdentity> LabelRecorder::Record(const std::vector<std::string>& addresses) {
  teachers_.resize(addresses.size());
  for (size_t i = 0; i < addresses.size(); ++i) teachers_[i].address = addresses[i];
  while (!filler_.has_value() || !filler_->done()) RETURN_IF_ERROR(Step());
  RETURN_IF_ERROR(writer_->Finish());
  return identity_;
}

// One round: what came, what is late, what is to be asked.
absl::Status LabelRecorder::Step() {
  const absl::Duration now = tools_.clock->MonotonicNow();
  CheckDeadlines(now);
  for (Teacher& teacher : teachers_) Open(teacher, now);
  AskAll(now);
  RETURN_IF_ERROR(NobodyLeft());
  for (const Mailbox::Event& event :
       mailbox_->Take(std::max(absl::ZeroDuration(), NextDeadline() - now))) {
    event();
  }
  if (mailbox_->stopped()) return absl::CancelledError("the recording was stopped");
  RETURN_IF_ERROR(failed_);
  return filler_.has_value() ? filler_->status() : absl::OkStatus();
}

absl::Status LabelRecorder::NobodyLeft() const {
  absl::Status last = WithErrorId(absl::UnavailableError("there is no teacher server to ask"),
                                  ErrorId::kNoTeacherReady);
  for (const Teacher& teacher : teachers_) {
    if (!teacher.given_up.has_value()) return absl::OkStatus();
    last = *teacher.given_up;
  }
  return Annotate(last, "no teacher server is left");
}

// ---- Streams ----

void LabelRecorder::Open(Teacher& teacher, absl::Duration now) {
  if (teacher.channel != nullptr || teacher.given_up.has_value() || now < teacher.not_before) {
    return;
  }
  LabelChannelOptions options;
  options.address = teacher.address;
  options.transport = options_.transport;
  options.open = options_.open;
  options.request_credit = static_cast<uint32_t>(options_.asks_per_teacher);
  ++teacher.serial;
  teacher.opened = teacher.draining = false;
  // A stream that does not open in time is given up like an ask.
  teacher.not_before = now + options_.request_timeout;
  auto channel = LabelChannel::Open(options, EventsOf(&teacher - teachers_.data(), teacher.serial));
  if (!channel.ok()) return GiveUp(teacher, channel.status());
  teacher.channel = *std::move(channel);
}

LabelChannelEvents LabelRecorder::EventsOf(size_t index, uint64_t serial) {
  // Runs `event` on the recording thread, for as long as the stream is the one in use.
  const auto post = [this, index, serial, mailbox = mailbox_](std::function<void(Teacher&)> event) {
    mailbox->Post([this, index, serial, event = std::move(event)] {
      if (teachers_[index].serial == serial && teachers_[index].channel != nullptr) {
        event(teachers_[index]);
      }
    });
  };
  LabelChannelEvents events;
  events.opened = [=, this](const v1::Opened& opened) {
    post([this, opened](Teacher& teacher) {
      if (failed_.ok()) failed_ = OnOpened(teacher, opened);
    });
  };
  events.answered = [=, this](uint64_t id, std::shared_ptr<const ReceivedLabels> received) {
    post([this, id, received](Teacher& teacher) { OnAnswer(teacher, id, *received); });
  };
  events.failed = [=, this](uint64_t id, const absl::Status& why, absl::Duration retry_after) {
    post([=, this](Teacher& teacher) { OnFailed(teacher, id, why, retry_after); });
  };
  events.draining = [=](const std::string&) {
    post([](Teacher& teacher) { teacher.draining = true; });
  };
  events.closed = [=, this](const absl::Status& status) {
    post([=, this](Teacher& teacher) {
      OnLost(teacher, status.ok() ? absl::UnavailableError("it has drained and left") : status);
    });
  };
  return events;
}

absl::Status LabelRecorder::OnOpened(Teacher& teacher, const v1::Opened& opened) {
  LabelSetIdentity identity = identity_;
  if (identity.codec.empty()) identity.codec = opened.codec();
  if (identity.numerics_class.empty()) identity.numerics_class = opened.numerics_class().text();
  if (const absl::Status fits = CheckOpened(identity, opened); !fits.ok()) {
    GiveUp(teacher, Annotate(fits, absl::StrCat("teacher server ", teacher.address)));
    return absl::OkStatus();
  }
  if (!filler_.has_value()) RETURN_IF_ERROR(StartWriting(opened));
  teacher.opened = true;
  teacher.not_before = absl::ZeroDuration();
  return absl::OkStatus();
}

absl::Status LabelRecorder::StartWriting(const v1::Opened& opened) {
  if (identity_.codec.empty()) identity_.codec = opened.codec();
  if (identity_.numerics_class.empty()) identity_.numerics_class = opened.numerics_class().text();
  ASSIGN_OR_RETURN(writer_, LabelSetWriter::Open(tools_.files, options_.directory, identity_, {}));
  LabelSetFillerOptions filling;
  // Of the blocks that are outstanding some are being written.
  filling.max_outstanding = 2 * options_.asks_per_teacher * static_cast<int>(teachers_.size());
  std::vector<uint64_t> missing = writer_->MissingBlocks();
  progress_.blocks = identity_.blocks();
  progress_.blocks_kept = progress_.blocks_done = progress_.blocks - missing.size();
  for (const uint64_t block : missing) progress_.rows_missing += identity_.RowsOf(block);
  filler_.emplace(identity_, options_.view, std::move(missing), filling);
  tools_.progress(progress_);
  return absl::OkStatus();
}

void LabelRecorder::OnLost(Teacher& teacher, const absl::Status& why) {
  teacher.channel->Close();
  teacher.channel = nullptr;
  teacher.opened = false;
  for (const auto& [id, deadline] : std::exchange(teacher.asked, {})) filler_->Failed(id, why);
  Penalize(teacher, absl::ZeroDuration());
  if (!IsPassing(why) || teacher.failures > options_.max_failures) GiveUp(teacher, why);
}

void LabelRecorder::Penalize(Teacher& teacher, absl::Duration at_least) {
  ++teacher.failures;
  const absl::Duration pause =
      std::min(kLongestPause, kFirstPause * (1 << std::min(teacher.failures, 16)));
  teacher.not_before = tools_.clock->MonotonicNow() + std::max(at_least, pause);
}

void LabelRecorder::GiveUp(Teacher& teacher, const absl::Status& why) {
  if (teacher.channel != nullptr) teacher.channel->Close();
  teacher.channel = nullptr;
  teacher.opened = false;
  for (const auto& [id, deadline] : std::exchange(teacher.asked, {})) filler_->Failed(id, why);
  teacher.given_up = why;
  tools_.say(absl::StrCat(teacher.address, " is not asked any more: ", std::string(why.message())));
}

// ---- Asks ----

void LabelRecorder::AskAll(absl::Duration now) {
  if (!filler_.has_value()) return;
  while (true) {
    Teacher* least = nullptr;
    for (Teacher& teacher : teachers_) {
      if (!teacher.opened || teacher.draining || now < teacher.not_before) continue;
      if (least == nullptr || teacher.asked.size() < least->asked.size()) least = &teacher;
    }
    if (least == nullptr) return;
    if (least->asked.size() >= static_cast<size_t>(options_.asks_per_teacher)) return;
    std::optional<LabelSetFiller::BlockAsk> block = filler_->Next();
    if (!block.has_value()) return;
    v1::Ask ask;
    ask.set_request_id(block->request_id);
    *ask.mutable_remaining() = ToProto(options_.request_timeout);
    *ask.mutable_examples() = std::move(block->examples);
    least->asked[block->request_id] = now + options_.request_timeout + options_.grace;
    least->channel->Ask(std::move(ask));
  }
}

void LabelRecorder::OnAnswer(Teacher& teacher, uint64_t id, const ReceivedLabels& received) {
  if (teacher.asked.erase(id) == 0) return;
  const std::optional<uint64_t> block = filler_->BlockOf(id);
  if (!block.has_value()) return;
  absl::StatusOr<EncodedLabels> labels =
      absl::DataLossError("the answer has another number of outputs than the one asked for");
  if (received.sections.size() == 1) {
    labels = filler_->Accept(
        id, received.sections[0],
        std::as_bytes(std::span<const char>(received.payload.data(), received.payload.size())));
  }
  absl::Status status = labels.status();
  const auto index = static_cast<size_t>(&teacher - teachers_.data());
  if (status.ok()) {
    teacher.failures = 0;
    status = tools_.writers->Schedule([this, index, id, block = *block, writer = writer_,
                                       mailbox = mailbox_, labels = *std::move(labels)]() mutable {
      const absl::Status written = writer->Add(block, std::move(labels));
      mailbox->Post([this, index, id, written] { OnWritten(index, id, written); });
    });
  } else {
    Penalize(teacher, absl::ZeroDuration());
    if (teacher.failures > options_.max_failures) GiveUp(teacher, status);
  }
  if (!status.ok()) filler_->Failed(id, status);
}

void LabelRecorder::OnWritten(size_t index, uint64_t id, const absl::Status& status) {
  if (absl::IsDataLoss(status)) {
    filler_->Failed(id, status);
    // Its checksum was right, so this is what the server sent.
    Teacher& teacher = teachers_[index];
    if (!teacher.given_up.has_value()) GiveUp(teacher, status);
    return;
  }
  if (!status.ok()) {
    if (failed_.ok()) failed_ = status;
    return;
  }
  filler_->Filled(id);
  progress_.blocks_done = progress_.blocks - filler_->blocks_left();
  tools_.progress(progress_);
}

void LabelRecorder::OnFailed(Teacher& teacher, uint64_t id, const absl::Status& why,
                             absl::Duration retry_after) {
  if (teacher.asked.erase(id) == 0) return;
  filler_->Failed(id, why);
  Penalize(teacher, retry_after);
  const bool broken = absl::IsDataLoss(why) && teacher.failures > options_.max_failures;
  if (broken || !IsPassing(why)) GiveUp(teacher, why);
}

// ---- Time ----

void LabelRecorder::CheckDeadlines(absl::Duration now) {
  for (Teacher& teacher : teachers_) {
    if (teacher.channel == nullptr) continue;
    if (teacher.draining && teacher.asked.empty()) {
      OnLost(teacher, absl::UnavailableError(
                          absl::StrCat("teacher server ", teacher.address, " is draining")));
      continue;
    }
    const bool late = std::any_of(teacher.asked.begin(), teacher.asked.end(),
                                  [now](const auto& ask) { return ask.second <= now; });
    if (!late && (teacher.opened || now < teacher.not_before)) continue;
    OnLost(teacher, absl::DeadlineExceededError(
                        absl::StrCat("teacher server ", teacher.address, " did not answer within ",
                                     absl::FormatDuration(options_.request_timeout))));
  }
}

absl::Duration LabelRecorder::NextDeadline() const {
  absl::Duration next = absl::InfiniteDuration();
  const absl::Duration now = tools_.clock->MonotonicNow();
  for (const Teacher& teacher : teachers_) {
    if (teacher.given_up.has_value()) continue;
    if (teacher.not_before > now || !teacher.opened) next = std::min(next, teacher.not_before);
    for (const auto& [id, deadline] : teacher.asked) next = std::min(next, deadline);
  }
  return next;
}

}  // namespace distill
