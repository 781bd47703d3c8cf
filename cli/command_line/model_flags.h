// The flags with which a process may load programs as models, alike wherever they are given.
#ifndef CLI_COMMAND_LINE_MODEL_FLAGS_H_
#define CLI_COMMAND_LINE_MODEL_FLAGS_H_

#include <string>
#include <vector>

namespace CLI {
class App;
}

namespace distill {

struct ModelFlags {
  // --model-dir; empty: no model comes from a file.
  std::string dir;
  // --allow-executable-models.
  bool allow_executable = false;
};

// Adds them to a command; `flags` outlives it.
void AddModelFlags(CLI::App& app, ModelFlags& flags);

// As arguments, for a process that is started with the same.
std::vector<std::string> ArgumentsOf(const ModelFlags& flags);

}  // namespace distill

#endif  // CLI_COMMAND_LINE_MODEL_FLAGS_H_
