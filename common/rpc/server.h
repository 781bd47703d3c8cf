// A gRPC server: its services, grpc.health.v1, and an orderly end.
#ifndef COMMON_RPC_SERVER_H_
#define COMMON_RPC_SERVER_H_

#include <grpcpp/impl/codegen/service_type.h>
#include <grpcpp/server.h>

#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "common/rpc/transport.h"

namespace distill {

struct ServerOptions {
  // "127.0.0.1:0": port 0 is any free one.
  std::string listen;
  TransportOptions transport;
  // Must outlive the server.
  std::vector<grpc::Service*> services;
};

// Thread-safe.
class RpcServer {
 public:
  // Serves when it returns; health says NOT_SERVING until SetServing. ALREADY_EXISTS: the
  // address is taken or not of this machine: choose another --listen. Else as
  // ValidateTransport.
  static absl::StatusOr<std::unique_ptr<RpcServer>> Start(const ServerOptions& options);
  // Shutdown without grace.
  ~RpcServer();

  // The host of `listen` with the port that is bound.
  const std::string& address() const { return address_; }

  // What grpc.health.v1 answers.
  void SetServing(bool serving);

  // Takes no new calls, waits `grace` for those in flight, then cancels them.
  void Shutdown(absl::Duration grace);

 private:
  RpcServer(std::unique_ptr<grpc::Server> server, std::string address);

  const std::unique_ptr<grpc::Server> server_;
  const std::string address_;
};

}  // namespace distill

#endif  // COMMON_RPC_SERVER_H_
