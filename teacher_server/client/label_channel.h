// One Label stream to one teacher server over gRPC: asks out, whole and verified answers in.
#ifndef TEACHER_SERVER_CLIENT_LABEL_CHANNEL_H_
#define TEACHER_SERVER_CLIENT_LABEL_CHANNEL_H_

#include <grpcpp/support/byte_buffer.h>

#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <set>
#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "common/bytes/byte_slices.h"
#include "common/rpc/client_stream.h"
#include "common/rpc/transport.h"
#include "proto/teacher.pb.h"
#include "teacher_server/client/answer_assembler.h"
#include "teacher_server/client/label_calls.h"

namespace distill {

struct LabelChannelOptions {
  std::string address;
  TransportOptions transport;
  // Everything but `credit`.
  v1::Open open;
  // Asks without a terminal answer, and payload bytes on their way; at least 1.
  uint32_t request_credit = 64;
  uint64_t byte_credit = 64 << 20;
  // Of the answers that are incomplete, together; more ends the stream (DATA_LOSS)
  // before memory is taken.
  uint64_t max_answer_bytes = 256 << 20;
};

// Thread-safe. Events may come before Open has returned. Holds itself until `closed` has returned:
// call Close, or dropping the pointer leaves the stream open. Grants credit back by itself, many
// at a time, since a message costs as much as a small answer: the server is granted kSpareRequests
// more than may be asked, so that an ask is within the credit whenever it is made, and the bytes
// come back once a quarter of them is used.
class LabelChannel final : public ClientStream<grpc::ByteBuffer, grpc::ByteBuffer>,
                           public LabelCalls {
 private:
  struct Private {};

 public:
  static constexpr uint32_t kSpareRequests = 32;

  LabelChannel(Private, const LabelChannelOptions& options, LabelChannelEvents events);

  // Starts connecting at once. Errors as ValidateTransport (nothing was started then).
  static absl::StatusOr<std::shared_ptr<LabelChannel>> Open(const LabelChannelOptions& options,
                                                            LabelChannelEvents events);

  void Ask(v1::Ask ask, ByteSlices tensors = {}) override;
  void Cancel(uint64_t request_id) override;
  void Close() override;

 private:
  using Stream = ClientStream<grpc::ByteBuffer, grpc::ByteBuffer>;

  void OnMessage(grpc::ByteBuffer message) override;
  std::optional<grpc::ByteBuffer> NextToWrite() override;
  void OnClosed(const absl::Status& status) override;

  struct Outgoing {
    v1::LabelRequest head;
    ByteSlices payload;
  };

  std::optional<Outgoing> NextOutgoing() ABSL_LOCKS_EXCLUDED(channel_mu_);
  // Enough that granting it is worth a message.
  bool OwesCredit() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(channel_mu_);
  absl::Status Handle(const grpc::ByteBuffer& message);
  absl::Status OnLabels(const v1::Labels& part, const ByteSlices& payload);
  absl::Status OnFailed(const v1::Failed& failed);

  const LabelChannelOptions options_;
  const LabelChannelEvents events_;
  // Of gRPC's reading thread.
  bool opened_ = false;

  absl::Mutex channel_mu_;
  AnswerAssembler answers_ ABSL_GUARDED_BY(channel_mu_);
  // Asks and cancels; the credit allows no more than two for each ask.
  std::deque<Outgoing> outbox_ ABSL_GUARDED_BY(channel_mu_);
  std::set<uint64_t> cancelled_ ABSL_GUARDED_BY(channel_mu_);
  // Free again and not yet granted.
  uint32_t owed_requests_ ABSL_GUARDED_BY(channel_mu_) = 0;
  uint64_t owed_bytes_ ABSL_GUARDED_BY(channel_mu_) = 0;
  bool open_written_ ABSL_GUARDED_BY(channel_mu_) = false;
  // Why this end gave the stream up.
  std::optional<absl::Status> ended_ ABSL_GUARDED_BY(channel_mu_);
};

}  // namespace distill

#endif  // TEACHER_SERVER_CLIENT_LABEL_CHANNEL_H_
