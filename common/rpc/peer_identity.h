// Who calls, as handlers and the decisions behind them are told. Without gRPC.
#ifndef COMMON_RPC_PEER_IDENTITY_H_
#define COMMON_RPC_PEER_IDENTITY_H_

#include <string>

namespace distill {

// A value. `role` is empty on plaintext: the peer has proved nothing, and `address` is
// for messages to people only.
struct PeerIdentity {
  std::string address;  // As gRPC writes it, for example "ipv4:127.0.0.1:40000".
  std::string role;
};

}  // namespace distill

#endif  // COMMON_RPC_PEER_IDENTITY_H_
