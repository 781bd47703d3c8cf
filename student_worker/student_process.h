// The student worker as a process.
#ifndef STUDENT_WORKER_STUDENT_PROCESS_H_
#define STUDENT_WORKER_STUDENT_PROCESS_H_

#include "absl/status/status.h"
#include "cli/process/process_flags.h"
#include "common/lifecycle/shutdown_signal.h"

namespace distill {

// Trains until the coordinator says stop, or `shutdown`: then it leaves its world at the
// next step, and the run goes on from its last committed checkpoint. UNAVAILABLE: no
// coordinator.
absl::Status RunStudentWorker(const ProcessFlags& flags, ShutdownSignal& shutdown);

}  // namespace distill

#endif  // STUDENT_WORKER_STUDENT_PROCESS_H_
