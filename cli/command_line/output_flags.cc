#include "cli/command_line/output_flags.h"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"

namespace distill {
namespace {

const char* NameOf(OutputForm form) {
  switch (form) {
    case OutputForm::kTable:
      return "table";
    case OutputForm::kWide:
      return "wide";
    case OutputForm::kJson:
      return "json";
    case OutputForm::kYaml:
      return "yaml";
    case OutputForm::kName:
      return "name";
    case OutputForm::kMarkdown:
      break;
  }
  return "markdown";
}

template <typename Enum>
using Choices = std::vector<std::pair<std::string, Enum>>;

// One of the words, in whose place CLI11 reads its number; CLI11's own check would take the
// number from the user too.
template <typename Enum>
CLI::Validator OneOf(const Choices<Enum>& choices) {
  std::vector<std::string> words;
  for (const auto& [word, value] : choices) words.push_back(word);
  return CLI::Validator(
      [choices, words](std::string& text) -> std::string {
        const auto known = std::ranges::find(choices, text, &Choices<Enum>::value_type::first);
        if (known == choices.end()) {
          return absl::StrCat("'", text, "' is none of ", absl::StrJoin(words, ", "));
        }
        text = std::to_string(static_cast<int>(known->second));
        return "";
      },
      absl::StrCat("{", absl::StrJoin(words, ","), "}"));
}

}  // namespace

void AddOutputFlags(CLI::App& app, const std::vector<OutputForm>& forms, OutputFlags& flags) {
  Choices<OutputForm> choices;
  for (const OutputForm form : forms) choices.emplace_back(NameOf(form), form);
  CLI::Option* output = app.add_option("-o,--output", flags.form, "The form of the answer")
                            ->transform(OneOf(choices))
                            ->type_name("FORM");
  app.add_flag_callback(
         "--json", [&flags] { flags.form = OutputForm::kJson; }, "As -o json")
      ->excludes(output);
  if (std::ranges::find(forms, OutputForm::kWide) == forms.end()) return;
  app.add_flag_callback(
      "--no-headers", [&flags] { flags.headers = false; }, "A table without its titles");
}

void AddColorFlag(CLI::App& app, ColorChoice& color) {
  const Choices<ColorChoice> choices = {{"auto", ColorChoice::kAuto},
                                        {"always", ColorChoice::kAlways},
                                        {"never", ColorChoice::kNever}};
  app.add_option("--color", color, "auto: on a terminal, without NO_COLOR and TERM=dumb")
      ->transform(OneOf(choices))
      ->type_name("WHEN");
}

}  // namespace distill
