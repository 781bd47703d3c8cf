// Which gRPC this program runs with.
#ifndef COMMON_RPC_RPC_VERSION_H_
#define COMMON_RPC_RPC_VERSION_H_

#include <string>

namespace distill {

// Of the library that is loaded, "1.51.1".
std::string RpcVersion();

}  // namespace distill

#endif  // COMMON_RPC_RPC_VERSION_H_
