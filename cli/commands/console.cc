#include "cli/commands/console.h"

#include <cstdio>
#include <iostream>

#include "cli/errors/failure_text.h"
#include "cli/process/process_flags.h"

namespace distill {

void Say(const std::string& text) {
  std::fprintf(stderr, "%s\n", text.c_str());
  std::fflush(stderr);
}

void Print(const std::string& text) {
  std::fputs(text.c_str(), stdout);
  std::fflush(stdout);
}

ExitCode Fail(const absl::Status& status, std::optional<ExitCode> code) {
  const ExitCode chosen = code.value_or(ExitCodeOf(status));
  Say(FailureText(WithSomeId(status, chosen), chosen));
  return chosen;
}

std::optional<std::string> AskOnTerminal(const std::string& prompt) {
  std::fputs(prompt.c_str(), stderr);
  std::fflush(stderr);
  std::string line;
  if (!std::getline(std::cin, line)) return std::nullopt;
  return line;
}

}  // namespace distill
