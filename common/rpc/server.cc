#include "common/rpc/server.h"

#include <grpc/impl/codegen/grpc_types.h>
#include <grpc/support/log.h>
#include <grpcpp/health_check_service_interface.h>
#include <grpcpp/security/server_credentials.h>
#include <grpcpp/server_builder.h>

#include <chrono>
#include <cstdlib>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "common/status/error_id.h"
#include "common/status/status_macros.h"

namespace distill {
namespace {

// Sets what TransportOptions says for all connections of a server.
class TransportOption final : public grpc::ServerBuilderOption {
 public:
  explicit TransportOption(const TransportOptions& options) : options_(options) {}
  void UpdateArguments(grpc::ChannelArguments* arguments) override {
    SetKeepalive(options_, /*server=*/true, arguments);
    // Without this two servers share a port and each gets a part of the calls.
    arguments->SetInt(GRPC_ARG_ALLOW_REUSEPORT, 0);
  }
  void UpdatePlugins(std::vector<std::unique_ptr<grpc::ServerBuilderPlugin>>*) override {}

 private:
  const TransportOptions options_;
};

// It would write a line of its own, of internal words, before the status that says it better.
void SilenceGrpc() {
  if (getenv("GRPC_VERBOSITY") == nullptr) gpr_set_log_function([](gpr_log_func_args*) {});
}

}  // namespace

RpcServer::RpcServer(std::unique_ptr<grpc::Server> server, std::string address)
    : server_(std::move(server)), address_(std::move(address)) {}

RpcServer::~RpcServer() { Shutdown(absl::ZeroDuration()); }

absl::StatusOr<std::unique_ptr<RpcServer>> RpcServer::Start(const ServerOptions& options) {
  const size_t colon = options.listen.rfind(':');
  // gRPC would take a port above 65535 modulo 65536.
  int asked = 0;
  if (colon == std::string::npos || colon == 0 ||
      !absl::SimpleAtoi(options.listen.substr(colon + 1), &asked) || asked < 0 || asked > 65535) {
    return WithErrorId(absl::InvalidArgumentError(absl::StrCat(
                           "cannot listen on '", options.listen,
                           "'; write host:port with a port up to 65535, e.g. 127.0.0.1:0")),
                       ErrorId::kBadAddress);
  }
  RETURN_IF_ERROR(ValidateTransport(options.transport, options.listen));
  SilenceGrpc();
  grpc::EnableDefaultHealthCheckService(true);
  grpc::ServerBuilder builder;
  int port = 0;
  builder.AddListeningPort(options.listen, grpc::InsecureServerCredentials(), &port);
  builder.SetMaxReceiveMessageSize(options.transport.max_receive_bytes);
  builder.SetOption(std::make_unique<TransportOption>(options.transport));
  for (grpc::Service* service : options.services) builder.RegisterService(service);
  std::unique_ptr<grpc::Server> server = builder.BuildAndStart();
  if (server == nullptr || port == 0) {
    return WithErrorId(
        absl::AlreadyExistsError(absl::StrCat(
            "cannot listen on ", options.listen,
            ": the port is in use, or the address is not of this machine; choose another --listen "
            "(port 0 takes any free one)")),
        ErrorId::kPortTaken);
  }
  std::unique_ptr<RpcServer> result(
      new RpcServer(std::move(server), absl::StrCat(options.listen.substr(0, colon), ":", port)));
  result->SetServing(false);
  return result;
}

void RpcServer::SetServing(bool serving) {
  if (auto* health = server_->GetHealthCheckService()) health->SetServingStatus(serving);
}

void RpcServer::Shutdown(absl::Duration grace) {
  const auto deadline = std::chrono::system_clock::now() + absl::ToChronoNanoseconds(grace);
  server_->Shutdown(deadline);
  server_->Wait();
}

}  // namespace distill
