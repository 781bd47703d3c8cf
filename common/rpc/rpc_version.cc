#include "common/rpc/rpc_version.h"

#include <grpcpp/grpcpp.h>

namespace distill {

std::string RpcVersion() { return grpc::Version(); }

}  // namespace distill
