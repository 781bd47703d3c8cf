// Collectives over c10d's Gloo backend: TCP between the hosts of a world.
//
// The traffic between ranks is neither authenticated nor encrypted; keep it on a
// private network.
#ifndef STUDENT_WORKER_COLLECTIVES_GLOO_COLLECTIVES_H_
#define STUDENT_WORKER_COLLECTIVES_GLOO_COLLECTIVES_H_

#include <cstdint>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "student_worker/collectives/interface.h"
#include "student_worker/collectives/key_value_store.h"

namespace distill {

struct GlooOptions {
  int rank = 0;
  int size = 1;
  // Address of this host that the other ranks can reach.
  std::string bind_host = "127.0.0.1";
  // Bound on the rendezvous and on every collective.
  absl::Duration timeout = absl::Seconds(60);
  // Gradient buckets are at most this large, so that reduction overlaps backward.
  int64_t bucket_bytes = int64_t{4} << 20;
};

// Meets the other ranks through `store`, which must outlive the result, and
// connects to all of them. INVALID_ARGUMENT for a rank outside [0, size),
// UNAVAILABLE when a rank does not come within the timeout.
absl::StatusOr<std::unique_ptr<Collectives>> ConnectGloo(const GlooOptions& options,
                                                         KeyValueStore* store);

}  // namespace distill

#endif  // STUDENT_WORKER_COLLECTIVES_GLOO_COLLECTIVES_H_
