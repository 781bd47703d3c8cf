// An in-memory KeyValueStore whose generation a test can end.
#ifndef STUDENT_WORKER_COLLECTIVES_FAKE_KEY_VALUE_STORE_H_
#define STUDENT_WORKER_COLLECTIVES_FAKE_KEY_VALUE_STORE_H_

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "student_worker/collectives/key_value_store.h"

namespace distill {

// Thread-safe.
class FakeKeyValueStore final : public KeyValueStore {
 public:
  absl::Status Set(const std::string& key, const std::string& value) override;
  absl::StatusOr<std::vector<std::string>> Get(const std::vector<std::string>& keys,
                                               absl::Duration timeout) override;
  absl::StatusOr<int64_t> Add(const std::string& key, int64_t amount) override;

  // Every call, those that wait included, returns ABORTED from now on.
  void EndGeneration();

 private:
  absl::Mutex mu_;
  std::map<std::string, std::string> values_ ABSL_GUARDED_BY(mu_);
  bool ended_ ABSL_GUARDED_BY(mu_) = false;
};

}  // namespace distill

#endif  // STUDENT_WORKER_COLLECTIVES_FAKE_KEY_VALUE_STORE_H_
