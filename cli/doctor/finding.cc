#include "cli/doctor/finding.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "absl/strings/str_cat.h"

namespace distill {
namespace {

const char* Name(Verdict verdict) {
  switch (verdict) {
    case Verdict::kOk:
      return "OK";
    case Verdict::kWarn:
      return "WARN";
    case Verdict::kFail:
      break;
  }
  return "FAIL";
}

}  // namespace

std::string FindingsText(std::span<const Finding> findings) {
  std::string text;
  for (const Finding& finding : findings) {
    std::string verdict = Name(finding.verdict);
    verdict.resize(6, ' ');
    absl::StrAppend(&text, verdict, finding.check, ": ", finding.found,
                    finding.fix.empty() ? "" : "; ", finding.fix, "\n");
  }
  return text;
}

std::string FindingsJson(std::span<const Finding> findings) {
  nlohmann::ordered_json checks = nlohmann::ordered_json::array();
  for (const Finding& finding : findings) {
    checks.push_back({{"check", finding.check},
                      {"verdict", Name(finding.verdict)},
                      {"found", finding.found},
                      {"fix", finding.fix}});
  }
  return nlohmann::ordered_json{
             {"version", 1}, {"ok", NoneFailed(findings)}, {"checks", std::move(checks)}}
             .dump(2) +
         "\n";
}

bool NoneFailed(std::span<const Finding> findings) {
  return std::ranges::none_of(
      findings, [](const Finding& finding) { return finding.verdict == Verdict::kFail; });
}

}  // namespace distill
