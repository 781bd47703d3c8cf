// The rendezvous of a world: a small blocking key-value store that outlives any
// rank. The worker hands in the coordinator's client, scoped to one (run,
// generation); tests hand in FakeKeyValueStore.
#ifndef STUDENT_WORKER_COLLECTIVES_KEY_VALUE_STORE_H_
#define STUDENT_WORKER_COLLECTIVES_KEY_VALUE_STORE_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"

namespace distill {

// Thread-safe. Every call may block, so none is made under a lock. Besides what
// is listed, each returns ABORTED once the generation has ended (leave the
// world) and UNAVAILABLE when the store is out of reach (same answer).
class KeyValueStore {
 public:
  virtual ~KeyValueStore() = default;

  virtual absl::Status Set(const std::string& key, const std::string& value) = 0;

  // The values of all keys, once each is there; DEADLINE_EXCEEDED after `timeout`.
  virtual absl::StatusOr<std::vector<std::string>> Get(const std::vector<std::string>& keys,
                                                       absl::Duration timeout) = 0;

  // Adds to an integer value, 0 at first, and returns the sum. Not idempotent.
  virtual absl::StatusOr<int64_t> Add(const std::string& key, int64_t amount) = 0;
};

}  // namespace distill

#endif  // STUDENT_WORKER_COLLECTIVES_KEY_VALUE_STORE_H_
