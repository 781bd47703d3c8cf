#include "common/rpc/status_conversion.h"

#include <optional>
#include <string>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "common/status/error_id.h"

namespace distill {
namespace {

constexpr char kNotConnected[] = "failed to connect to all addresses";

// What it says of a failed connection, by the words that name its cause.
constexpr std::pair<const char*, const char*> kCauses[] = {
    {"Connection refused", "no connection: nothing listens there, or a firewall is between"},
    {"Failed parsing HTTP/2", "no connection: what listens there is no such server"},
};

// What gRPC itself says, which no peer made a sentence of, and what it means.
constexpr std::pair<const char*, const char*> kPlainWords[] = {
    {kNotConnected, "no connection"},
    {"DNS resolution failed", "the name of the host has no address"},
    {"Received http2 header with status", "what listens there is no such server"},
    {"Deadline Exceeded", "no answer in time"},
    {"Socket closed", "the connection was closed by the other side"},
    {"Connection reset by peer", "the connection was cut by the other side"},
    {"recvmsg:Connection reset by peer", "the connection was cut by the other side"},
    {"GOAWAY received", "the other side closes its connections; retry"},
    {"keepalive watchdog timeout", "the other side has gone silent; the connection was given up"},
    {"Received message larger than max", "a message is larger than this side takes in"},
};

// Of a text that begins as gRPC's own do: one that quotes them is a peer's sentence. What more it
// says stands in parentheses.
std::optional<std::string> InPlainWords(const std::string& text) {
  for (const auto& [cause, plain] : kCauses) {
    if (absl::StartsWith(text, kNotConnected) && absl::StrContains(text, cause)) return plain;
  }
  for (const auto& [raw, plain] : kPlainWords) {
    if (text == raw) return plain;
    if (absl::StartsWith(text, raw)) return absl::StrCat(plain, " (", text, ")");
  }
  return std::nullopt;
}

}  // namespace

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
  const absl::StatusCode kind = static_cast<absl::StatusCode>(code);
  const absl::Status told = StatusOfText(kind, status.error_message());
  if (ErrorIdOf(told).has_value()) return told;
  if (absl::IsUnknown(told) && absl::StartsWith(status.error_message(), "Stream removed")) {
    return WithErrorId(absl::UnavailableError("connection lost during the call (" +
                                              status.error_message() + "); retry"),
                       ErrorId::kConnectionLost);
  }
  const std::optional<std::string> plain = InPlainWords(status.error_message());
  return plain.has_value() ? absl::Status(kind, *plain) : told;
}

}  // namespace distill
