// A student worker: attends the coordinator and trains in one world after the other.
#ifndef STUDENT_WORKER_WORKER_STUDENT_WORKER_H_
#define STUDENT_WORKER_WORKER_STUDENT_WORKER_H_

#include <map>
#include <memory>
#include <optional>
#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/synchronization/mutex.h"
#include "distillation/data/data_set.h"
#include "proto/coordinator.pb.h"
#include "student_worker/worker/run_session.h"
#include "student_worker/worker/world_control.h"

namespace distill {

// Thread-safe but for Run, which belongs to the thread that trains.
//
//   StudentWorker worker(tools);
//   attendance with on_directive = worker.OnDirective, on_given_up = worker.Stop
//   worker.Run();  // until told to stop
class StudentWorker {
 public:
  // `tools` outlives the worker.
  explicit StudentWorker(const SessionTools& tools) : tools_(tools) {}

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
  absl::Status Train(WorldControl& control);
  absl::StatusOr<std::shared_ptr<const DataSet>> Data(const v1::DataSetConfig& config);
  void Tell(const WorldControl& control, const absl::Status& failure);

  const SessionTools& tools_;

  // Of the training thread: by digest, so that the runs of a plan read a set once.
  std::map<std::string, std::shared_ptr<const DataSet>> data_sets_;

  absl::Mutex mu_;
  // What was heard last; the training thread may still be leaving an earlier one.
  std::shared_ptr<WorldControl> world_ ABSL_GUARDED_BY(mu_);
  bool world_is_new_ ABSL_GUARDED_BY(mu_) = false;
  std::optional<absl::Status> stopped_ ABSL_GUARDED_BY(mu_);
};

}  // namespace distill

#endif  // STUDENT_WORKER_WORKER_STUDENT_WORKER_H_
