// What each command of distillctl does.
#ifndef CLI_COMMANDS_COMMANDS_H_
#define CLI_COMMANDS_COMMANDS_H_

#include <string>

#include "cli/command_line/command_line.h"
#include "cli/terminal/color.h"
#include "cli/terminal/terminal.h"
#include "common/clock/clock.h"
#include "common/files/file_system.h"
#include "common/lifecycle/shutdown_signal.h"

namespace distill {

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
};

// Carries a command out. Data goes to stdout, everything else to stderr; a failure's
// message is the last line.
ExitCode Execute(const CommandTools& tools, const Command& command);

}  // namespace distill

#endif  // CLI_COMMANDS_COMMANDS_H_
