// Messages that end in one large `bytes` field, read and written without protobuf
// touching that field: it is copied once when read and never when written. On the wire
// they are ordinary protobuf messages, which any client can parse.
#ifndef COMMON_RPC_FRAMING_H_
#define COMMON_RPC_FRAMING_H_

#include <google/protobuf/message.h>
#include <google/protobuf/message_lite.h>
#include <grpcpp/support/byte_buffer.h>
#include <grpcpp/support/slice.h>

#include <cstddef>
#include <cstdlib>
#include <memory>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace distill {

inline constexpr size_t kPayloadAlignment = 64;

// Owned bytes whose start is a multiple of kPayloadAlignment; null when empty.
class AlignedBytes {
 public:
  AlignedBytes() = default;
  explicit AlignedBytes(size_t size);  // Uninitialised.

  char* data() { return data_.get(); }
  const char* data() const { return data_.get(); }
  size_t size() const { return size_; }
  std::string_view view() const { return {data_.get(), size_}; }

 private:
  struct Free {
    void operator()(char* data) const { std::free(data); }
  };
  std::unique_ptr<char, Free> data_;
  size_t size_ = 0;
};

struct FrameLimits {
  size_t max_head_bytes = 1 << 20;
  size_t max_payload_bytes = 8 << 20;
};

// Parses all fields but number `payload_field` into `head` (cleared first) and returns
// that field's bytes; empty when it is absent. `head` keeps the field empty. Sizes are
// checked against the limits and the bytes at hand before memory is taken.
// INVALID_ARGUMENT: truncated, malformed, or something follows the payload (a second
//   payload too): refuse the message. `head` is then unspecified.
// RESOURCE_EXHAUSTED: larger than a limit: the sender must send smaller parts.
absl::StatusOr<AlignedBytes> ParseFrame(const grpc::ByteBuffer& frame, int payload_field,
                                        const FrameLimits& limits,
                                        google::protobuf::MessageLite* head);

// A slice of `bytes`, which stay alive as long as `owner` does; the slice (and gRPC,
// until the bytes are sent) holds `owner`.
grpc::Slice OwnedSlice(std::string_view bytes, std::shared_ptr<const void> owner);

// The message `head` followed by field `payload_field`, which is the slices joined.
// The field must be empty in `head`: INVALID_ARGUMENT otherwise. Joined slices above
// 2^31 - 1 bytes: RESOURCE_EXHAUSTED. No slices, or empty ones: the field is absent.
absl::StatusOr<grpc::ByteBuffer> BuildFrame(const google::protobuf::Message& head,
                                            int payload_field,
                                            const std::vector<grpc::Slice>& payload);

}  // namespace distill

#endif  // COMMON_RPC_FRAMING_H_
