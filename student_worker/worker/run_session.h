// One rank's life in one world: from the rendezvous to the last step, or to its end.
#ifndef STUDENT_WORKER_WORKER_RUN_SESSION_H_
#define STUDENT_WORKER_WORKER_RUN_SESSION_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "common/clock/clock.h"
#include "common/clock/timer.h"
#include "common/executor/executor.h"
#include "common/files/file_system.h"
#include "common/rpc/transport.h"
#include "coordinator/client/run_calls.h"
#include "distillation/data/data_set.h"
#include "distillation/models/model_directory.h"
#include "proto/coordinator.pb.h"
#include "student_worker/accounting/step_record.h"
#include "student_worker/label_source/label_source.h"
#include "student_worker/worker/label_heads.h"
#include "student_worker/worker/world_control.h"

namespace distill {

// For metrics; called on the training thread.
class SessionObserver {
 public:
  virtual ~SessionObserver() = default;
  // Before its first step.
  virtual void OnSession(const std::string& run_id) = 0;
  virtual void OnStep(const std::string& run_id, const StepRecord& record, int64_t examples) = 0;
  virtual void OnValidation(const std::string& run_id, double accuracy) = 0;
  virtual void OnCheckpoint(const std::string& run_id, absl::Duration time) = 0;
  // With each report and at the session's end, for each teacher role: since the last time,
  // and since the session began.
  virtual void OnLabels(const std::string& run_id, const std::string& role,
                        const LabelSource::Counters& more, const LabelSource::Counters& all,
                        bool ended) = 0;
};

// What a session stands on; all outlive it.
struct SessionTools {
  // This process, as it said hello.
  std::string worker;
  uint64_t incarnation = 0;
  std::string run_dir;
  std::string bind_host;
  TransportOptions transport;
  FileSystem* files = nullptr;
  Clock* clock = nullptr;
  TimerQueue* timers = nullptr;
  // Serial; of the label streams.
  Executor* label_executor = nullptr;
  // Where recorded labels are read from the disk.
  Executor* reading_executor = nullptr;
  // Where models from files are loaded from.
  ModelDirectory programs = {};
  // Kept over worlds and runs.
  std::shared_ptr<LabelHeads> heads = std::make_shared<LabelHeads>();
  std::function<double()> random;
  RunCalls* coordinator = nullptr;
  SessionObserver* observer = nullptr;
  // Sends progress to the coordinator; may drop it.
  std::function<void(const v1::Progress&, const std::string& run_id)> report;
  // Bound on the rendezvous and on each collective.
  absl::Duration collectives_timeout = absl::Seconds(60);
  // Progress is reported so often, also while a step waits.
  absl::Duration report_every = absl::Seconds(1);
  // Without a grant for so long the session fails.
  absl::Duration grant_timeout = absl::Minutes(5);
};

// Trains until the run is done (OK: rank 0 has exported and told the coordinator), the
// world ends (ABORTED with the reason), or something fails: UNAVAILABLE for a lost peer;
// everything else is a failure of the run, with a message for people. Blocks; called on
// the thread that trains. `data` is the training part of the world's data set.
absl::Status RunSession(const SessionTools& tools, std::shared_ptr<const DataSet> data,
                        WorldControl& control);

// RunSession with the data of the world that it is called with; a data set is read once
// for all worlds. Called by one thread at a time. `tools` outlives what is returned.
std::function<absl::Status(WorldControl&)> Sessions(const SessionTools& tools);

}  // namespace distill

#endif  // STUDENT_WORKER_WORKER_RUN_SESSION_H_
