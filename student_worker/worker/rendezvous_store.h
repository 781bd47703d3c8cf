// The coordinator's rendezvous of one world as the store that collectives meet in.
#ifndef STUDENT_WORKER_WORKER_RENDEZVOUS_STORE_H_
#define STUDENT_WORKER_WORKER_RENDEZVOUS_STORE_H_

#include <string>
#include <vector>

#include "coordinator/client/run_calls.h"
#include "proto/coordinator.pb.h"
#include "student_worker/collectives/key_value_store.h"

namespace distill {

// Thread-safe. Does not own the coordinator.
class RendezvousStore final : public KeyValueStore {
 public:
  RendezvousStore(RunCalls* coordinator, const v1::World& world) : coordinator_(coordinator) {
    scope_.set_run_id(world.run_id());
    scope_.set_generation(world.generation());
  }

  absl::Status Set(const std::string& key, const std::string& value) override {
    return coordinator_->StoreSet(scope_, key, value);
  }
  absl::StatusOr<std::vector<std::string>> Get(const std::vector<std::string>& keys,
                                               absl::Duration timeout) override {
    return coordinator_->StoreGet(scope_, keys, timeout);
  }
  absl::StatusOr<int64_t> Add(const std::string& key, int64_t amount) override {
    return coordinator_->StoreAdd(scope_, key, amount);
  }

 private:
  RunCalls* const coordinator_;
  v1::StoreScope scope_;
};

}  // namespace distill

#endif  // STUDENT_WORKER_WORKER_RENDEZVOUS_STORE_H_
