// What each command of distillctl does.
#ifndef CLI_COMMANDS_COMMANDS_H_
#define CLI_COMMANDS_COMMANDS_H_

#include "cli/command_line/command_line.h"
#include "cli/commands/command_tools.h"

namespace distill {

// Carries a command out. Data goes to stdout, everything else to stderr; a failure's
// message is the last line.
ExitCode Execute(const CommandTools& tools, const Command& command);

}  // namespace distill

#endif  // CLI_COMMANDS_COMMANDS_H_
