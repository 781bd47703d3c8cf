// Two examples of each command, with which its help starts.
#ifndef CLI_COMMAND_LINE_COMMAND_EXAMPLES_H_
#define CLI_COMMAND_LINE_COMMAND_EXAMPLES_H_

#include <span>
#include <string_view>

namespace distill {

// Of "config show", say; "" is distillctl itself. Empty where there is no such command.
std::span<const char* const> ExamplesOf(std::string_view command);

}  // namespace distill

#endif  // CLI_COMMAND_LINE_COMMAND_EXAMPLES_H_
