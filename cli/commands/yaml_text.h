// The YAML of an answer that is JSON. Pure.
#ifndef CLI_COMMANDS_YAML_TEXT_H_
#define CLI_COMMANDS_YAML_TEXT_H_

#include <string>

namespace distill {

// The same fields in the same order, in blocks; ends with a newline. Strings are quoted, and names
// that YAML could take for something else, so that whoever reads it back, as YAML 1.1 or 1.2, gets
// the types of the JSON. `json` is well-formed: our own output.
std::string YamlText(const std::string& json);

}  // namespace distill

#endif  // CLI_COMMANDS_YAML_TEXT_H_
