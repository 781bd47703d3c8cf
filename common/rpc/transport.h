// How processes reach one another: addresses, limits, keepalive, who the peer is.
#ifndef COMMON_RPC_TRANSPORT_H_
#define COMMON_RPC_TRANSPORT_H_

#include <grpcpp/channel.h>
#include <grpcpp/server_context.h>
#include <grpcpp/support/channel_arguments.h>

#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "common/rpc/peer_identity.h"

namespace distill {

// Paths of PEM files. Not supported yet: a non-empty field is UNIMPLEMENTED, so that
// nobody believes a plaintext link to be encrypted.
struct TlsFiles {
  std::string certificate;
  std::string private_key;
  std::string root_certificates;
};

// One value for both ends: a client that pings more often than its server allows is
// disconnected ("too_many_pings").
struct TransportOptions {
  bool allow_plaintext_off_loopback = false;  // Anybody on that network may then call.
  TlsFiles tls;
  absl::Duration keepalive_interval = absl::Seconds(30);  // At least 1 s.
  absl::Duration keepalive_timeout = absl::Seconds(10);   // Silence after a ping; then closed.
  int max_receive_bytes = 16 << 20;                       // One message; at least 1.
};

// "127.0.0.1:80", "[::1]:80", "localhost:80" and "unix:..."; a name that merely looks
// like one ("127.0.0.1.example.org") is not.
bool IsLoopback(const std::string& address);

// INVALID_ARGUMENT: a value out of range. UNIMPLEMENTED: TLS asked for.
// FAILED_PRECONDITION: plaintext to or from an address off this machine, not allowed.
absl::Status ValidateTransport(const TransportOptions& options, const std::string& address);

// The keepalive settings; `server` adds those with which a server accepts the pings.
void SetKeepalive(const TransportOptions& options, bool server, grpc::ChannelArguments* arguments);

// A channel of its own connection; connects on first use. Errors as ValidateTransport.
absl::StatusOr<std::shared_ptr<grpc::Channel>> CreateChannel(const TransportOptions& options,
                                                             const std::string& address);

PeerIdentity PeerOf(const grpc::ServerContextBase& context);

}  // namespace distill

#endif  // COMMON_RPC_TRANSPORT_H_
