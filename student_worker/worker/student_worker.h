// A student worker: attends the coordinator and trains in one world after the other.
#ifndef STUDENT_WORKER_WORKER_STUDENT_WORKER_H_
#define STUDENT_WORKER_WORKER_STUDENT_WORKER_H_

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/synchronization/mutex.h"
#include "coordinator/client/run_calls.h"
#include "proto/coordinator.pb.h"
#include "student_worker/worker/world_control.h"

namespace distill {

// Whether another world may succeed where this one failed with `status`.
bool IsWorthAnotherWorld(const absl::Status& status);

// Thread-safe but for Run, which belongs to the thread that trains.
//
//   StudentWorker worker(name, coordinator, Sessions(tools));
//   attendance with on_directive = worker.OnDirective, on_given_up = worker.Stop
//   worker.Run();  // until told to stop
class StudentWorker {
 public:
  // Trains in one world until it is done (OK) or has ended (ABORTED); other failures are
  // told to the coordinator. Called by Run.
  using Session = std::function<absl::Status(WorldControl&)>;

  // `name` as this process said hello. `coordinator` outlives the worker.
  StudentWorker(std::string name, RunCalls* coordinator, Session session)
      : name_(std::move(name)), coordinator_(coordinator), session_(std::move(session)) {}

  void OnDirective(const v1::Directive& directive) ABSL_LOCKS_EXCLUDED(mu_);

  // Ends the world in hand and Run, which returns `status`; the first call counts.
  void Stop(const absl::Status& status) ABSL_LOCKS_EXCLUDED(mu_);

  // Trains in every world it is told, until Stop or the coordinator's stop (OK).
  absl::Status Run() ABSL_LOCKS_EXCLUDED(mu_);

 private:
  void OnWorld(const v1::World& world, uint64_t fence) ABSL_LOCKS_EXCLUDED(mu_);
  // The world in hand if it is this one; otherwise null.
  std::shared_ptr<WorldControl> Current(const v1::Directive& directive) ABSL_LOCKS_EXCLUDED(mu_);
  std::shared_ptr<WorldControl> NextWorld() ABSL_LOCKS_EXCLUDED(mu_);
  void Tell(const WorldControl& control, const absl::Status& failure);

  const std::string name_;
  RunCalls* const coordinator_;
  const Session session_;

  absl::Mutex mu_;
  // What was heard last; the training thread may still be leaving an earlier one.
  std::shared_ptr<WorldControl> world_ ABSL_GUARDED_BY(mu_);
  bool world_is_new_ ABSL_GUARDED_BY(mu_) = false;
  std::optional<absl::Status> stopped_ ABSL_GUARDED_BY(mu_);
};

}  // namespace distill

#endif  // STUDENT_WORKER_WORKER_STUDENT_WORKER_H_
