// DIR/<run>/events.out.tfevents.*: the curves of a run for `tensorboard --logdir DIR`.
#ifndef STUDENT_WORKER_WORKER_EVENT_LOG_H_
#define STUDENT_WORKER_WORKER_EVENT_LOG_H_

#include <cstdint>
#include <map>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "common/clock/clock.h"
#include "common/files/file_system.h"
#include "student_worker/accounting/step_record.h"
#include "student_worker/accounting/tensorboard_event.pb.h"

namespace distill {

struct EventLogOptions {
  // Of the run: TensorBoard names what it shows by the folder.
  std::string folder;
  // Of the world, whose file this is. Generations and first steps never fall from one world of
  // a run to the next, so that TensorBoard, which reads by name, reads the files in order.
  uint64_t generation = 0;
  int64_t first_step = 0;
  // Of all ranks together.
  int64_t examples_per_step = 0;
};

// Scalars, at step s for what held after s steps. A step waits for its record, so a point is made
// only of every kStepsPerPoint steps, and where a checkpoint ends them early: of losses and speed
// the mean over these steps, of a schedule its last value. Points are written together: a second
// after the last time, when there are many, with each checkpoint, and at the end of this object,
// also that of a session that failed. What a killed process made in its last second is lost.
//
// Thread-compatible. Errors are those of FileSystem, for which the session fails as for those
// of StepLog.
class EventLog {
 public:
  static constexpr int kStepsPerPoint = 10;

  // One for each world and run, on rank 0. What an earlier world wrote of steps from
  // `first_step` on stays in its file but is not shown.
  static absl::StatusOr<std::unique_ptr<EventLog>> Open(FileSystem& files, Clock& clock,
                                                        const EventLogOptions& options);
  ~EventLog();

  absl::Status OnStep(const StepRecord& record);
  void OnValidation(int64_t steps_done, double accuracy);
  // Before the checkpoint is written: a run that resumes from it has all points up to it.
  absl::Status BeforeCheckpoint();

 private:
  struct Mean {
    double sum = 0;
    int64_t count = 0;
    void Add(double value) {
      sum += value;
      ++count;
    }
  };

  EventLog(std::unique_ptr<AppendFile> file, Clock& clock, int64_t examples_per_step)
      : file_(std::move(file)),
        clock_(clock),
        examples_per_step_(examples_per_step),
        written_at_(clock.MonotonicNow()) {}
  void Add(int64_t step, tensorboard::Event& event);
  // Of the steps since the last one, if any.
  void MakePoint();
  absl::Status Write();

  const std::unique_ptr<AppendFile> file_;
  Clock& clock_;
  const int64_t examples_per_step_;
  absl::Duration written_at_;
  // Not written yet.
  std::string records_;
  // Of the steps since the last point. A term that was seen once keeps its place.
  StepRecord last_;
  Mean loss_;
  std::map<std::string, Mean> terms_;
  absl::Duration wall_;
  absl::Duration waited_;
};

}  // namespace distill

#endif  // STUDENT_WORKER_WORKER_EVENT_LOG_H_
