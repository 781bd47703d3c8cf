#include "common/rpc/transport.h"

#include <arpa/inet.h>
#include <grpc/grpc.h>
#include <grpcpp/create_channel.h>
#include <grpcpp/security/credentials.h>

#include "absl/strings/str_cat.h"
#include "common/status/error_id.h"
#include "common/status/status_macros.h"

namespace distill {
namespace {

constexpr absl::Duration kMinReconnect = absl::Milliseconds(100);
constexpr absl::Duration kMaxReconnect = absl::Seconds(1);

int Milliseconds(absl::Duration duration) {
  return static_cast<int>(absl::ToInt64Milliseconds(duration));
}

std::string HostOf(const std::string& address) {
  if (!address.empty() && address[0] == '[') {
    const size_t end = address.find(']');
    return end == std::string::npos ? "" : address.substr(1, end - 1);
  }
  return address.substr(0, address.rfind(':'));
}

}  // namespace

bool IsLoopback(const std::string& address) {
  if (address.rfind("unix:", 0) == 0) return true;
  const std::string host = HostOf(address);
  if (host == "localhost") return true;
  in_addr v4;
  if (inet_pton(AF_INET, host.c_str(), &v4) == 1) return (ntohl(v4.s_addr) >> 24) == 127;
  in6_addr v6;
  return inet_pton(AF_INET6, host.c_str(), &v6) == 1 && IN6_IS_ADDR_LOOPBACK(&v6);
}

absl::Status ValidateTransport(const TransportOptions& options, const std::string& address) {
  const TlsFiles& tls = options.tls;
  if (!tls.certificate.empty() || !tls.private_key.empty() || !tls.root_certificates.empty()) {
    return absl::UnimplementedError(
        absl::StrCat("TLS for ", address,
                     ": not supported in this version; remove the TLS files and keep to loopback, "
                     "or put an encrypting proxy in front"));
  }
  if (options.keepalive_interval < absl::Seconds(1) ||
      options.keepalive_interval > absl::Hours(24) ||
      options.keepalive_timeout < absl::Milliseconds(100) ||
      options.keepalive_timeout > absl::Hours(24)) {
    return absl::InvalidArgumentError(
        absl::StrCat("transport for ", address,
                     ": the keepalive interval must be 1 s to 24 h and its timeout 0.1 s to 24 h"));
  }
  if (options.max_receive_bytes < 1) {
    return absl::InvalidArgumentError(absl::StrCat("transport for ", address,
                                                   ": max_receive_bytes must be at least 1, not ",
                                                   options.max_receive_bytes));
  }
  if (!options.allow_plaintext_off_loopback && !IsLoopback(address)) {
    return WithErrorId(
        absl::FailedPreconditionError(
            absl::StrCat("address ", address,
                         " is not a loopback address, and the link is not encrypted; use "
                         "127.0.0.1, or allow it (--allow-plaintext) on a network that you trust")),
        ErrorId::kPlaintextRefused);
  }
  return absl::OkStatus();
}

void SetKeepalive(const TransportOptions& options, bool server, grpc::ChannelArguments* arguments) {
  arguments->SetInt(GRPC_ARG_KEEPALIVE_TIME_MS, Milliseconds(options.keepalive_interval));
  arguments->SetInt(GRPC_ARG_KEEPALIVE_TIMEOUT_MS, Milliseconds(options.keepalive_timeout));
  arguments->SetInt(GRPC_ARG_KEEPALIVE_PERMIT_WITHOUT_CALLS, 1);
  arguments->SetInt(GRPC_ARG_HTTP2_MAX_PINGS_WITHOUT_DATA, 0);
  if (server) {
    // Half of what clients use, so that jitter is never taken for abuse.
    arguments->SetInt(GRPC_ARG_HTTP2_MIN_RECV_PING_INTERVAL_WITHOUT_DATA_MS,
                      Milliseconds(options.keepalive_interval / 2));
  }
}

absl::StatusOr<std::shared_ptr<grpc::Channel>> CreateChannel(const TransportOptions& options,
                                                             const std::string& address) {
  RETURN_IF_ERROR(ValidateTransport(options, address));
  grpc::ChannelArguments arguments;
  SetKeepalive(options, /*server=*/false, &arguments);
  arguments.SetMaxReceiveMessageSize(options.max_receive_bytes);
  // Otherwise channels of one process with equal arguments share a connection.
  arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
  // gRPC's own wait grows to two minutes, longer than anybody goes on calling.
  arguments.SetInt(GRPC_ARG_INITIAL_RECONNECT_BACKOFF_MS, Milliseconds(kMinReconnect));
  arguments.SetInt(GRPC_ARG_MAX_RECONNECT_BACKOFF_MS, Milliseconds(kMaxReconnect));
  return grpc::CreateCustomChannel(address, grpc::InsecureChannelCredentials(), arguments);
}

PeerIdentity PeerOf(const grpc::ServerContextBase& context) { return {context.peer(), ""}; }

}  // namespace distill
