#include "coordinator/service/coordinator_service.h"

#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/strings/str_cat.h"
#include "absl/synchronization/mutex.h"
#include "common/rpc/status_conversion.h"
#include "common/rpc/transport.h"
#include "coordinator/service/attend_stream.h"

namespace distill {
namespace {

using Context = grpc::CallbackServerContext;

// Answers a call with what `decide` returns on the driver's thread. Request and
// response live until the call is finished.
template <typename Decide>
grpc::ServerUnaryReactor* Answer(Driver* driver, Context* context, Decide decide) {
  grpc::ServerUnaryReactor* reactor = context->DefaultReactor();
  const absl::Status posted =
      driver->Post([reactor, decide = std::move(decide)](Coordinator& coordinator, absl::Time now) {
        reactor->Finish(ToGrpcStatus(decide(coordinator, now)));
      });
  if (!posted.ok()) reactor->Finish(ToGrpcStatus(posted));
  return reactor;
}

grpc::ServerUnaryReactor* AnswerNow(Context* context, const absl::Status& status) {
  grpc::ServerUnaryReactor* reactor = context->DefaultReactor();
  reactor->Finish(ToGrpcStatus(status));
  return reactor;
}

Rendezvous::Scope ScopeOf(const v1::StoreScope& scope) {
  return {scope.run_id(), scope.generation()};
}

// A StoreGet that waits; cancelled with its call, whose deadline gRPC keeps.
class StoreGetReactor final : public grpc::ServerUnaryReactor {
 public:
  static StoreGetReactor* Start(Rendezvous* rendezvous, const v1::StoreGetRequest& request,
                                v1::StoreGetResponse* response) {
    auto waiting = std::make_shared<Waiting>();
    auto* reactor = new StoreGetReactor(rendezvous, waiting);
    std::vector<std::string> keys(request.keys().begin(), request.keys().end());
    const uint64_t waiter = rendezvous->Get(ScopeOf(request.scope()), std::move(keys),
                                            [reactor, response](Rendezvous::Values values) {
                                              if (values.ok()) {
                                                for (std::string& value : *values)
                                                  response->add_values(std::move(value));
                                              }
                                              reactor->Finish(ToGrpcStatus(values.status()));
                                            });
    // From here on the reactor may be gone.
    bool cancelled = false;
    {
      absl::MutexLock lock(&waiting->mu);
      waiting->waiter = waiter;
      cancelled = waiting->cancelled;
    }
    if (cancelled) rendezvous->Cancel(waiter);
    return reactor;
  }

 private:
  struct Waiting {
    absl::Mutex mu;
    uint64_t waiter ABSL_GUARDED_BY(mu) = 0;
    bool cancelled ABSL_GUARDED_BY(mu) = false;
  };

  StoreGetReactor(Rendezvous* rendezvous, std::shared_ptr<Waiting> waiting)
      : rendezvous_(rendezvous), waiting_(std::move(waiting)) {}

  void OnCancel() override {
    uint64_t waiter = 0;
    {
      absl::MutexLock lock(&waiting_->mu);
      waiting_->cancelled = true;
      waiter = waiting_->waiter;
    }
    if (waiter != 0) rendezvous_->Cancel(waiter);
  }
  void OnDone() override { delete this; }

  Rendezvous* const rendezvous_;
  const std::shared_ptr<Waiting> waiting_;
};

// Writes the newest status whenever the former write is done; ends with the plan.
class WatchStream final : public grpc::ServerWriteReactor<v1::PlanStatus> {
 public:
  // What outlives the reactor: the driver's handle on it.
  class Handle final : public PlanWatcher {
   public:
    bool Offer(const v1::PlanStatus& status) override {
      absl::MutexLock lock(&mu_);
      if (stream_ == nullptr) return false;
      newest_ = status;
      if (!writing_) WriteNext();
      return stream_ != nullptr;
    }
    bool Gone() override {
      absl::MutexLock lock(&mu_);
      return stream_ == nullptr;
    }
    // Behind what was offered before, which may be the plan's end.
    void End(const absl::Status& status) override {
      absl::MutexLock lock(&mu_);
      if (writing_) {
        goodbye_ = ToGrpcStatus(status);
      } else if (stream_ != nullptr) {
        std::exchange(stream_, nullptr)->Finish(ToGrpcStatus(status));
      }
    }

   private:
    friend class WatchStream;
    // StartWrite and Finish only hand on to gRPC; they run no reaction inside.
    void WriteNext() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) {
      if (newest_.has_value()) {
        writing_ = true;
        out_ = *std::exchange(newest_, std::nullopt);
        stream_->StartWrite(&out_);
      } else if (out_.state() != v1::PlanStatus::RUNNING && writing_) {
        std::exchange(stream_, nullptr)->Finish(grpc::Status::OK);
      } else if (goodbye_.has_value()) {
        std::exchange(stream_, nullptr)->Finish(*goodbye_);
      } else {
        writing_ = false;
      }
    }
    void Drop(const grpc::Status& status) {
      absl::MutexLock lock(&mu_);
      if (stream_ != nullptr) std::exchange(stream_, nullptr)->Finish(status);
    }

    absl::Mutex mu_;
    WatchStream* stream_ ABSL_GUARDED_BY(mu_) = nullptr;
    bool writing_ ABSL_GUARDED_BY(mu_) = false;
    std::optional<v1::PlanStatus> newest_ ABSL_GUARDED_BY(mu_);
    v1::PlanStatus out_ ABSL_GUARDED_BY(mu_);
    // To be said once nothing is being written.
    std::optional<grpc::Status> goodbye_ ABSL_GUARDED_BY(mu_);
  };

  WatchStream() : handle_(std::make_shared<Handle>()) {
    absl::MutexLock lock(&handle_->mu_);
    handle_->stream_ = this;
  }
  std::shared_ptr<Handle> handle() const { return handle_; }
  void End(const absl::Status& status) { handle_->Drop(ToGrpcStatus(status)); }

 private:
  void OnWriteDone(bool ok) override {
    if (!ok) {
      handle_->Drop(grpc::Status::CANCELLED);
      return;
    }
    absl::MutexLock lock(&handle_->mu_);
    if (handle_->stream_ != nullptr) handle_->WriteNext();
  }
  void OnCancel() override { handle_->Drop(grpc::Status::CANCELLED); }
  void OnDone() override { delete this; }

  const std::shared_ptr<Handle> handle_;
};

}  // namespace

grpc::ServerBidiReactor<v1::AttendReport, v1::Directive>* CoordinatorServiceImpl::Attend(
    Context* context) {
  return std::make_shared<AttendStream>(driver_, PeerOf(*context), ++last_session_)->Begin();
}

grpc::ServerUnaryReactor* CoordinatorServiceImpl::SubmitPlan(Context* context,
                                                             const v1::SubmitPlanRequest* request,
                                                             v1::SubmitPlanResponse* response) {
  return Answer(driver_, context, [=](Coordinator& coordinator, absl::Time now) {
    const absl::StatusOr<std::string> id = coordinator.SubmitPlan(*request, now);
    if (id.ok()) response->set_plan_id(*id);
    return id.status();
  });
}

grpc::ServerUnaryReactor* CoordinatorServiceImpl::GetPlan(Context* context,
                                                          const v1::GetPlanRequest*,
                                                          v1::PlanStatus* response) {
  return Answer(driver_, context, [=](Coordinator& coordinator, absl::Time) {
    absl::StatusOr<v1::PlanStatus> status = coordinator.GetPlan();
    if (status.ok()) *response = std::move(*status);
    return status.status();
  });
}

grpc::ServerWriteReactor<v1::PlanStatus>* CoordinatorServiceImpl::WatchPlan(
    Context*, const v1::GetPlanRequest*) {
  auto* stream = new WatchStream();
  const std::shared_ptr<WatchStream::Handle> handle = stream->handle();
  const absl::Status posted = driver_->Watch(handle);
  if (!posted.ok()) stream->End(posted);
  return stream;
}

grpc::ServerUnaryReactor* CoordinatorServiceImpl::UpdateSchedule(
    Context* context, const v1::UpdateScheduleRequest* request,
    v1::UpdateScheduleResponse* response) {
  return Answer(driver_, context, [=](Coordinator& coordinator, absl::Time now) {
    absl::StatusOr<v1::ScheduleVersion> version = coordinator.UpdateSchedule(*request, now);
    if (version.ok()) *response->mutable_version() = std::move(*version);
    return version.status();
  });
}

grpc::ServerUnaryReactor* CoordinatorServiceImpl::CommitCheckpoint(
    Context* context, const v1::CommitCheckpointRequest* request,
    v1::CommitCheckpointResponse* response) {
  return Answer(driver_, context, [=](Coordinator& coordinator, absl::Time now) {
    absl::StatusOr<v1::CommitCheckpointResponse> answer =
        coordinator.CommitCheckpoint(*request, now);
    if (answer.ok()) *response = std::move(*answer);
    return answer.status();
  });
}

grpc::ServerUnaryReactor* CoordinatorServiceImpl::FinishRun(Context* context,
                                                            const v1::FinishRunRequest* request,
                                                            v1::FinishRunResponse*) {
  return Answer(driver_, context, [=](Coordinator& coordinator, absl::Time now) {
    return coordinator.FinishRun(*request, now);
  });
}

grpc::ServerUnaryReactor* CoordinatorServiceImpl::FailRun(Context* context,
                                                          const v1::FailRunRequest* request,
                                                          v1::FailRunResponse*) {
  return Answer(driver_, context, [=](Coordinator& coordinator, absl::Time now) {
    return coordinator.FailRun(*request, now);
  });
}

grpc::ServerUnaryReactor* CoordinatorServiceImpl::StoreSet(Context* context,
                                                           const v1::StoreSetRequest* request,
                                                           v1::StoreSetResponse*) {
  return AnswerNow(context,
                   rendezvous_->Set(ScopeOf(request->scope()), request->key(), request->value()));
}

grpc::ServerUnaryReactor* CoordinatorServiceImpl::StoreGet(Context*,
                                                           const v1::StoreGetRequest* request,
                                                           v1::StoreGetResponse* response) {
  return StoreGetReactor::Start(rendezvous_, *request, response);
}

grpc::ServerUnaryReactor* CoordinatorServiceImpl::StoreAdd(Context* context,
                                                           const v1::StoreAddRequest* request,
                                                           v1::StoreAddResponse* response) {
  const absl::StatusOr<int64_t> value =
      rendezvous_->Add(ScopeOf(request->scope()), request->key(), request->amount());
  if (value.ok()) response->set_value(*value);
  return AnswerNow(context, value.status());
}

grpc::ServerUnaryReactor* AdminServiceImpl::StopPlan(Context* context,
                                                     const v1::StopPlanRequest* request,
                                                     v1::StopPlanResponse*) {
  return Answer(driver_, context,
                [=, peer = PeerOf(*context)](Coordinator& coordinator, absl::Time now) {
                  return coordinator.StopPlan(
                      request->idempotency_key(),
                      absl::StrCat(request->reason(), " (asked by ", peer.address, ")"), now);
                });
}

grpc::ServerUnaryReactor* AdminServiceImpl::ResumePlan(Context* context,
                                                       const v1::ResumePlanRequest* request,
                                                       v1::ResumePlanResponse*) {
  return Answer(driver_, context, [=](Coordinator& coordinator, absl::Time now) {
    return coordinator.ResumePlan(request->idempotency_key(), now);
  });
}

}  // namespace distill
