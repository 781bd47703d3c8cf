#include "cli/doctor/finding.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <vector>

namespace distill {
namespace {

const std::vector<Finding>& Findings() {
  static const auto* const findings = new std::vector<Finding>{
      {Verdict::kOk, "memory", "8 GiB free", ""},
      {Verdict::kWarn, "disk", "500 MiB free", "free some"},
  };
  return *findings;
}

TEST(Finding, IsOneLineWithVerdictCheckAndFix) {
  EXPECT_EQ(FindingsText(Findings()),
            "OK    memory: 8 GiB free\n"
            "WARN  disk: 500 MiB free; free some\n");
}

TEST(Finding, IsAVersionedObjectForScripts) {
  const auto json = nlohmann::json::parse(FindingsJson(Findings()));
  EXPECT_EQ(json["version"], 1);
  EXPECT_EQ(json["ok"], true);
  ASSERT_EQ(json["checks"].size(), 2u);
  EXPECT_EQ(json["checks"][1]["check"], "disk");
  EXPECT_EQ(json["checks"][1]["verdict"], "WARN");
  EXPECT_EQ(json["checks"][1]["found"], "500 MiB free");
  EXPECT_EQ(json["checks"][1]["fix"], "free some");
}

TEST(Finding, OnlyAFailureFailsTheWhole) {
  std::vector<Finding> findings = Findings();
  EXPECT_TRUE(NoneFailed(findings));
  findings[0].verdict = Verdict::kFail;
  EXPECT_FALSE(NoneFailed(findings));
  EXPECT_EQ(FindingsText(findings).substr(0, 6), "FAIL  ");
  EXPECT_EQ(nlohmann::json::parse(FindingsJson(findings))["ok"], false);
}

}  // namespace
}  // namespace distill
