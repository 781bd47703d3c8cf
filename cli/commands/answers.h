// Commands that answer from what distillctl knows and from this machine, without a plan that runs.
#ifndef CLI_COMMANDS_ANSWERS_H_
#define CLI_COMMANDS_ANSWERS_H_

#include "cli/command_line/command_line.h"
#include "cli/commands/command_tools.h"

namespace distill {

ExitCode Answer(const CommandTools& tools, const MetricsListCommand& command);
ExitCode Answer(const CommandTools& tools, const MetricsExplainCommand& command);
ExitCode Answer(const CommandTools& tools, const ConfigExplainCommand& command);
ExitCode Answer(const CommandTools& tools, const ConfigReferenceCommand& command);
ExitCode Answer(const CommandTools& tools, const ExplainCommand& command);
ExitCode Answer(const CommandTools& tools, const DoctorCommand& command);
ExitCode Answer(const CommandTools& tools, const CommandReferenceCommand& command);
ExitCode Answer(const CommandTools& tools, const CompletionCommand& command);
ExitCode Answer(const CommandTools& tools, const CompleteCommand& command);
ExitCode Answer(const CommandTools& tools, const VersionCommand& command);

}  // namespace distill

#endif  // CLI_COMMANDS_ANSWERS_H_
