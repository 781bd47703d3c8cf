#include "cli/version/version.h"

#include <algorithm>
#include <cstdio>
#include <nlohmann/json.hpp>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/build_info/build_info.h"
#include "common/rpc/rpc_version.h"

namespace distill {
namespace {

// Of the JSON, so that a script sees when its meaning changes.
constexpr int kFormatVersion = 1;

}  // namespace

ProgramVersion ThisVersion(const std::string& program, const std::string& libtorch) {
  return {program, kVersion, BuildCommit(), BuildCompiler(), libtorch, RpcVersion(), CpuFeatures()};
}

std::string VersionText(const ProgramVersion& version) {
  const std::string features = absl::StrJoin(version.cpu_features, " ");
  return absl::StrCat(version.program, " ", version.version, "\ncommit    ", version.commit,
                      "\ncompiler  ", version.compiler, "\nLibTorch  ",
                      version.libtorch.empty() ? "not linked" : version.libtorch, "\ngRPC      ",
                      version.grpc, "\nCPU       ",
                      features.empty() ? "no known feature" : features, "\n");
}

std::string VersionJson(const ProgramVersion& version) {
  nlohmann::ordered_json json = {{"version", kFormatVersion},
                                 {"program", version.program},
                                 {"program_version", version.version},
                                 {"commit", version.commit},
                                 {"compiler", version.compiler},
                                 {"libtorch", nullptr},
                                 {"grpc", version.grpc},
                                 {"cpu_features", version.cpu_features}};
  if (!version.libtorch.empty()) json["libtorch"] = version.libtorch;
  return json.dump(2) + "\n";
}

bool ParseVersionJson(const std::string& text, ProgramVersion* version) {
  const auto json = nlohmann::json::parse(text, nullptr, /*allow_exceptions=*/false);
  const auto text_of = [&json](const char* field, std::string* value) {
    const auto found = json.find(field);
    if (found == json.end() || !found->is_string()) return false;
    *value = found->get<std::string>();
    return true;
  };
  if (!json.is_object() || json.value("version", 0) != kFormatVersion) return false;
  if (!text_of("libtorch", &version->libtorch)) version->libtorch.clear();
  return text_of("program", &version->program) && text_of("program_version", &version->version) &&
         text_of("commit", &version->commit) && text_of("compiler", &version->compiler) &&
         text_of("grpc", &version->grpc);
}

bool AnswerVersion(const std::string& program, const std::string& libtorch,
                   const std::vector<std::string>& arguments) {
  const auto given = [&arguments](const char* flag) {
    return std::ranges::find(arguments, flag) != arguments.end();
  };
  if (!given("--version")) return false;
  const ProgramVersion version = ThisVersion(program, libtorch);
  std::fputs((given("--json") ? VersionJson(version) : VersionText(version)).c_str(), stdout);
  return true;
}

}  // namespace distill
