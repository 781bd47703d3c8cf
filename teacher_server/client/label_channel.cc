#include "teacher_server/client/label_channel.h"

#include <grpcpp/generic/generic_stub.h>

#include <algorithm>
#include <utility>

#include "absl/base/internal/raw_logging.h"
#include "absl/strings/str_cat.h"
#include "common/rpc/framing.h"
#include "common/status/annotate.h"
#include "common/status/error_id.h"
#include "common/status/status_macros.h"

namespace distill {
namespace {

constexpr char kMethod[] = "/distill.v1.TeacherService/Label";

absl::Duration ToDuration(const google::protobuf::Duration& duration) {
  return std::max(absl::ZeroDuration(),
                  absl::Seconds(duration.seconds()) + absl::Nanoseconds(duration.nanos()));
}

template <typename Function, typename... Args>
void Call(const Function& function, Args&&... args) {
  if (function) function(std::forward<Args>(args)...);
}

}  // namespace

absl::StatusOr<std::shared_ptr<LabelChannel>> LabelChannel::Open(const LabelChannelOptions& options,
                                                                 LabelChannelEvents events) {
  ASSIGN_OR_RETURN(auto channel, CreateChannel(options.transport, options.address));
  auto self = std::make_shared<LabelChannel>(Private(), options, std::move(events));
  grpc::GenericStub stub(channel);
  stub.PrepareBidiStreamingCall(self->context(), kMethod, {}, self.get());
  self->Begin();
  return self;
}

LabelChannel::LabelChannel(Private, const LabelChannelOptions& options, LabelChannelEvents events)
    : options_(options), events_(std::move(events)), answers_(options.max_answer_bytes) {}

void LabelChannel::Ask(v1::Ask ask, ByteSlices tensors) {
  if (!tensors.slices.empty()) ask.set_crc32c(Crc32c(tensors));
  {
    absl::MutexLock lock(&channel_mu_);
    if (ended_.has_value()) return;
    ABSL_RAW_CHECK(answers_.expected() < options_.request_credit, "an ask beyond request_credit");
    answers_.Expect(ask.request_id());
    Outgoing& outgoing = outbox_.emplace_back();
    *outgoing.head.mutable_ask() = std::move(ask);
    outgoing.payload = std::move(tensors);
  }
  Wake();
}

void LabelChannel::Cancel(uint64_t request_id) {
  {
    absl::MutexLock lock(&channel_mu_);
    if (ended_.has_value() || !answers_.expects(request_id)) return;
    if (!cancelled_.insert(request_id).second) return;
    outbox_.emplace_back().head.mutable_cancel()->set_request_id(request_id);
  }
  Wake();
}

void LabelChannel::Close() {
  {
    absl::MutexLock lock(&channel_mu_);
    if (!ended_.has_value()) ended_ = absl::CancelledError("closed by the student");
  }
  Stream::Cancel();
}

std::optional<grpc::ByteBuffer> LabelChannel::NextToWrite() {
  const std::optional<Outgoing> next = NextOutgoing();
  if (!next.has_value()) return std::nullopt;
  absl::StatusOr<grpc::ByteBuffer> frame =
      BuildFrame(next->head, v1::LabelRequest::kPayloadFieldNumber, next->payload);
  ABSL_RAW_CHECK(frame.ok(), "an ask that is no message: its tensors have more than 2^31 bytes");
  return *std::move(frame);
}

std::optional<LabelChannel::Outgoing> LabelChannel::NextOutgoing() {
  absl::MutexLock lock(&channel_mu_);
  Outgoing outgoing;
  v1::LabelRequest& request = outgoing.head;
  if (!open_written_) {
    open_written_ = true;
    *request.mutable_open() = options_.open;
    request.mutable_open()->mutable_credit()->set_requests(options_.request_credit +
                                                           kSpareRequests);
    request.mutable_open()->mutable_credit()->set_bytes(options_.byte_credit);
    return outgoing;
  }
  // Before asks: those may use what is granted here.
  if (OwesCredit()) {
    request.mutable_credit()->set_requests(std::exchange(owed_requests_, 0));
    request.mutable_credit()->set_bytes(std::exchange(owed_bytes_, 0));
    return outgoing;
  }
  if (outbox_.empty()) return std::nullopt;
  outgoing = std::move(outbox_.front());
  outbox_.pop_front();
  return outgoing;
}

bool LabelChannel::OwesCredit() const {
  return owed_requests_ >= kSpareRequests || owed_bytes_ > options_.byte_credit / 4;
}

void LabelChannel::OnMessage(grpc::ByteBuffer message) {
  {
    absl::MutexLock lock(&channel_mu_);
    if (ended_.has_value()) return;
  }
  const absl::Status status = Handle(message);
  if (status.ok()) return;
  {
    absl::MutexLock lock(&channel_mu_);
    if (!ended_.has_value()) {
      ended_ = Reworded(status, absl::StatusCode::kDataLoss, std::string(status.message()));
    }
  }
  Stream::Cancel();
}

absl::Status LabelChannel::Handle(const grpc::ByteBuffer& message) {
  v1::LabelResponse head;
  FrameLimits limits;
  limits.max_payload_bytes = options_.transport.max_receive_bytes;
  ASSIGN_OR_RETURN(const ByteSlices payload,
                   SplitFrame(message, v1::LabelResponse::kPayloadFieldNumber, limits, &head));
  if (head.has_opened() == opened_) {
    return absl::DataLossError(opened_ ? "`opened` came twice" : "a message before `opened`");
  }
  switch (head.message_case()) {
    case v1::LabelResponse::kOpened:
      opened_ = true;
      Call(events_.opened, head.opened());
      return absl::OkStatus();
    case v1::LabelResponse::kLabels:
      return OnLabels(head.labels(), payload);
    case v1::LabelResponse::kFailed:
      return OnFailed(head.failed());
    case v1::LabelResponse::kDraining:
      Call(events_.draining, head.draining().reason());
      return absl::OkStatus();
    case v1::LabelResponse::MESSAGE_NOT_SET:
      break;
  }
  return absl::DataLossError("a message of a kind that this student does not know");
}

absl::Status LabelChannel::OnLabels(const v1::Labels& part, const ByteSlices& payload) {
  std::shared_ptr<const ReceivedLabels> labels;
  bool grant = false;
  {
    absl::MutexLock lock(&channel_mu_);
    const uint64_t bytes = payload.size();
    ASSIGN_OR_RETURN(labels, answers_.Add(part, payload));
    owed_bytes_ += bytes;
    if (labels != nullptr) {
      ++owed_requests_;
      cancelled_.erase(part.request_id());
    }
    grant = OwesCredit();
  }
  if (grant) Wake();
  if (labels != nullptr) Call(events_.answered, part.request_id(), std::move(labels));
  return absl::OkStatus();
}

absl::Status LabelChannel::OnFailed(const v1::Failed& failed) {
  bool grant = false;
  {
    absl::MutexLock lock(&channel_mu_);
    if (!answers_.Finish(failed.request_id())) {
      return absl::DataLossError(absl::StrCat("a failure of request ", failed.request_id(),
                                              ", which nobody asked or which is answered"));
    }
    ++owed_requests_;
    cancelled_.erase(failed.request_id());
    grant = OwesCredit();
  }
  if (grant) Wake();
  absl::Status status =
      StatusOfText(static_cast<absl::StatusCode>(failed.code()), failed.message());
  if (status.ok()) status = absl::UnknownError("the server failed without a reason");
  Call(events_.failed, failed.request_id(), status, ToDuration(failed.retry_after()));
  return absl::OkStatus();
}

void LabelChannel::OnClosed(const absl::Status& status) {
  absl::Status reason = status;
  {
    absl::MutexLock lock(&channel_mu_);
    if (ended_.has_value()) reason = *ended_;
    ended_ = reason;
    outbox_.clear();
  }
  Call(events_.closed, Annotate(reason, absl::StrCat("teacher server ", options_.address)));
}

}  // namespace distill
