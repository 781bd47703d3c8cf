#include "cli/commands/yaml_text.h"

#include <yaml-cpp/yaml.h>

#include <nlohmann/json.hpp>

#include "absl/base/internal/raw_logging.h"
#include "absl/strings/str_cat.h"

namespace distill {
namespace {

using nlohmann::ordered_json;

void Emit(const ordered_json& value, YAML::Emitter& out) {
  if (value.is_object() && !value.empty()) {
    out << YAML::BeginMap;
    for (const auto& [name, field] : value.items()) {
      out << YAML::Key << name << YAML::Value;
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
    out << value.dump();  // a number or a truth value is written alike
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
