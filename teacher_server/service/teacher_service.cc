#include "teacher_server/service/teacher_service.h"

#include <atomic>
#include <memory>
#include <optional>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "common/rpc/framing.h"
#include "common/rpc/server_stream.h"
#include "common/rpc/transport.h"
#include "common/status/annotate.h"

namespace distill {
namespace {

using Stream = ServerStream<grpc::ByteBuffer, grpc::ByteBuffer>;

class LabelCall final : public Stream, public FrameSink {
 public:
  explicit LabelCall(LabelServer* server) : Stream(kMaxUnhandled), server_(server) {}

  grpc::ServerBidiReactor<grpc::ByteBuffer, grpc::ByteBuffer>* Start(PeerIdentity peer) {
    grpc::ServerBidiReactor<grpc::ByteBuffer, grpc::ByteBuffer>* reactor = Begin();
    id_ =
        server_->Connect(std::move(peer), std::static_pointer_cast<LabelCall>(shared_from_this()));
    // What came before the id was known.
    Wake();
    return reactor;
  }

  void Wake() override { Stream::Wake(); }
  void End(const absl::Status& status) override { Stream::End(status); }
  void Handled() override { Stream::Handled(); }

 private:
  // All streams together then leave half of the control queue free, so that none of
  // them ends for another's haste.
  static constexpr int kMaxUnhandled = 8;

  void OnMessage(grpc::ByteBuffer message) override {
    const size_t size = message.Length();
    if (size > TeacherServiceImpl::kMaxRequestBytes) {
      End(absl::ResourceExhaustedError(absl::StrCat("a request of ", size, " bytes, at most ",
                                                    TeacherServiceImpl::kMaxRequestBytes,
                                                    " are read; ask for fewer examples")));
      return;
    }
    FrameLimits limits;
    limits.max_head_bytes = limits.max_payload_bytes = TeacherServiceImpl::kMaxRequestBytes;
    v1::LabelRequest request;
    absl::StatusOr<ByteSlices> payload =
        SplitFrame(message, v1::LabelRequest::kPayloadFieldNumber, limits, &request);
    if (!payload.ok()) {
      End(Annotate(payload.status(), "a message that is not a LabelRequest"));
      return;
    }
    server_->OnMessage(id_, std::move(request), *std::move(payload));
  }

  std::optional<grpc::ByteBuffer> NextToWrite() override {
    const std::optional<LabelFrame> frame = server_->NextFrame(id_);
    if (!frame.has_value()) return std::nullopt;
    auto buffer = BuildFrame(frame->head, v1::LabelResponse::kPayloadFieldNumber, frame->payload);
    if (buffer.ok()) return *std::move(buffer);
    End(buffer.status());
    return std::nullopt;
  }

  void OnPeerDone() override { End(absl::OkStatus()); }
  void OnEnded() override { server_->Lost(id_); }

  LabelServer* const server_;
  // 0 until connected.
  std::atomic<uint64_t> id_{0};
};

}  // namespace

grpc::ServerBidiReactor<grpc::ByteBuffer, grpc::ByteBuffer>* TeacherServiceImpl::Label(
    grpc::CallbackServerContext* context) {
  return std::make_shared<LabelCall>(server_)->Start(PeerOf(*context));
}

}  // namespace distill
