// CoordinatorService and AdminService over gRPC: converts and forwards to the driver.
#ifndef COORDINATOR_SERVICE_COORDINATOR_SERVICE_H_
#define COORDINATOR_SERVICE_COORDINATOR_SERVICE_H_

#include <atomic>
#include <cstdint>

#include "coordinator/service/decisions/rendezvous.h"
#include "coordinator/service/driver.h"
#include "proto/admin.grpc.pb.h"
#include "proto/coordinator.grpc.pb.h"

namespace distill {

// Thread-safe. Driver and rendezvous outlive it. Semantics: proto/coordinator.proto.
class CoordinatorServiceImpl final : public v1::CoordinatorService::CallbackService {
 public:
  CoordinatorServiceImpl(Driver* driver, Rendezvous* rendezvous)
      : driver_(driver), rendezvous_(rendezvous) {}

  grpc::ServerBidiReactor<v1::AttendReport, v1::Directive>* Attend(
      grpc::CallbackServerContext* context) override;
  grpc::ServerUnaryReactor* SubmitPlan(grpc::CallbackServerContext* context,
                                       const v1::SubmitPlanRequest* request,
                                       v1::SubmitPlanResponse* response) override;
  grpc::ServerUnaryReactor* GetPlan(grpc::CallbackServerContext* context,
                                    const v1::GetPlanRequest* request,
                                    v1::PlanStatus* response) override;
  grpc::ServerWriteReactor<v1::PlanStatus>* WatchPlan(grpc::CallbackServerContext* context,
                                                      const v1::GetPlanRequest* request) override;
  grpc::ServerUnaryReactor* UpdateSchedule(grpc::CallbackServerContext* context,
                                           const v1::UpdateScheduleRequest* request,
                                           v1::UpdateScheduleResponse* response) override;
  grpc::ServerUnaryReactor* CommitCheckpoint(grpc::CallbackServerContext* context,
                                             const v1::CommitCheckpointRequest* request,
                                             v1::CommitCheckpointResponse* response) override;
  grpc::ServerUnaryReactor* FinishRun(grpc::CallbackServerContext* context,
                                      const v1::FinishRunRequest* request,
                                      v1::FinishRunResponse* response) override;
  grpc::ServerUnaryReactor* FailRun(grpc::CallbackServerContext* context,
                                    const v1::FailRunRequest* request,
                                    v1::FailRunResponse* response) override;
  grpc::ServerUnaryReactor* StoreSet(grpc::CallbackServerContext* context,
                                     const v1::StoreSetRequest* request,
                                     v1::StoreSetResponse* response) override;
  grpc::ServerUnaryReactor* StoreGet(grpc::CallbackServerContext* context,
                                     const v1::StoreGetRequest* request,
                                     v1::StoreGetResponse* response) override;
  grpc::ServerUnaryReactor* StoreAdd(grpc::CallbackServerContext* context,
                                     const v1::StoreAddRequest* request,
                                     v1::StoreAddResponse* response) override;

 private:
  Driver* const driver_;
  Rendezvous* const rendezvous_;
  std::atomic<uint64_t> last_session_{0};
};

class AdminServiceImpl final : public v1::AdminService::CallbackService {
 public:
  explicit AdminServiceImpl(Driver* driver) : driver_(driver) {}
  grpc::ServerUnaryReactor* StopPlan(grpc::CallbackServerContext* context,
                                     const v1::StopPlanRequest* request,
                                     v1::StopPlanResponse* response) override;
  grpc::ServerUnaryReactor* ResumePlan(grpc::CallbackServerContext* context,
                                       const v1::ResumePlanRequest* request,
                                       v1::ResumePlanResponse* response) override;

 private:
  Driver* const driver_;
};

}  // namespace distill

#endif  // COORDINATOR_SERVICE_COORDINATOR_SERVICE_H_
