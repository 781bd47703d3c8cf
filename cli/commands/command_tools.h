// What every command stands on.
#ifndef CLI_COMMANDS_COMMAND_TOOLS_H_
#define CLI_COMMANDS_COMMAND_TOOLS_H_

#include <functional>
#include <optional>
#include <string>

#include "cli/terminal/color.h"
#include "cli/terminal/terminal.h"
#include "common/clock/clock.h"
#include "common/files/file_system.h"
#include "common/lifecycle/shutdown_signal.h"

namespace distill {

// All pointers outlive the command.
struct CommandTools {
  FileSystem* files = nullptr;
  Clock* clock = nullptr;
  ShutdownSignal* shutdown = nullptr;
  Terminal* standard_output = nullptr;
  Terminal* standard_error = nullptr;
  TerminalEnvironment environment;
  // Path of the running distillctl; the other programs lie beside it.
  std::string self;
  // What the user's relative paths start from.
  std::string working_directory;
  // Asks the user on the terminal: what was typed, or nothing at its end. Null without a terminal.
  std::function<std::optional<std::string>(const std::string& prompt)> ask;
};

}  // namespace distill

#endif  // CLI_COMMANDS_COMMAND_TOOLS_H_
