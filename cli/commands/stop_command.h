// `distillctl stop`.
#ifndef CLI_COMMANDS_STOP_COMMAND_H_
#define CLI_COMMANDS_STOP_COMMAND_H_

#include "cli/command_line/command_line.h"
#include "cli/commands/command_tools.h"

namespace distill {

// Asks before it ends work; without a terminal to ask on, it is `command.yes` that says so.
ExitCode StopPlan(const CommandTools& tools, const StopCommand& command);

}  // namespace distill

#endif  // CLI_COMMANDS_STOP_COMMAND_H_
