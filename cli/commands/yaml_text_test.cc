#include "cli/commands/yaml_text.h"

#include <gtest/gtest.h>
#include <yaml-cpp/yaml.h>

#include <string>

namespace distill {
namespace {

TEST(YamlText, HasTheFieldsOfTheJsonInTheirOrder) {
  EXPECT_EQ(
      YamlText(R"({"version": 1, "ok": true, "rate": 0.1, "gone": null, "none": [], "empty": {},
                         "runs": [{"run_id": "b", "steps": "12"}, {"run_id": "a"}]})"),
      R"(version: 1
ok: true
rate: 0.1
gone: ~
none: []
empty: {}
runs:
  - run_id: "b"
    steps: "12"
  - run_id: "a"
)");
}

TEST(YamlText, WhatOneYamlTakesForAnotherTypeIsWrittenSoThatNoneDoes) {
  EXPECT_EQ(YamlText(R"({"on": 1, "12": 1, "Yes": 1, "a b": 1, "soft_2": 1e-5, "big": 1e20})"),
            R"("on": 1
"12": 1
"Yes": 1
"a b": 1
soft_2: 1.0e-05
big: 1.0e+20
)");
}

TEST(YamlText, AStringIsReadBackAsItWasWhateverItLooksLike) {
  for (const std::string text : {"true", "12", "null", "", "a: b", "- x", "\"q\" 'r' \\", "#",
                                 "two\nlines", "na\xc3\xafve", "\x07"}) {
    std::string json = "{\"s\": \"";
    for (const char c : text) {
      if (c == '\n') {
        json += "\\n";
      } else if (c == '\x07') {
        json += "\\u0007";
      } else {
        if (c == '"' || c == '\\') json += '\\';
        json += c;
      }
    }
    const YAML::Node node = YAML::Load(YamlText(json + "\"}"));
    EXPECT_EQ(node["s"].as<std::string>(), text);
    EXPECT_EQ(node["s"].Tag(), "!");  // quoted
  }
}

}  // namespace
}  // namespace distill
