// Letting go of gRPC's objects where that is safe.
#ifndef COMMON_RPC_DEFERRED_RELEASE_H_
#define COMMON_RPC_DEFERRED_RELEASE_H_

#include <memory>

namespace distill {

// Drops `object` on a thread of our own, soon. Thread-safe.
//
// A stream's end is told on a thread of gRPC's, and the stream's context may hold the
// last pointer to its channel. gRPC 1.51 stops those threads with the last channel or
// server that used them, and joins them: on one of them, that is a crash ("assertion
// failed: prior > 0").
void ReleaseLater(std::shared_ptr<const void> object);

}  // namespace distill

#endif  // COMMON_RPC_DEFERRED_RELEASE_H_
