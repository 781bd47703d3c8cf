// The YAML of an answer that is JSON. Pure.
#ifndef CLI_COMMANDS_YAML_TEXT_H_
#define CLI_COMMANDS_YAML_TEXT_H_

#include <string>

namespace distill {

// The same fields in the same order, in blocks; ends with a newline. Every string is quoted, so
// that whoever reads it back gets the types of the JSON. `json` is well-formed: our own output.
std::string YamlText(const std::string& json);

}  // namespace distill

#endif  // CLI_COMMANDS_YAML_TEXT_H_
