// The form and the colour of an answer, asked for alike wherever there is a choice.
#ifndef CLI_COMMAND_LINE_OUTPUT_FLAGS_H_
#define CLI_COMMAND_LINE_OUTPUT_FLAGS_H_

#include <vector>

#include "cli/terminal/color.h"

namespace CLI {
class App;
}

namespace distill {

enum class OutputForm {
  kTable,     // for people, cut to the terminal
  kWide,      // the same with all there is to say, not cut
  kJson,      // with a version: {"version": 1, ...}
  kYaml,      // the same fields
  kName,      // a name a line, for shell loops
  kMarkdown,  // a page of docs/
};

struct OutputFlags {
  OutputForm form = OutputForm::kTable;
  // Titles of columns and groups, in tables.
  bool headers = true;
};

// Adds -o with those of `forms` that the command has; --json as another word for -o json; and, to
// what has columns (kWide), --no-headers. `flags` outlives the command.
void AddOutputFlags(CLI::App& app, const std::vector<OutputForm>& forms, OutputFlags& flags);

// Adds --color; `color` outlives the command.
void AddColorFlag(CLI::App& app, ColorChoice& color);

}  // namespace distill

#endif  // CLI_COMMAND_LINE_OUTPUT_FLAGS_H_
