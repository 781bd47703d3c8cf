#include "coordinator/client/plan_watch.h"

#include <thread>
#include <utility>

#include "common/rpc/status_conversion.h"
#include "common/status/status_macros.h"
#include "proto/coordinator.grpc.pb.h"

namespace distill {

class PlanWatch::Impl {
 public:
  Impl(const std::shared_ptr<grpc::Channel>& channel,
       std::function<void(const v1::PlanStatus&)> on_status,
       std::function<void(const absl::Status&)> on_end)
      : stub_(v1::CoordinatorService::NewStub(channel)),
        on_status_(std::move(on_status)),
        on_end_(std::move(on_end)),
        reader_(stub_->WatchPlan(&context_, v1::GetPlanRequest())),
        thread_([this] { Read(); }) {}

  ~Impl() {
    context_.TryCancel();
    thread_.join();
  }

 private:
  void Read() {
    v1::PlanStatus status;
    while (reader_->Read(&status)) on_status_(status);
    on_end_(FromGrpcStatus(reader_->Finish()));
  }

  grpc::ClientContext context_;
  const std::unique_ptr<v1::CoordinatorService::Stub> stub_;
  const std::function<void(const v1::PlanStatus&)> on_status_;
  const std::function<void(const absl::Status&)> on_end_;
  const std::unique_ptr<grpc::ClientReader<v1::PlanStatus>> reader_;
  std::thread thread_;
};

PlanWatch::PlanWatch(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
PlanWatch::~PlanWatch() = default;

absl::StatusOr<std::unique_ptr<PlanWatch>> PlanWatch::Start(
    const std::string& coordinator, const TransportOptions& transport,
    std::function<void(const v1::PlanStatus&)> on_status,
    std::function<void(const absl::Status&)> on_end) {
  ASSIGN_OR_RETURN(const auto channel, CreateChannel(transport, coordinator));
  return std::unique_ptr<PlanWatch>(
      new PlanWatch(std::make_unique<Impl>(channel, std::move(on_status), std::move(on_end))));
}

}  // namespace distill
