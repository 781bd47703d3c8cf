// Completion of distillctl's words in a shell: a fixed script for each shell asks distillctl
// itself, so that names of runs, folders, fields and ids complete too.
#ifndef CLI_COMPLETION_COMPLETION_H_
#define CLI_COMPLETION_COMPLETION_H_

#include <string>
#include <vector>

#include "common/files/file_system.h"

namespace distill {

// The script for "bash", "zsh" or "fish"; empty for another shell.
std::string CompletionScript(const std::string& shell);

// What the last of `words` (those behind the program's name) may become: whole words, sorted,
// at most 1,000. A folder that leads further ends in '/'. Reads the folders and the plan that
// the words name; what cannot be read completes nothing.
std::vector<std::string> Completions(FileSystem& files, const std::vector<std::string>& words);

}  // namespace distill

#endif  // CLI_COMPLETION_COMPLETION_H_
