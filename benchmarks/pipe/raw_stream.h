// The yardstick of the wire: a bidirectional gRPC stream of ByteBuffers and nothing
// else, straight on gRPC's reactors. Requests and answers have fixed sizes; each request
// is answered by one message.
#ifndef BENCHMARKS_PIPE_RAW_STREAM_H_
#define BENCHMARKS_PIPE_RAW_STREAM_H_

#include <grpcpp/channel.h>
#include <grpcpp/generic/async_generic_service.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

#include "absl/status/status.h"

namespace distill {

// What both ends do with each message.
enum class RawWork {
  kNone,
  // What a stream with checksums has to do that hands out whole messages: the sender computes the
  // CRC-32C where the message is kept, the receiver on copying it out of gRPC's slices.
  kLeast,
  // The sender copies it and computes its CRC-32C, and then the receiver does.
  kMatched,
};

struct RawStreamOptions {
  size_t request_bytes = 0;
  size_t answer_bytes = 0;
  // Unanswered requests of one stream.
  int window = 1;
  RawWork work = RawWork::kNone;
};

// Answers every method. `options` as the client's.
std::unique_ptr<grpc::CallbackGenericService> MakeRawService(const RawStreamOptions& options);

// Keeps `window` requests under way on one stream over `channel` until `requests` are
// answered, then ends it. Blocks. Thread-safe.
absl::Status RunRawStream(const std::shared_ptr<grpc::Channel>& channel,
                          const RawStreamOptions& options, int64_t requests);

}  // namespace distill

#endif  // BENCHMARKS_PIPE_RAW_STREAM_H_
