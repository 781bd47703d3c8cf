#include "benchmarks/support/bench_report.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

namespace distill {
namespace {

using ::testing::HasSubstr;

BenchReport Sample() {
  BenchReport report;
  report.name = "pipe";
  report.limits = "loopback only";
  const Series ours{"ours", {90, 45, 80}, {1, 1, 1}, {0, 0, 0}};
  const Series raw{"raw", {100, 50, 100}, {1, 1, 1}, {0, 0, 0}};
  report.Add("8x64/", {ours, raw});
  report.AddRatio("over_raw", ours, raw);
  report.AddNoise({"raw", {100, 100}, {}, {}}, {"again", {97, 101}, {}, {}});
  return report;
}

TEST(BenchReport, JsonIsOneLineWithValuesSamplesAndNoise) {
  const std::string line = ToJson(Sample());
  EXPECT_EQ(line.find('\n'), std::string::npos);
  const auto json = nlohmann::json::parse(line);
  EXPECT_EQ(json["name"], "pipe");
  EXPECT_DOUBLE_EQ(json["values"]["over_raw"], 0.9);
  EXPECT_EQ(json["samples"]["over_raw"].size(), 3u);
  EXPECT_DOUBLE_EQ(json["samples"]["8x64/ours.per_second"][1], 45);
  EXPECT_NEAR(json["noise"], 0.03, 1e-12);
}

TEST(BenchReport, TheTableShowsSpreadNoiseAndLimits) {
  const std::string table = ToTable(Sample());
  EXPECT_THAT(table, HasSubstr("over_raw"));
  EXPECT_THAT(table, HasSubstr("3.0 %"));
  EXPECT_THAT(table, HasSubstr("loopback only"));
}

}  // namespace
}  // namespace distill
