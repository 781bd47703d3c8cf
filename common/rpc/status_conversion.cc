#include "common/rpc/status_conversion.h"

#include <string>

namespace distill {

// The numbers of the codes are the same on both sides (0 to 16), by their standard.
grpc::Status ToGrpcStatus(const absl::Status& status) {
  if (status.ok()) return grpc::Status::OK;
  return grpc::Status(static_cast<grpc::StatusCode>(static_cast<int>(status.code())),
                      std::string(status.message()));
}

absl::Status FromGrpcStatus(const grpc::Status& status) {
  if (status.ok()) return absl::OkStatus();
  const int code = status.error_code();
  if (code < 0 || code > 16) return absl::UnknownError(status.error_message());
  if (code == grpc::StatusCode::UNKNOWN &&
      status.error_message().find("Stream removed") != std::string::npos) {
    return absl::UnavailableError("connection lost during the call (" + status.error_message() +
                                  "); retry");
  }
  return absl::Status(static_cast<absl::StatusCode>(code), status.error_message());
}

}  // namespace distill
