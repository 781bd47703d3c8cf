#include "cli/commands/yaml_text.h"

#include <yaml-cpp/yaml.h>

#include <algorithm>
#include <iterator>
#include <nlohmann/json.hpp>
#include <string_view>

#include "absl/base/internal/raw_logging.h"
#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"

namespace distill {
namespace {

using nlohmann::ordered_json;

// Whether every YAML reads it as a string without quotes.
bool IsPlainName(const std::string& name) {
  constexpr std::string_view kWords[] = {"y",   "n",    "yes",   "no",  "on",
                                         "off", "true", "false", "null"};
  return !name.empty() && std::ranges::find(kWords, name) == std::end(kWords) &&
         absl::ascii_islower(name[0]) && std::ranges::all_of(name, [](char c) {
           return absl::ascii_islower(c) || absl::ascii_isdigit(c) || c == '_';
         });
}

// YAML 1.1 takes 1e-05 for a string.
std::string WithPoint(std::string number) {
  const size_t exponent = number.find('e');
  if (exponent != std::string::npos && number.find('.') == std::string::npos) {
    number.insert(exponent, ".0");
  }
  return number;
}

void Emit(const ordered_json& value, YAML::Emitter& out) {
  if (value.is_object() && !value.empty()) {
    out << YAML::BeginMap;
    for (const auto& [name, field] : value.items()) {
      out << YAML::Key;
      if (!IsPlainName(name)) out << YAML::DoubleQuoted;
      out << name << YAML::Value;
      Emit(field, out);
    }
    out << YAML::EndMap;
  } else if (value.is_array() && !value.empty()) {
    out << YAML::BeginSeq;
    for (const ordered_json& entry : value) Emit(entry, out);
    out << YAML::EndSeq;
  } else if (value.is_string()) {
    out << YAML::DoubleQuoted << value.get<std::string>();
  } else if (value.is_object()) {
    out << YAML::Flow << YAML::BeginMap << YAML::EndMap;
  } else if (value.is_array()) {
    out << YAML::Flow << YAML::BeginSeq << YAML::EndSeq;
  } else if (value.is_null()) {
    out << YAML::Null;
  } else {
    out << (value.is_number_float() ? WithPoint(value.dump()) : value.dump());
  }
}

}  // namespace

std::string YamlText(const std::string& json) {
  const ordered_json value = ordered_json::parse(json, nullptr, /*allow_exceptions=*/false);
  ABSL_RAW_CHECK(!value.is_discarded(), "an answer is no JSON");
  YAML::Emitter out;
  Emit(value, out);
  ABSL_RAW_CHECK(out.good(), "an answer that YAML cannot hold");
  return absl::StrCat(out.c_str(), "\n");
}

}  // namespace distill
