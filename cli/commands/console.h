// What distillctl says: data on stdout, everything else on stderr. Both are flushed at once.
#ifndef CLI_COMMANDS_CONSOLE_H_
#define CLI_COMMANDS_CONSOLE_H_

#include <optional>
#include <string>

#include "absl/status/status.h"
#include "cli/command_line/command_line.h"
#include "cli/local_run/plan_outcome.h"
#include "common/lifecycle/shutdown_signal.h"

namespace distill {

// A line for people, on stderr.
void Say(const std::string& text);
// Data, on stdout, as it is. An error waits for EndOfOutput.
void Print(const std::string& text);
void PrintLine(const std::string& line);

// The last thing before exit, and what to exit with: `code`, unless that is success and something
// was not written to stdout, which is said. Data that a script takes for whole must be.
ExitCode EndOfOutput(ExitCode code);

// Says a failed status with its id, and returns what to exit with: `code`, or without one that
// of the status.
ExitCode Fail(const absl::Status& status, std::optional<ExitCode> code = std::nullopt);
// Says the message of a failure, and returns its code.
ExitCode Finish(const Outcome& outcome);

// One line that the user types on the descriptor `input` behind `prompt`, which goes to stderr;
// without its end. Nothing at the end of `input`, and once `shutdown` is requested, also where
// that was while the line was typed. Takes `shutdown`'s OnRequest meanwhile.
std::optional<std::string> Ask(int input, const std::string& prompt, ShutdownSignal& shutdown);

}  // namespace distill

#endif  // CLI_COMMANDS_CONSOLE_H_
