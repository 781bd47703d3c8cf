#include "coordinator/client/coordinator_client.h"

#include <chrono>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/rpc/status_conversion.h"
#include "common/status/error_id.h"
#include "common/status/status_macros.h"
#include "proto/admin.grpc.pb.h"
#include "proto/coordinator.grpc.pb.h"

namespace distill {

class CoordinatorClient::Stubs {
 public:
  explicit Stubs(const std::shared_ptr<grpc::Channel>& channel)
      : coordinator(v1::CoordinatorService::NewStub(channel)),
        admin(v1::AdminService::NewStub(channel)) {}
  const std::unique_ptr<v1::CoordinatorService::Stub> coordinator;
  const std::unique_ptr<v1::AdminService::Stub> admin;
};

namespace {

using Coordinator = v1::CoordinatorService::Stub;
using Admin = v1::AdminService::Stub;

void SetDeadline(grpc::ClientContext& context, absl::Duration time) {
  context.set_deadline(std::chrono::system_clock::now() + absl::ToChronoNanoseconds(time));
}

}  // namespace

CoordinatorClient::CoordinatorClient(const CoordinatorClientOptions& options, RetryTools tools,
                                     std::unique_ptr<Stubs> stubs)
    : options_(options), tools_(std::move(tools)), stubs_(std::move(stubs)) {}

CoordinatorClient::~CoordinatorClient() = default;

absl::StatusOr<std::unique_ptr<CoordinatorClient>> CoordinatorClient::Create(
    const CoordinatorClientOptions& options, RetryTools tools) {
  ASSIGN_OR_RETURN(const auto channel, CreateChannel(options.transport, options.coordinator));
  return std::unique_ptr<CoordinatorClient>(
      new CoordinatorClient(options, std::move(tools), std::make_unique<Stubs>(channel)));
}

absl::Status CoordinatorClient::OutOfReach(const absl::Status& status) const {
  return WithErrorId(absl::UnavailableError(absl::StrCat(
                         "the coordinator at ", options_.coordinator,
                         " does not answer; is it running? (", std::string(status.message()), ")")),
                     ErrorId::kCoordinatorUnreachable);
}

template <typename Stub, typename Request, typename Response, typename Method>
absl::Status CoordinatorClient::Call(Stub& stub, Method method, const Request& request,
                                     Response* response) {
  const absl::Status status = Retry(options_.retry, tools_, [&](absl::Duration time) {
    grpc::ClientContext context;
    SetDeadline(context, time);
    response->Clear();
    return FromGrpcStatus((stub.*method)(&context, request, response));
  });
  if (!absl::IsUnavailable(status) && !absl::IsDeadlineExceeded(status)) return status;
  return OutOfReach(status);
}

absl::StatusOr<std::string> CoordinatorClient::SubmitPlan(const v1::SubmitPlanRequest& request) {
  v1::SubmitPlanResponse response;
  RETURN_IF_ERROR(Call(*stubs_->coordinator, &Coordinator::SubmitPlan, request, &response));
  return response.plan_id();
}

absl::StatusOr<v1::PlanStatus> CoordinatorClient::GetPlan() {
  v1::PlanStatus status;
  RETURN_IF_ERROR(Call(*stubs_->coordinator, &Coordinator::GetPlan, v1::GetPlanRequest(), &status));
  return status;
}

absl::StatusOr<v1::ScheduleVersion> CoordinatorClient::UpdateSchedule(
    const v1::UpdateScheduleRequest& request) {
  v1::UpdateScheduleResponse response;
  RETURN_IF_ERROR(Call(*stubs_->coordinator, &Coordinator::UpdateSchedule, request, &response));
  return response.version();
}

absl::StatusOr<v1::CommitCheckpointResponse> CoordinatorClient::CommitCheckpoint(
    const v1::CommitCheckpointRequest& request) {
  v1::CommitCheckpointResponse response;
  RETURN_IF_ERROR(Call(*stubs_->coordinator, &Coordinator::CommitCheckpoint, request, &response));
  return response;
}

absl::Status CoordinatorClient::FinishRun(const v1::FinishRunRequest& request) {
  v1::FinishRunResponse response;
  return Call(*stubs_->coordinator, &Coordinator::FinishRun, request, &response);
}

absl::Status CoordinatorClient::FailRun(const v1::FailRunRequest& request) {
  v1::FailRunResponse response;
  return Call(*stubs_->coordinator, &Coordinator::FailRun, request, &response);
}

absl::Status CoordinatorClient::StopPlan(const std::string& idempotency_key,
                                         const std::string& reason) {
  v1::StopPlanRequest request;
  request.set_idempotency_key(idempotency_key);
  request.set_reason(reason);
  v1::StopPlanResponse response;
  return Call(*stubs_->admin, &Admin::StopPlan, request, &response);
}

absl::Status CoordinatorClient::ResumePlan(const std::string& idempotency_key) {
  v1::ResumePlanRequest request;
  request.set_idempotency_key(idempotency_key);
  v1::ResumePlanResponse response;
  return Call(*stubs_->admin, &Admin::ResumePlan, request, &response);
}

absl::Status CoordinatorClient::StoreSet(const v1::StoreScope& scope, const std::string& key,
                                         const std::string& value) {
  v1::StoreSetRequest request;
  *request.mutable_scope() = scope;
  request.set_key(key);
  request.set_value(value);
  v1::StoreSetResponse response;
  return Call(*stubs_->coordinator, &Coordinator::StoreSet, request, &response);
}

absl::StatusOr<std::vector<std::string>> CoordinatorClient::StoreGet(
    const v1::StoreScope& scope, const std::vector<std::string>& keys, absl::Duration timeout) {
  v1::StoreGetRequest request;
  *request.mutable_scope() = scope;
  request.mutable_keys()->Add(keys.begin(), keys.end());
  grpc::ClientContext context;
  SetDeadline(context, timeout);
  v1::StoreGetResponse response;
  const absl::Status status =
      FromGrpcStatus(stubs_->coordinator->StoreGet(&context, request, &response));
  if (absl::IsUnavailable(status)) return OutOfReach(status);
  RETURN_IF_ERROR(status);
  return std::vector<std::string>(response.values().begin(), response.values().end());
}

absl::StatusOr<int64_t> CoordinatorClient::StoreAdd(const v1::StoreScope& scope,
                                                    const std::string& key, int64_t amount) {
  v1::StoreAddRequest request;
  *request.mutable_scope() = scope;
  request.set_key(key);
  request.set_amount(amount);
  grpc::ClientContext context;
  SetDeadline(context, options_.retry.attempt);
  v1::StoreAddResponse response;
  const absl::Status status =
      FromGrpcStatus(stubs_->coordinator->StoreAdd(&context, request, &response));
  if (absl::IsUnavailable(status)) return OutOfReach(status);
  RETURN_IF_ERROR(status);
  return response.value();
}

}  // namespace distill
