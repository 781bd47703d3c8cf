// Calls to the coordinator, each with a deadline; repeated where the contract allows.
#ifndef COORDINATOR_CLIENT_COORDINATOR_CLIENT_H_
#define COORDINATOR_CLIENT_COORDINATOR_CLIENT_H_

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "common/rpc/retry.h"
#include "common/rpc/transport.h"
#include "coordinator/client/run_calls.h"
#include "proto/coordinator.pb.h"

namespace distill {

struct CoordinatorClientOptions {
  std::string coordinator;
  TransportOptions transport;
  RetryPolicy retry;
};

// Thread-safe; calls block. Codes beside those of proto/coordinator.proto: UNAVAILABLE
// when the coordinator stays out of reach for the retry budget.
class CoordinatorClient final : public RunCalls {
 public:
  // Errors as ValidateTransport. Connects at the first call.
  static absl::StatusOr<std::unique_ptr<CoordinatorClient>> Create(
      const CoordinatorClientOptions& options, RetryTools tools);
  ~CoordinatorClient() override;

  absl::StatusOr<std::string> SubmitPlan(const v1::SubmitPlanRequest& request);
  absl::StatusOr<v1::PlanStatus> GetPlan();
  absl::StatusOr<v1::ScheduleVersion> UpdateSchedule(const v1::UpdateScheduleRequest& request);
  absl::Status StopPlan(const std::string& idempotency_key, const std::string& reason);
  // Takes a new key for each resumption that is asked for.
  absl::Status ResumePlan(const std::string& idempotency_key);

  absl::StatusOr<v1::CommitCheckpointResponse> CommitCheckpoint(
      const v1::CommitCheckpointRequest& request) override;
  absl::Status FinishRun(const v1::FinishRunRequest& request) override;
  absl::Status FailRun(const v1::FailRunRequest& request) override;

  // The rendezvous. Get waits up to `timeout`; Get and Add are not repeated.
  absl::Status StoreSet(const v1::StoreScope& scope, const std::string& key,
                        const std::string& value) override;
  absl::StatusOr<std::vector<std::string>> StoreGet(const v1::StoreScope& scope,
                                                    const std::vector<std::string>& keys,
                                                    absl::Duration timeout) override;
  absl::StatusOr<int64_t> StoreAdd(const v1::StoreScope& scope, const std::string& key,
                                   int64_t amount) override;

 private:
  class Stubs;
  CoordinatorClient(const CoordinatorClientOptions& options, RetryTools tools,
                    std::unique_ptr<Stubs> stubs);

  absl::Status OutOfReach(const absl::Status& status) const;
  template <typename Stub, typename Request, typename Response, typename Method>
  absl::Status Call(Stub& stub, Method method, const Request& request, Response* response);

  const CoordinatorClientOptions options_;
  const RetryTools tools_;
  const std::unique_ptr<Stubs> stubs_;
};

}  // namespace distill

#endif  // COORDINATOR_CLIENT_COORDINATOR_CLIENT_H_
