// The body of each process's main.
#ifndef CLI_PROCESS_MAIN_H_
#define CLI_PROCESS_MAIN_H_

#include <functional>
#include <string>

#include "absl/status/status.h"
#include "cli/process/process_flags.h"
#include "common/lifecycle/shutdown_signal.h"

namespace distill {

// Parses the command line, runs `process`, says on stderr why it failed, and returns the
// exit code. Signals are caught from here on, before anything slow. With --version, prints
// that instead; `libtorch` is the version of a process that links it.
int ProcessMain(ProcessKind kind, int argc, char** argv,
                const std::function<absl::Status(const ProcessFlags&, ShutdownSignal&)>& process,
                const std::string& libtorch = "");

}  // namespace distill

#endif  // CLI_PROCESS_MAIN_H_
