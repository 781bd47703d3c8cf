#include "cli/errors/error_reference.h"

#include <nlohmann/json.hpp>
#include <string_view>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "cli/terminal/styled_text.h"
#include "common/config/nearest_name.h"
#include "common/status/error_id.h"

namespace distill {
namespace {

std::string Page(const ErrorEntry& entry) {
  return absl::StrCat("docs/errors.md#", absl::AsciiStrToLower(ErrorIdName(entry.id)));
}

bool BeginsGroup(std::span<const ErrorEntry> entries, size_t i) {
  return i == 0 || std::string_view(ErrorGroup(entries[i].id)) != ErrorGroup(entries[i - 1].id);
}

}  // namespace

absl::StatusOr<ErrorEntry> FindErrorByName(const std::string& name) {
  if (const ErrorEntry* entry = FindError(ErrorNumberOf(name)); entry != nullptr) return *entry;
  std::vector<std::string> names;
  for (const ErrorEntry& entry : ErrorCatalogue()) names.push_back(ErrorIdName(entry.id));
  const int number = ErrorNumberOf(name);
  const std::string nearest = NearestName(number == 0 ? name : absl::StrCat("DST-", number), names);
  return WithErrorId(absl::InvalidArgumentError(absl::StrCat(
                         "there is no error '", name, "'; ",
                         nearest.empty() ? "distillctl explain lists all"
                                         : absl::StrCat("did you mean ", nearest, "?"))),
                     ErrorId::kUnknownErrorId);
}

std::string ErrorText(const ErrorEntry& entry) {
  return absl::StrCat(ErrorIdName(entry.id), "  ", entry.meaning,
                      "\n\nUsual causes: ", entry.causes, "\nWhat to do:   ", entry.what_to_do,
                      "\nPage:         ", Page(entry), "\n");
}

std::string ErrorListText(std::span<const ErrorEntry> entries, int width, bool headers) {
  std::string text;
  for (size_t i = 0; i < entries.size(); ++i) {
    if (headers && BeginsGroup(entries, i)) {
      absl::StrAppend(&text, i == 0 ? "" : "\n", Cut(ErrorGroup(entries[i].id), width), "\n");
    }
    const std::string line =
        absl::StrCat(headers ? "  " : "", ErrorIdName(entries[i].id), "  ", entries[i].meaning);
    absl::StrAppend(&text, Cut(line, width), "\n");
  }
  return text;
}

std::string ErrorNames(std::span<const ErrorEntry> entries) {
  std::string text;
  for (const ErrorEntry& entry : entries) absl::StrAppend(&text, ErrorIdName(entry.id), "\n");
  return text;
}

std::string ErrorsJson(std::span<const ErrorEntry> entries) {
  nlohmann::ordered_json list = nlohmann::ordered_json::array();
  for (const ErrorEntry& entry : entries) {
    list.push_back({{"id", ErrorIdName(entry.id)},
                    {"group", ErrorGroup(entry.id)},
                    {"meaning", entry.meaning},
                    {"causes", entry.causes},
                    {"what_to_do", entry.what_to_do},
                    {"page", Page(entry)}});
  }
  return nlohmann::ordered_json{{"version", 1}, {"errors", std::move(list)}}.dump(2) + "\n";
}

std::string ErrorsPage(std::span<const ErrorEntry> entries) {
  std::string text =
      "# Errors\n"
      "\n"
      "Every error that distillctl or a process prints ends with an id, `[DST-1101]`. The "
      "sentence\n"
      "before it says what happened this time; this page says what that kind of error is. An id\n"
      "stays what it is in every later version. `distillctl explain DST-1101` prints the same\n"
      "without a network, `-o json` for scripts.\n"
      "\n"
      "Written by `distillctl explain -o markdown` from common/status/error_catalogue.cc; a test\n"
      "holds the two together. An id ending in 00 is for errors of its group that have no id of\n"
      "their own.\n";
  for (size_t i = 0; i < entries.size(); ++i) {
    const ErrorEntry& entry = entries[i];
    if (BeginsGroup(entries, i)) absl::StrAppend(&text, "\n## ", ErrorGroup(entry.id), "\n");
    absl::StrAppend(&text, "\n### ", ErrorIdName(entry.id), "\n\n", entry.meaning,
                    "\n\n* Usual causes: ", entry.causes, "\n* What to do: ", entry.what_to_do,
                    "\n");
  }
  return text;
}

}  // namespace distill
