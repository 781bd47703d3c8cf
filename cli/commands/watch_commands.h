// The commands that show what a plan is doing: `status`, `watch` and `top`.
#ifndef CLI_COMMANDS_WATCH_COMMANDS_H_
#define CLI_COMMANDS_WATCH_COMMANDS_H_

#include "cli/command_line/command_line.h"
#include "cli/commands/command_tools.h"

namespace distill {

// Of a plan that was run here to its end each says that, and where its report is.
ExitCode ShowStatus(const CommandTools& tools, const StatusCommand& command);
ExitCode WatchPlan(const CommandTools& tools, const WatchCommand& command);
ExitCode ShowTop(const CommandTools& tools, const TopCommand& command);

}  // namespace distill

#endif  // CLI_COMMANDS_WATCH_COMMANDS_H_
