// Messages that end in one large `bytes` field, read and written without protobuf
// touching that field, and without a copy. On the wire they are ordinary protobuf
// messages, which any client can parse.
#ifndef COMMON_RPC_FRAMING_H_
#define COMMON_RPC_FRAMING_H_

#include <google/protobuf/message.h>
#include <google/protobuf/message_lite.h>
#include <grpcpp/support/byte_buffer.h>
#include <grpcpp/support/slice.h>

#include <cstddef>
#include <memory>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "common/bytes/byte_slices.h"

namespace distill {

struct FrameLimits {
  size_t max_head_bytes = 1 << 20;
  size_t max_payload_bytes = 8 << 20;
};

// Parses all fields but number `payload_field` into `head` (cleared first) and returns
// that field's bytes where they lie, without a copy; empty when it is absent. `head` keeps
// the field empty. Sizes are checked against the limits and the bytes at hand.
// INVALID_ARGUMENT: truncated, malformed, or something follows the payload (a second
//   payload too): refuse the message. `head` is then unspecified.
// RESOURCE_EXHAUSTED: larger than a limit: the sender must send smaller parts.
absl::StatusOr<ByteSlices> SplitFrame(const grpc::ByteBuffer& frame, int payload_field,
                                      const FrameLimits& limits,
                                      google::protobuf::MessageLite* head);

// A slice of `bytes`, which stay alive as long as `owner` does; the slice (and gRPC,
// until the bytes are sent) holds `owner`.
grpc::Slice OwnedSlice(std::string_view bytes, std::shared_ptr<const void> owner);

// The message `head` followed by field `payload_field`, which is the slices joined; they
// are not copied, and gRPC holds their owner until they are sent.
// The field must be empty in `head`: INVALID_ARGUMENT otherwise. Joined slices above
// 2^31 - 1 bytes: RESOURCE_EXHAUSTED. No slices, or empty ones: the field is absent.
absl::StatusOr<grpc::ByteBuffer> BuildFrame(const google::protobuf::Message& head,
                                            int payload_field, const ByteSlices& payload);

}  // namespace distill

#endif  // COMMON_RPC_FRAMING_H_
