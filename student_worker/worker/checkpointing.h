// What all ranks of a world do together to keep a run: checkpoints and the export.
#ifndef STUDENT_WORKER_WORKER_CHECKPOINTING_H_
#define STUDENT_WORKER_WORKER_CHECKPOINTING_H_

#include <cstdint>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "proto/coordinator.pb.h"
#include "student_worker/checkpoint/checkpoint.h"
#include "student_worker/collectives/interface.h"
#include "student_worker/training/trainer.h"
#include "student_worker/worker/run_session.h"

namespace distill {

// What a checkpoint of this world is of.
CheckpointExpectation ExpectationOf(const WorldControl& control);

// Writes and commits the checkpoint of `step`; returns once it is this rank's turn to go
// on. If one rank cannot write (RESOURCE_EXHAUSTED: its disk is full), all fail and
// nothing is committed. ABORTED: the coordinator has moved on.
absl::Status SaveCheckpoint(const SessionTools& tools, WorldControl& control, Trainer& trainer,
                            Collectives& collectives, int64_t step);

// Rank 0 exports the trained model and tells the coordinator that the run is done; the
// other ranks only agree on the model.
absl::Status FinishWithExport(const SessionTools& tools, WorldControl& control, Trainer& trainer,
                              Collectives& collectives, const DataSet& data);

}  // namespace distill

#endif  // STUDENT_WORKER_WORKER_CHECKPOINTING_H_
