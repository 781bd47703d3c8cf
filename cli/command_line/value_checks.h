// What values of flags must be, beyond what CLI11 looks at.
#ifndef CLI_COMMAND_LINE_VALUE_CHECKS_H_
#define CLI_COMMAND_LINE_VALUE_CHECKS_H_

#include <CLI/CLI.hpp>
#include <string>
#include <vector>

namespace distill {

// Of seeds and counts: CLI11 itself takes "-1" for 18446744073709551615, and "010" for 8.
CLI::Validator WholeNumber();

// Before CLI11 parses them: throws its error for "--flag=" without a value, as an unset variable of
// a shell leaves it. CLI11 would take the next argument for the value, a flag or not. Lets what
// follows a lone "--" pass.
void RefuseFlagsWithoutValue(const std::vector<std::string>& arguments);

// Refuses "", which an unset variable of a shell leaves.
CLI::Validator NotEmpty();
// The same for all values of a kind (type_name) of the commands of `app`.
void RefuseEmpty(CLI::App& app, const std::string& kind);

}  // namespace distill

#endif  // CLI_COMMAND_LINE_VALUE_CHECKS_H_
