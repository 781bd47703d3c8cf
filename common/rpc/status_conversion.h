// absl::Status to and from grpc::Status: the one place where the two meet.
#ifndef COMMON_RPC_STATUS_CONVERSION_H_
#define COMMON_RPC_STATUS_CONVERSION_H_

#include <grpcpp/support/status.h>

#include "absl/status/status.h"

namespace distill {

// Same code, same message, behind it the error's id ("... [DST-5001]"). The message travels to the
// peer: put no secret into it.
grpc::Status ToGrpcStatus(const absl::Status& status);

// Same code, message and id, with one repair: gRPC 1.51 reports a connection lost under a
// call as UNKNOWN "Stream removed"; the caller should retry, so that is UNAVAILABLE. What gRPC
// itself says ("failed to connect to all addresses") becomes a sentence for people, with what more
// it says behind it; what a peer says is left as it is, also where it quotes such a text.
absl::Status FromGrpcStatus(const grpc::Status& status);

}  // namespace distill

#endif  // COMMON_RPC_STATUS_CONVERSION_H_
