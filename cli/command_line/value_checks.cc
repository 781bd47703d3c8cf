#include "cli/command_line/value_checks.h"

#include <cstdint>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"

namespace distill {

CLI::Validator WholeNumber() {
  return CLI::Validator(
      [](std::string& text) {
        uint64_t number = 0;
        const bool whole = text.find_first_not_of("0123456789") == text.npos;
        if (!whole || !absl::SimpleAtoi(text, &number)) {
          return absl::StrCat("'", text, "' is not a whole number from 0 to 2^64 - 1");
        }
        text = absl::StrCat(number);
        return std::string();
      },
      "", "WholeNumber");
}

void RefuseFlagsWithoutValue(const std::vector<std::string>& arguments) {
  for (const std::string& argument : arguments) {
    if (argument == "--") return;
    if (argument.size() > 3 && argument.starts_with("--") &&
        argument.find('=') == argument.size() - 1) {
      throw CLI::ValidationError(argument.substr(0, argument.size() - 1), "the value is empty");
    }
  }
}

CLI::Validator NotEmpty() {
  return CLI::Validator(
      [](std::string& text) { return std::string(text.empty() ? "the value is empty" : ""); }, "");
}

void RefuseEmpty(CLI::App& app, const std::string& kind) {
  for (CLI::App* const command : app.get_subcommands(nullptr)) {
    for (CLI::Option* const option : command->get_options()) {
      if (option->get_type_name() == kind) option->check(NotEmpty());
    }
  }
}

}  // namespace distill
