// The key-value store through which the ranks of a world find one another, scoped
// by (run, generation). In memory only: it is dropped with the world.
//
// Thread-safe. Callbacks run on the thread that answered them, without a lock.
#ifndef COORDINATOR_SERVICE_DECISIONS_RENDEZVOUS_H_
#define COORDINATOR_SERVICE_DECISIONS_RENDEZVOUS_H_

#include <cstdint>
#include <functional>
#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"

namespace distill {

class Rendezvous {
 public:
  // (run id, generation)
  using Scope = std::pair<std::string, uint64_t>;
  using Values = absl::StatusOr<std::vector<std::string>>;
  using Done = std::function<void(Values)>;

  // Per scope. Beyond them: RESOURCE_EXHAUSTED.
  static constexpr size_t kMaxBytes = size_t{16} << 20;
  static constexpr size_t kMaxWaiters = 4096;

  // The worlds that exist now. Waiters of the others get ABORTED.
  void SetWorlds(const std::set<Scope>& worlds) ABSL_LOCKS_EXCLUDED(mu_);

  // ABORTED in all three: the world is not there (any more): leave the run.
  absl::Status Set(const Scope& scope, const std::string& key, std::string value)
      ABSL_LOCKS_EXCLUDED(mu_);
  // The value is kept as decimal text, as c10d's stores do. INVALID_ARGUMENT: the
  // key holds something else.
  absl::StatusOr<int64_t> Add(const Scope& scope, const std::string& key, int64_t amount)
      ABSL_LOCKS_EXCLUDED(mu_);
  // Calls `done` exactly once: with the values in the order of `keys` when all are
  // there, or a failure. Returns a number for Cancel; 0 when already answered.
  uint64_t Get(const Scope& scope, std::vector<std::string> keys, Done done)
      ABSL_LOCKS_EXCLUDED(mu_);
  // The caller's deadline passed or it went away: DEADLINE_EXCEEDED to `done`,
  // unless it was called before.
  void Cancel(uint64_t waiter) ABSL_LOCKS_EXCLUDED(mu_);

 private:
  struct Waiter {
    std::vector<std::string> keys;
    Done done;
  };
  struct World {
    std::map<std::string, std::string> values;
    size_t bytes = 0;
    std::map<uint64_t, Waiter> waiters;
  };
  using Answers = std::vector<std::pair<Done, Values>>;

  absl::StatusOr<World*> Find(const Scope& scope) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  static absl::Status Store(World& world, const std::string& key, std::string value);
  static bool Lookup(const World& world, const std::vector<std::string>& keys,
                     std::vector<std::string>& values);
  static void Collect(World& world, Answers& answers);

  absl::Mutex mu_;
  std::map<Scope, World> worlds_ ABSL_GUARDED_BY(mu_);
  uint64_t last_waiter_ ABSL_GUARDED_BY(mu_) = 0;
};

}  // namespace distill

#endif  // COORDINATOR_SERVICE_DECISIONS_RENDEZVOUS_H_
