#include "student_worker/worker/student_worker.h"

#include <utility>

#include "common/status/error_id.h"

namespace distill {

bool IsWorthAnotherWorld(const absl::Status& status) { return absl::IsUnavailable(status); }

std::shared_ptr<WorldControl> StudentWorker::Current(const v1::Directive& directive) {
  absl::MutexLock lock(&mu_);
  if (world_ == nullptr || world_->world().run_id() != directive.run_id() ||
      world_->world().generation() != directive.generation()) {
    return nullptr;
  }
  return world_;
}

void StudentWorker::OnDirective(const v1::Directive& directive) {
  if (directive.has_stop()) {
    Stop(absl::OkStatus());
    return;
  }
  if (directive.has_world()) {
    OnWorld(directive.world(), directive.fence());
    return;
  }
  // Of another world than the one in hand: late, or of one that was left.
  const std::shared_ptr<WorldControl> world = Current(directive);
  if (world == nullptr) return;
  world->SetFence(directive.fence());
  switch (directive.directive_case()) {
    case v1::Directive::kStepGrant:
      world->Grant(directive.step_grant().through_step());
      break;
    case v1::Directive::kScheduleVersion:
      if (const absl::Status status = world->AddSchedule(directive.schedule_version());
          !status.ok()) {
        world->End(status);
      }
      break;
    case v1::Directive::kTeacherEndpoints:
      world->SetTeachers(directive.teacher_endpoints());
      break;
    case v1::Directive::kLeaveWorld:
      world->End(absl::AbortedError(directive.leave_world().reason()));
      break;
    default:
      break;
  }
}

void StudentWorker::OnWorld(const v1::World& world, uint64_t fence) {
  std::shared_ptr<WorldControl> former;
  {
    absl::MutexLock lock(&mu_);
    former = world_;
  }
  // After a reconnection the world in hand is told again: go on in it.
  if (former != nullptr && former->world().run_id() == world.run_id() &&
      former->world().generation() == world.generation()) {
    former->SetFence(fence);
    former->Grant(world.grant().through_step());
    for (const v1::ScheduleVersion& version : world.schedules()) {
      if (const absl::Status status = former->AddSchedule(version); !status.ok()) {
        former->End(status);
      }
    }
    return;
  }
  if (former != nullptr) former->End(absl::AbortedError("a newer world has formed"));
  auto control = WorldControl::Create(world, fence);
  if (!control.ok()) {
    Stop(control.status());
    return;
  }
  absl::MutexLock lock(&mu_);
  world_ = *std::move(control);
  world_is_new_ = true;
}

void StudentWorker::Stop(const absl::Status& status) {
  std::shared_ptr<WorldControl> world;
  {
    absl::MutexLock lock(&mu_);
    if (!stopped_.has_value()) stopped_ = status;
    world = world_;
  }
  if (world != nullptr) world->End(absl::AbortedError("this process stops"));
}

std::shared_ptr<WorldControl> StudentWorker::NextWorld() {
  absl::MutexLock lock(&mu_);
  const auto ready = [this]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) {
    return world_is_new_ || stopped_.has_value();
  };
  mu_.Await(absl::Condition(&ready));
  if (stopped_.has_value()) return nullptr;
  world_is_new_ = false;
  return world_;
}

absl::Status StudentWorker::Run() {
  while (const std::shared_ptr<WorldControl> world = NextWorld()) {
    const absl::Status status = session_(*world);
    if (!status.ok() && !absl::IsAborted(status)) Tell(*world, status);
  }
  absl::MutexLock lock(&mu_);
  return *stopped_;
}

void StudentWorker::Tell(const WorldControl& control, const absl::Status& failure) {
  v1::FailRunRequest request;
  request.set_generation(control.world().generation());
  request.set_run_id(control.world().run_id());
  request.set_worker(name_);
  request.set_code(static_cast<int32_t>(failure.code()));
  request.set_message(MessageWithId(failure));
  request.set_retryable(IsWorthAnotherWorld(failure));
  const absl::Status told = coordinator_->FailRun(request);
  // Untold, the world would wait for a rank that no longer steps: make it see that.
  if (!told.ok() && !absl::IsAborted(told)) Stop(failure);
}

}  // namespace distill
