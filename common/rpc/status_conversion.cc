#include "common/rpc/status_conversion.h"

#include <string>
#include <utility>

#include "common/status/error_id.h"

namespace distill {

// What gRPC itself says, which no peer made a sentence of, and what it means.
constexpr std::pair<const char*, const char*> kPlainWords[] = {
    {"failed to connect to all addresses",
     "no connection: nothing listens there, or a firewall is between"},
    {"Deadline Exceeded", "no answer in time"},
    {"Socket closed", "the connection was closed by the other side"},
    {"Connection reset by peer", "the connection was cut by the other side"},
    {"GOAWAY received", "the other side closes its connections; retry"},
    {"keepalive watchdog timeout", "the other side has gone silent; the connection was given up"},
    {"Received message larger than max", "a message is larger than this side takes in"},
};

// The numbers of the codes are the same on both sides (0 to 16), by their standard.
grpc::Status ToGrpcStatus(const absl::Status& status) {
  if (status.ok()) return grpc::Status::OK;
  return grpc::Status(static_cast<grpc::StatusCode>(static_cast<int>(status.code())),
                      MessageWithId(status));
}

absl::Status FromGrpcStatus(const grpc::Status& status) {
  if (status.ok()) return absl::OkStatus();
  const int code = status.error_code();
  if (code < 0 || code > 16) return absl::UnknownError(status.error_message());
  if (code == grpc::StatusCode::UNKNOWN &&
      status.error_message().find("Stream removed") != std::string::npos) {
    return WithErrorId(absl::UnavailableError("connection lost during the call (" +
                                              status.error_message() + "); retry"),
                       ErrorId::kConnectionLost);
  }
  const absl::StatusCode kind = static_cast<absl::StatusCode>(code);
  for (const auto& [raw, plain] : kPlainWords) {
    if (status.error_message().find(raw) != std::string::npos) return absl::Status(kind, plain);
  }
  return StatusOfText(kind, status.error_message());
}

}  // namespace distill
