// The coordinator as a process: what it is made of, and its orderly end.
#ifndef COORDINATOR_COORDINATOR_PROCESS_H_
#define COORDINATOR_COORDINATOR_PROCESS_H_

#include "absl/status/status.h"
#include "cli/process/process_flags.h"
#include "common/lifecycle/shutdown_signal.h"

namespace distill {

// Serves until `shutdown`. Its journal is RUN_DIR/coordinator.sqlite. Errors of the store
// (FAILED_PRECONDITION: another coordinator has this run directory), of the ports
// (ALREADY_EXISTS, UNAVAILABLE), ABORTED when another coordinator took over.
absl::Status RunCoordinator(const ProcessFlags& flags, ShutdownSignal& shutdown);

}  // namespace distill

#endif  // COORDINATOR_COORDINATOR_PROCESS_H_
