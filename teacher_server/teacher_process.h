// The teacher server as a process.
#ifndef TEACHER_SERVER_TEACHER_PROCESS_H_
#define TEACHER_SERVER_TEACHER_PROCESS_H_

#include "absl/status/status.h"
#include "cli/process/process_flags.h"
#include "common/lifecycle/shutdown_signal.h"

namespace distill {

// Serves what the coordinator says until it says stop, or `shutdown`: then it takes no
// new asks, answers those it has, and returns OK. UNAVAILABLE: no coordinator.
absl::Status RunTeacherServer(const ProcessFlags& flags, ShutdownSignal& shutdown);

}  // namespace distill

#endif  // TEACHER_SERVER_TEACHER_PROCESS_H_
