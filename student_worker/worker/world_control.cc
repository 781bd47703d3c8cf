#include "student_worker/worker/world_control.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/status/error_id.h"
#include "common/status/status_macros.h"

namespace distill {

absl::StatusOr<std::unique_ptr<WorldControl>> WorldControl::Create(const v1::World& world,
                                                                   uint64_t fence) {
  std::unique_ptr<WorldControl> control(new WorldControl(world, fence));
  absl::MutexLock lock(&control->mu_);
  control->versions_.assign(world.schedules().begin(), world.schedules().end());
  control->granted_ = world.grant().through_step();
  for (const v1::TeacherFleet& teacher : world.teachers()) {
    control->teacher_fingerprints_[teacher.role()] = teacher.fingerprint();
  }
  RETURN_IF_ERROR(control->Rebuild());
  return control;
}

absl::Status WorldControl::Rebuild() {
  ASSIGN_OR_RETURN(ScheduleTimeline timeline, ScheduleTimeline::Create(versions_));
  timeline_ = std::make_shared<const ScheduleTimeline>(std::move(timeline));
  return absl::OkStatus();
}

void WorldControl::SetTeacherFingerprint(const std::string& role, const std::string& fingerprint) {
  absl::MutexLock lock(&mu_);
  teacher_fingerprints_[role] = fingerprint;
}

std::map<std::string, std::string> WorldControl::teacher_fingerprints() const {
  absl::MutexLock lock(&mu_);
  return teacher_fingerprints_;
}

void WorldControl::SetFence(uint64_t fence) {
  absl::MutexLock lock(&mu_);
  fence_ = std::max(fence_, fence);
}

void WorldControl::Grant(int64_t through_step) {
  absl::MutexLock lock(&mu_);
  granted_ = std::max(granted_, through_step);
}

absl::Status WorldControl::AddSchedule(const v1::ScheduleVersion& version) {
  absl::MutexLock lock(&mu_);
  if (!versions_.empty() && version.version() <= versions_.back().version()) {
    return absl::OkStatus();
  }
  versions_.push_back(version);
  return Rebuild();
}

void WorldControl::SetTeachers(const v1::TeacherEndpoints& endpoints) {
  absl::MutexLock listener_lock(&listener_mu_);
  {
    absl::MutexLock lock(&mu_);
    teachers_[endpoints.model()] = endpoints;
  }
  if (listener_ != nullptr) listener_->teachers(endpoints);
}

void WorldControl::End(const absl::Status& reason) {
  absl::MutexLock listener_lock(&listener_mu_);
  {
    absl::MutexLock lock(&mu_);
    if (ended_.has_value()) return;
    ended_ = reason;
  }
  if (listener_ != nullptr) listener_->ended(reason);
}

uint64_t WorldControl::fence() const {
  absl::MutexLock lock(&mu_);
  return fence_;
}

absl::StatusOr<std::shared_ptr<const ScheduleTimeline>> WorldControl::WaitForGrant(
    int64_t step, absl::Duration timeout) {
  absl::MutexLock lock(&mu_);
  const auto ready = [&]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) {
    return ended_.has_value() || granted_ > step;
  };
  if (!mu_.AwaitWithTimeout(absl::Condition(&ready), timeout)) {
    return WithErrorId(absl::DeadlineExceededError(absl::StrCat(
                           "no grant for step ", step, " of run ", world_.run_id(), " within ",
                           absl::FormatDuration(timeout), "; is the coordinator running?")),
                       ErrorId::kNoGrant);
  }
  if (ended_.has_value()) return *ended_;
  return timeline_;
}

int64_t WorldControl::granted() const {
  absl::MutexLock lock(&mu_);
  return granted_;
}

absl::Status WorldControl::ended() const {
  absl::MutexLock lock(&mu_);
  return ended_.value_or(absl::OkStatus());
}

void WorldControl::SetListener(std::shared_ptr<const Listener> listener) {
  absl::MutexLock listener_lock(&listener_mu_);
  listener_ = std::move(listener);
  if (listener_ == nullptr) return;
  std::map<std::string, v1::TeacherEndpoints> teachers;
  std::optional<absl::Status> ended;
  {
    absl::MutexLock lock(&mu_);
    teachers = teachers_;
    ended = ended_;
  }
  for (const auto& [model, endpoints] : teachers) listener_->teachers(endpoints);
  if (ended.has_value()) listener_->ended(*ended);
}

}  // namespace distill
