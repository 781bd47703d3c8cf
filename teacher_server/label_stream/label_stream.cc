#include "teacher_server/label_stream/label_stream.h"

#include <algorithm>
#include <limits>
#include <memory>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/digest/crc32c.h"
#include "common/status/error_id.h"
#include "common/status/status_macros.h"
#include "distillation/labels/codec.h"
#include "distillation/run_config/digests.h"
#include "distillation/run_config/share.h"

namespace distill {
namespace {

uint64_t SaturatingAdd(uint64_t a, uint64_t b) {
  return a > std::numeric_limits<uint64_t>::max() - b ? std::numeric_limits<uint64_t>::max()
                                                      : a + b;
}

// The longest wait a student may ask for; keeps every later sum finite.
constexpr int64_t kMaxRemainingSeconds = 3600;

absl::Duration ToDuration(const google::protobuf::Duration& duration) {
  const int64_t seconds = std::min(duration.seconds(), kMaxRemainingSeconds);
  return absl::Seconds(seconds) + absl::Nanoseconds(duration.nanos());
}

absl::Status CheckOutputs(const v1::Open& open, const ServedModel& served) {
  if (open.outputs().empty()) return absl::InvalidArgumentError("open names no output");
  std::vector<std::string> names;
  for (const v1::OutputSpec& output : open.outputs()) {
    if (!output.has_logits() || std::find(served.outputs.begin(), served.outputs.end(),
                                          output.name()) == served.outputs.end()) {
      return WithErrorId(absl::UnimplementedError(absl::StrCat(
                             "model ", served.model, " cannot give output ", output.name(),
                             "; it gives: ", absl::StrJoin(served.outputs, ", "))),
                         ErrorId::kModelNotServed);
    }
    if (std::find(names.begin(), names.end(), output.name()) != names.end()) {
      return absl::InvalidArgumentError(absl::StrCat("output ", output.name(), " is named twice"));
    }
    names.push_back(output.name());
  }
  return absl::OkStatus();
}

absl::Status CheckShape(const v1::Open& open, const ServedModel& served) {
  if (open.classes() == 0 || open.example_dims().empty()) {
    return absl::InvalidArgumentError("open lacks the number of classes or the example's shape");
  }
  if (open.classes() != served.classes) {
    return WithErrorId(
        absl::FailedPreconditionError(absl::StrCat(
            "teacher ", served.model, " has ", served.classes, " classes and the student ",
            open.classes(), "; train both on data with the same classes")),
        ErrorId::kTeacherClasses);
  }
  if (!std::equal(open.example_dims().begin(), open.example_dims().end(),
                  served.example_dims.begin(), served.example_dims.end())) {
    return WithErrorId(absl::FailedPreconditionError(absl::StrCat(
                           "teacher ", served.model, " reads examples of [",
                           absl::StrJoin(served.example_dims, ", "), "] and the student [",
                           absl::StrJoin(open.example_dims(), ", "), "]")),
                       ErrorId::kTeacherShape);
  }
  return absl::OkStatus();
}

}  // namespace

LabelStream::LabelStream(const LabelStreamOptions& options,
                         std::shared_ptr<const ServedModel> served, absl::Status unavailable,
                         std::shared_ptr<MemoryLedger::Account> account)
    : options_(options),
      served_(std::move(served)),
      unavailable_(std::move(unavailable)),
      account_(std::move(account)) {}

absl::Status LabelStream::OnMessage(v1::LabelRequest message, ByteSlices payload) {
  if (state_ == State::kAwaitingOpen && !message.has_open()) {
    return absl::InvalidArgumentError("the first message of a Label stream must be `open`");
  }
  switch (message.message_case()) {
    case v1::LabelRequest::kOpen:
      return OnOpen(message.open());
    case v1::LabelRequest::kAsk:
      return OnAsk(std::move(*message.mutable_ask()), std::move(payload));
    case v1::LabelRequest::kCredit:
      AddCredit(message.credit());
      return absl::OkStatus();
    case v1::LabelRequest::kCancel: {
      const uint64_t id = message.cancel().request_id();
      const auto it = unanswered_.find(id);
      if (it == unanswered_.end()) return absl::OkStatus();
      if (it->second) {
        cancelled_.push_back(id);
      } else {
        admitted_.erase(std::find_if(admitted_.begin(), admitted_.end(),
                                     [id](const AdmittedAsk& a) { return a.request_id == id; }));
      }
      Fail(id, absl::CancelledError("cancelled by the student"), absl::ZeroDuration());
      return absl::OkStatus();
    }
    case v1::LabelRequest::MESSAGE_NOT_SET:
      break;
  }
  return absl::InvalidArgumentError("a message of a kind that this server does not know");
}

absl::Status LabelStream::OnOpen(const v1::Open& open) {
  if (state_ != State::kAwaitingOpen) {
    return absl::InvalidArgumentError("a second `open` on one Label stream");
  }
  if (open.model().empty() || open.fingerprint().empty()) {
    return absl::InvalidArgumentError("open names no model or no fingerprint");
  }
  if (served_ == nullptr) return unavailable_;
  if (open.model() != served_->model) {
    return WithErrorId(
        absl::NotFoundError(absl::StrCat(
            "model ", open.model(), " is not served here; this server serves ", served_->model)),
        ErrorId::kModelNotServed);
  }
  if (open.fingerprint() != served_->fingerprint) {
    return WithErrorId(
        absl::FailedPreconditionError(absl::StrCat(
            "model ", open.model(), " has the fingerprint ", served_->fingerprint.substr(0, 12),
            "... here and ", open.fingerprint().substr(0, 12),
            "... was asked for; load the export that the run names")),
        ErrorId::kTeacherFingerprint);
  }
  if (open.has_share() && !IsShare(open.share())) {
    return absl::InvalidArgumentError(
        absl::StrCat("a share of ", open.share(), "; it is ", kMinShare, " to ", kMaxShare));
  }
  RETURN_IF_ERROR(CheckOutputs(open, *served_));
  RETURN_IF_ERROR(CheckShape(open, *served_));
  const std::vector<std::string> preferences(open.codecs().begin(), open.codecs().end());
  ASSIGN_OR_RETURN(codec_, Negotiate(preferences, served_->codecs));
  open_ = open;
  AddCredit(open.credit());
  state_ = State::kServing;

  v1::Opened* opened = urgent_.emplace_back().mutable_opened();
  opened->set_codec(codec_);
  opened->set_fingerprint(served_->fingerprint);
  opened->mutable_numerics_class()->set_text(served_->numerics_class);
  opened->set_max_part_bytes(options_.max_part_bytes);
  opened->set_max_request_examples(options_.max_request_examples);
  opened->set_incarnation(served_->incarnation);
  return absl::OkStatus();
}

void LabelStream::AddCredit(const v1::Credit& credit) {
  request_credit_ = SaturatingAdd(request_credit_, credit.requests());
  byte_credit_ = SaturatingAdd(byte_credit_, credit.bytes());
}

absl::Status LabelStream::OnAsk(v1::Ask ask, ByteSlices payload) {
  if (unanswered_.size() >= request_credit_) {
    return absl::ResourceExhaustedError(
        absl::StrCat("an ask beyond the credit of ", request_credit_, " requests; grant first"));
  }
  // Credit is the student's to give, memory is not: what it does not read counts too.
  if (unanswered_.size() + outgoing_.size() + urgent_.size() >= options_.max_unanswered ||
      unsent_bytes_ > options_.max_unsent_bytes) {
    return absl::ResourceExhaustedError(
        absl::StrCat(unanswered_.size(), " asks of this stream are unanswered and ", unsent_bytes_,
                     " bytes of answers unread; read answers and grant bytes before asking on"));
  }
  const uint64_t id = ask.request_id();
  if (unanswered_.count(id) > 0) {
    return absl::InvalidArgumentError(absl::StrCat("request id ", id, " is asked twice"));
  }
  const absl::Status status = CheckAsk(ask, payload.size());
  unanswered_[id] = false;
  if (!status.ok()) {
    Fail(id, status, absl::ZeroDuration());
    return absl::OkStatus();
  }
  AdmittedAsk admitted;
  admitted.request_id = id;
  admitted.remaining = ToDuration(ask.remaining());
  if (ask.has_head()) {
    admitted.head = true;
  } else if (ask.has_tensors()) {
    SentExamples& tensors = admitted.tensors.emplace();
    const auto& dims = ask.tensors().tensors(0).dims();
    tensors.dims.assign(dims.begin(), dims.end());
    tensors.bytes = std::move(payload);
    if (ask.has_crc32c()) tensors.crc32c = ask.crc32c();
  } else {
    admitted.examples = std::move(*ask.mutable_examples());
  }
  admitted_.push_back(std::move(admitted));
  return absl::OkStatus();
}

absl::Status LabelStream::CheckAsk(const v1::Ask& ask, uint64_t payload_bytes) const {
  if (state_ == State::kDraining) {
    return absl::UnavailableError("this teacher server is draining; ask another one");
  }
  if (!ask.has_remaining()) return absl::InvalidArgumentError("the ask has no remaining time");
  if (ToDuration(ask.remaining()) <= absl::ZeroDuration()) {
    return absl::DeadlineExceededError("no time remained when the ask arrived");
  }
  if (ask.has_tensors()) return CheckTensors(ask.tensors(), payload_bytes);
  if (payload_bytes > 0) return absl::InvalidArgumentError("a payload without tensors");
  return ask.has_head() ? CheckHead() : CheckRefs(ask.examples());
}

absl::Status LabelStream::CheckHead() const {
  if (IsHiddenCodec(codec_)) return absl::OkStatus();
  return absl::FailedPreconditionError(
      absl::StrCat("the head is for streams of hidden states, and this one is of ", codec_));
}

absl::Status LabelStream::CheckRows(uint64_t rows) const {
  if (rows == 0) return absl::InvalidArgumentError("the ask names no example");
  if (rows <= options_.max_request_examples) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat(rows, " examples in one request; at most ",
                                                 options_.max_request_examples,
                                                 ", as `opened` says"));
}

absl::Status LabelStream::CheckTensors(const v1::TensorBundle& bundle,
                                       uint64_t payload_bytes) const {
  if (bundle.tensors_size() != 1 || bundle.tensors(0).name() != kExamplesTensor ||
      bundle.tensors(0).dtype() != v1::FLOAT32) {
    return absl::InvalidArgumentError(absl::StrCat(
        "a tensor bundle for this model holds one float32 tensor named '", kExamplesTensor, "'"));
  }
  const v1::TensorBundle::NamedTensor& tensor = bundle.tensors(0);
  std::vector<int64_t> due = served_->example_dims;
  due.insert(due.begin(), tensor.dims().empty() ? 0 : tensor.dims(0));
  if (!std::equal(due.begin(), due.end(), tensor.dims().begin(), tensor.dims().end())) {
    return absl::InvalidArgumentError(absl::StrCat(
        "tensor '", kExamplesTensor, "' is [", absl::StrJoin(tensor.dims(), ", "),
        "]; this model takes [rows, ", absl::StrJoin(served_->example_dims, ", "), "]"));
  }
  RETURN_IF_ERROR(CheckRows(static_cast<uint64_t>(std::max<int64_t>(due[0], 0))));
  if (codec_.starts_with("sampled")) {
    return absl::InvalidArgumentError(absl::StrCat(
        "the codec ", codec_, " draws by example id, and examples that come along have none; name ",
        "them by id, or open the stream with another codec"));
  }
  // Fits: no more than max_request_examples of the model's own shape.
  uint64_t bytes = sizeof(float);
  for (const int64_t dim : due) bytes *= static_cast<uint64_t>(dim);
  if (payload_bytes == bytes) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat("tensor '", kExamplesTensor, "' has ",
                                                 payload_bytes, " bytes; its shape says ", bytes));
}

absl::Status LabelStream::CheckRefs(const v1::ExampleRefs& refs) const {
  RETURN_IF_ERROR(CheckRows(static_cast<uint64_t>(refs.ids_size())));
  if (!refs.view_seeds().empty() && refs.view_seeds_size() != refs.ids_size()) {
    return absl::InvalidArgumentError(
        absl::StrCat(refs.ids_size(), " ids and ", refs.view_seeds_size(), " view seeds"));
  }
  if (!refs.ranges().empty()) return absl::UnimplementedError("token ranges are not served yet");
  if (refs.data_set_digest() != served_->data_set_digest) {
    return WithErrorId(
        absl::FailedPreconditionError(
            "the student's data set is not the one this teacher server has: other files or another "
            "preprocessing"),
        ErrorId::kTeacherData);
  }
  if (!refs.view_seeds().empty() && refs.view_spec_digest() != ViewSpecDigest(refs.view_spec())) {
    return absl::FailedPreconditionError("the view's digest does not belong to the view");
  }
  return absl::OkStatus();
}

void LabelStream::Fail(uint64_t request_id, const absl::Status& status,
                       absl::Duration retry_after) {
  if (unanswered_.erase(request_id) == 0) return;
  --request_credit_;
  v1::Failed* failed = urgent_.emplace_back().mutable_failed();
  failed->set_request_id(request_id);
  failed->set_code(static_cast<int32_t>(status.code()));
  failed->set_message(MessageWithId(status));
  const int64_t nanoseconds =
      absl::ToInt64Nanoseconds(std::clamp(retry_after, absl::ZeroDuration(), absl::Hours(1)));
  failed->mutable_retry_after()->set_seconds(nanoseconds / 1'000'000'000);
  failed->mutable_retry_after()->set_nanos(static_cast<int32_t>(nanoseconds % 1'000'000'000));
}

void LabelStream::Answer(uint64_t request_id, LabelAnswer answer) {
  if (unanswered_.erase(request_id) == 0) return;
  --request_credit_;
  Outgoing& outgoing = outgoing_.emplace_back();
  outgoing.request_id = request_id;
  for (const ByteSlices& bytes : answer.payload) outgoing.total += bytes.size();
  const uint64_t held = answer.shared ? 0 : outgoing.total;
  unsent_bytes_ += held;
  auto owner = std::make_shared<std::pair<std::shared_ptr<const void>, std::vector<ByteSlices>>>();
  if (account_ != nullptr) owner->first = account_->Hold(held);
  owner->second = answer.payload;
  outgoing.owner = std::move(owner);
  outgoing.answer = std::move(answer);
}

void LabelStream::Drain(const std::string& reason) {
  if (state_ == State::kDraining) return;
  if (opened()) urgent_.emplace_back().mutable_draining()->set_reason(reason);
  state_ = State::kDraining;
}

std::vector<AdmittedAsk> LabelStream::TakeAdmitted() {
  for (const AdmittedAsk& ask : admitted_) unanswered_[ask.request_id] = true;
  return std::exchange(admitted_, {});
}

std::vector<uint64_t> LabelStream::TakeCancelled() { return std::exchange(cancelled_, {}); }

std::optional<LabelFrame> LabelStream::NextFrame() {
  if (!urgent_.empty()) {
    LabelFrame frame;
    frame.head = std::move(urgent_.front());
    urgent_.pop_front();
    return frame;
  }
  if (outgoing_.empty()) return std::nullopt;
  Outgoing& outgoing = outgoing_.front();
  if (outgoing.sent < outgoing.total && byte_credit_ == 0) return std::nullopt;
  LabelFrame frame = NextPart(outgoing);
  if (frame.head.labels().last()) outgoing_.pop_front();
  return frame;
}

LabelFrame LabelStream::NextPart(Outgoing& outgoing) {
  const uint64_t length =
      std::min({options_.max_part_bytes, outgoing.total - outgoing.sent, byte_credit_});
  LabelFrame frame;
  v1::Labels* labels = frame.head.mutable_labels();
  labels->set_request_id(outgoing.request_id);
  labels->set_part(outgoing.parts++);
  if (labels->part() == 0) {
    labels->set_total_bytes(outgoing.total);
    labels->mutable_sections()->Add(outgoing.answer.sections.begin(),
                                    outgoing.answer.sections.end());
  }
  uint64_t skip = outgoing.sent;
  uint64_t left = length;
  uint32_t crc = 0;
  for (const ByteSlices& bytes : outgoing.answer.payload) {
    for (const std::string_view whole : bytes.slices) {
      const std::string_view slice = whole.substr(std::min(skip, whole.size()), left);
      skip -= std::min(skip, whole.size());
      if (slice.empty()) continue;
      crc = ExtendCrc32c(crc, slice);
      frame.payload.slices.push_back(slice);
      left -= slice.size();
    }
  }
  frame.payload.owner = outgoing.owner;
  labels->set_crc32c(crc);
  outgoing.sent += length;
  if (!outgoing.answer.shared) unsent_bytes_ -= length;
  byte_credit_ -= length;
  if (outgoing.sent == outgoing.total) {
    labels->set_last(true);
    *labels->mutable_stages() = outgoing.answer.stages;
  }
  return frame;
}

bool LabelStream::finished() const {
  return state_ == State::kDraining && unanswered_.empty() && urgent_.empty() && outgoing_.empty();
}

}  // namespace distill
