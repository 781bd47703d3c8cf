// What distillctl says: data on stdout, everything else on stderr. Both are flushed at once.
#ifndef CLI_COMMANDS_CONSOLE_H_
#define CLI_COMMANDS_CONSOLE_H_

#include <optional>
#include <string>

#include "absl/status/status.h"
#include "cli/command_line/command_line.h"

namespace distill {

// A line for people, on stderr.
void Say(const std::string& text);
// Data, on stdout, as it is.
void Print(const std::string& text);

// Says a failed status with its id, and returns what to exit with: `code`, or without one that
// of the status.
ExitCode Fail(const absl::Status& status, std::optional<ExitCode> code = std::nullopt);

// One line that the user types behind `prompt`, which goes to stderr; nothing at the end of stdin.
std::optional<std::string> AskOnTerminal(const std::string& prompt);

}  // namespace distill

#endif  // CLI_COMMANDS_CONSOLE_H_
