// What the coordinator says of one world while it lasts, between the thread that hears
// it and the thread that trains.
#ifndef STUDENT_WORKER_WORKER_WORLD_CONTROL_H_
#define STUDENT_WORKER_WORKER_WORLD_CONTROL_H_

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "distillation/schedules/schedule_timeline.h"
#include "proto/coordinator.pb.h"

namespace distill {

// Thread-safe.
class WorldControl {
 public:
  // Errors of ScheduleTimeline::Create.
  static absl::StatusOr<std::unique_ptr<WorldControl>> Create(const v1::World& world,
                                                              uint64_t fence);

  const v1::World& world() const { return world_; }

  // From the coordinator. What is repeated or older changes nothing.
  void SetFence(uint64_t fence);
  void Grant(int64_t through_step);
  absl::Status AddSchedule(const v1::ScheduleVersion& version);
  void SetTeachers(const v1::TeacherEndpoints& endpoints);
  // The world is over: ABORTED and why. The first reason counts.
  void End(const absl::Status& reason);

  // From the trainer: who made the labels of a role for which the world knows no teacher.
  void SetTeacherFingerprint(const std::string& role, const std::string& fingerprint);
  // By role, of all teachers of the world.
  std::map<std::string, std::string> teacher_fingerprints() const;

  // To the trainer. The newest fence.
  uint64_t fence() const;
  // Waits until `step` may be taken; the schedules that hold for it. Fails with the
  // reason of End. DEADLINE_EXCEEDED after `timeout`: the coordinator is silent.
  absl::StatusOr<std::shared_ptr<const ScheduleTimeline>> WaitForGrant(int64_t step,
                                                                       absl::Duration timeout);
  // Steps < granted() may be taken.
  int64_t granted() const;
  // OK while the world lasts.
  absl::Status ended() const;

  // Called with the teachers of every model, now and at each change, and when the world
  // ends; not under a lock. At most one listener; null ends it, and returns when none is
  // being called.
  struct Listener {
    std::function<void(const v1::TeacherEndpoints&)> teachers;
    std::function<void(const absl::Status&)> ended;
  };
  void SetListener(std::shared_ptr<const Listener> listener);

 private:
  WorldControl(const v1::World& world, uint64_t fence) : world_(world), fence_(fence) {}
  absl::Status Rebuild() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);

  const v1::World world_;
  // Held while a listener is called; taken before mu_.
  absl::Mutex listener_mu_ ABSL_ACQUIRED_BEFORE(mu_);
  std::shared_ptr<const Listener> listener_ ABSL_GUARDED_BY(listener_mu_);

  mutable absl::Mutex mu_;
  uint64_t fence_ ABSL_GUARDED_BY(mu_);
  int64_t granted_ ABSL_GUARDED_BY(mu_) = 0;
  std::vector<v1::ScheduleVersion> versions_ ABSL_GUARDED_BY(mu_);
  std::shared_ptr<const ScheduleTimeline> timeline_ ABSL_GUARDED_BY(mu_);
  std::map<std::string, v1::TeacherEndpoints> teachers_ ABSL_GUARDED_BY(mu_);
  std::map<std::string, std::string> teacher_fingerprints_ ABSL_GUARDED_BY(mu_);
  std::optional<absl::Status> ended_ ABSL_GUARDED_BY(mu_);
};

}  // namespace distill

#endif  // STUDENT_WORKER_WORKER_WORLD_CONTROL_H_
