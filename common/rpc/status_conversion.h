// absl::Status to and from grpc::Status: the one place where the two meet.
#ifndef COMMON_RPC_STATUS_CONVERSION_H_
#define COMMON_RPC_STATUS_CONVERSION_H_

#include <grpcpp/support/status.h>

#include "absl/status/status.h"

namespace distill {

// Same code, same message. The message travels to the peer: put no secret into it.
grpc::Status ToGrpcStatus(const absl::Status& status);

// Same code and message, with one repair: gRPC 1.51 reports a connection lost under a
// call as UNKNOWN "Stream removed"; the caller should retry, so that is UNAVAILABLE.
absl::Status FromGrpcStatus(const grpc::Status& status);

}  // namespace distill

#endif  // COMMON_RPC_STATUS_CONVERSION_H_
