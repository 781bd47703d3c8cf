#include "cli/command_line/completion_point.h"

#include <CLI/CLI.hpp>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_split.h"

namespace distill {
namespace {

void CompleteFlag(CLI::App* app, CompletionPoint& point) {
  const size_t equals = point.begun.find('=');
  if (equals == std::string::npos) {
    for (const std::string& word : WordsOf(app)) {
      if (word.rfind('-', 0) == 0) point.words.push_back(word);
    }
    return;
  }
  const CLI::Option* option = app->get_option_no_throw(point.begun.substr(0, equals));
  if (option == nullptr) return;
  point.value = option->get_type_name();
  point.before = point.begun.substr(0, equals + 1);
  point.begun = point.begun.substr(equals + 1);
}

}  // namespace

CLI::App* ChildCommand(CLI::App* app, const std::string& name) {
  for (CLI::App* command : app->get_subcommands({})) {
    if (command->get_name() == name) return command;
  }
  return nullptr;
}

std::vector<std::string> WordsOf(CLI::App* app) {
  std::vector<std::string> words;
  for (CLI::App* command : app->get_subcommands({})) words.push_back(command->get_name());
  for (CLI::Option* option : app->get_options({})) {
    for (const std::string& flag : option->get_lnames()) words.push_back("--" + flag);
  }
  return words;
}

CompletionPoint FindCompletionPoint(CLI::App* root, const std::vector<std::string>& words) {
  CompletionPoint point;
  CLI::App* app = root;
  size_t positionals = 0;
  const CLI::Option* waiting = nullptr;  // an option whose value is the next word
  for (size_t i = 0; i + 1 < words.size(); ++i) {
    const std::string& word = words[i];
    if (std::exchange(waiting, nullptr) != nullptr) continue;
    if (word.rfind('-', 0) == 0) {
      const CLI::Option* option = app->get_option_no_throw(word);
      if (option != nullptr && option->get_items_expected_max() > 0) waiting = option;
      continue;
    }
    CLI::App* next = ChildCommand(app, word);
    if (next == nullptr) {
      ++positionals;
    } else {
      app = next;
      positionals = 0;
    }
  }
  if (!words.empty()) point.begun = words.back();
  if (waiting != nullptr) {
    point.value = waiting->get_type_name();
  } else if (point.begun.rfind('-', 0) == 0) {
    CompleteFlag(app, point);
  } else {
    for (CLI::App* command : app->get_subcommands({})) point.words.push_back(command->get_name());
    for (const CLI::Option* option : app->get_options()) {
      if (option->get_positional() && positionals-- == 0) point.value = option->get_type_name();
    }
  }
  // A check may stand behind the kind: the words to choose from, or one that is no matter here.
  const size_t colon = point.value.find(':');
  if (colon != std::string::npos && absl::EndsWith(point.value, "}")) {
    point.words = absl::StrSplit(absl::string_view(point.value).substr(colon + 2),
                                 absl::ByAnyChar(",}"), absl::SkipEmpty());
  }
  point.value = point.value.substr(0, colon);
  return point;
}

}  // namespace distill
