// What those who train a run ask of the coordinator.
#ifndef COORDINATOR_CLIENT_RUN_CALLS_H_
#define COORDINATOR_CLIENT_RUN_CALLS_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "proto/coordinator.pb.h"

namespace distill {

// Thread-safe; calls block. Codes: proto/coordinator.proto, and UNAVAILABLE when the
// coordinator stays out of reach.
class RunCalls {
 public:
  virtual ~RunCalls() = default;

  virtual absl::StatusOr<v1::CommitCheckpointResponse> CommitCheckpoint(
      const v1::CommitCheckpointRequest& request) = 0;
  virtual absl::Status FinishRun(const v1::FinishRunRequest& request) = 0;
  virtual absl::Status FailRun(const v1::FailRunRequest& request) = 0;

  // The rendezvous. Get waits up to `timeout`; Add is not repeated.
  virtual absl::Status StoreSet(const v1::StoreScope& scope, const std::string& key,
                                const std::string& value) = 0;
  virtual absl::StatusOr<std::vector<std::string>> StoreGet(const v1::StoreScope& scope,
                                                            const std::vector<std::string>& keys,
                                                            absl::Duration timeout) = 0;
  virtual absl::StatusOr<int64_t> StoreAdd(const v1::StoreScope& scope, const std::string& key,
                                           int64_t amount) = 0;
};

}  // namespace distill

#endif  // COORDINATOR_CLIENT_RUN_CALLS_H_
