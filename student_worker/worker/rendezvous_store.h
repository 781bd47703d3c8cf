// The coordinator's rendezvous of one world as the store that collectives meet in.
#ifndef STUDENT_WORKER_WORKER_RENDEZVOUS_STORE_H_
#define STUDENT_WORKER_WORKER_RENDEZVOUS_STORE_H_

#include <string>
#include <vector>

#include "coordinator/client/coordinator_client.h"
#include "proto/coordinator.pb.h"
#include "student_worker/collectives/key_value_store.h"

namespace distill {

// Thread-safe. Does not own the client.
class RendezvousStore final : public KeyValueStore {
 public:
  RendezvousStore(CoordinatorClient* client, const v1::World& world) : client_(client) {
    scope_.set_run_id(world.run_id());
    scope_.set_generation(world.generation());
  }

  absl::Status Set(const std::string& key, const std::string& value) override {
    return client_->StoreSet(scope_, key, value);
  }
  absl::StatusOr<std::vector<std::string>> Get(const std::vector<std::string>& keys,
                                               absl::Duration timeout) override {
    return client_->StoreGet(scope_, keys, timeout);
  }
  absl::StatusOr<int64_t> Add(const std::string& key, int64_t amount) override {
    return client_->StoreAdd(scope_, key, amount);
  }

 private:
  CoordinatorClient* const client_;
  v1::StoreScope scope_;
};

}  // namespace distill

#endif  // STUDENT_WORKER_WORKER_RENDEZVOUS_STORE_H_
