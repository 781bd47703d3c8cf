// What may stand at the end of a command line that is being written, by its grammar.
#ifndef CLI_COMMAND_LINE_COMPLETION_POINT_H_
#define CLI_COMMAND_LINE_COMPLETION_POINT_H_

#include <string>
#include <vector>

namespace CLI {
class App;
}  // namespace CLI

namespace distill {

// Where the cursor stands in a command line that is being written.
struct CompletionPoint {
  // Commands, flags, and values of a fixed choice that may stand there.
  std::vector<std::string> words;
  // What kind of value may: "PLAN", "DIR", "RUN", "FIELD", "ID" or "METRIC"; others are
  // not completed but from `words`.
  std::string value;
  // Of the word, what stays before the value ("--run-dir="), and what there is of the value.
  std::string before;
  std::string begun;
};

// The last of `words` is the one that is begun, up to the cursor. None: an empty one is.
CompletionPoint FindCompletionPoint(CLI::App* root, const std::vector<std::string>& words);

// The command of `app` that is called so, or null.
CLI::App* ChildCommand(CLI::App* app, const std::string& name);

// Commands and flags that may stand behind `app`.
std::vector<std::string> WordsOf(CLI::App* app);

}  // namespace distill

#endif  // CLI_COMMAND_LINE_COMPLETION_POINT_H_
