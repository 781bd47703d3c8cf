#include "common/config/config_reader.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <string>

#include "absl/strings/str_cat.h"
#include "common/config/test_config.pb.h"

namespace distill {
namespace {

constexpr char kGood[] = R"(name: demo
seed: 18446744073709551615
runs:
  - name: a
    training: {steps: 10, batch: 4, clip: 0, rate: 1e-3, exact: true}
    widths: [1, -2, 3]
    local: {path: x.npy}
    mode: EXACT
  - name: b
    url: "10"
    training:
      steps: -5
weights:
  hint: {value: 0.5}
switches:
  3: true
)";

std::string Problems(const std::string& text) {
  testing::Plan plan;
  PositionMap positions;
  const absl::Status status = ParseConfig(text, "p.yaml", &plan, &positions);
  if (status.ok()) return "accepted";
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  return std::string(status.message());
}

void ExpectGood(const testing::Plan& plan) {
  EXPECT_EQ(plan.seed(), 18446744073709551615u);
  ASSERT_EQ(plan.runs_size(), 2);
  EXPECT_EQ(plan.runs(0).training().batch(), 4u);
  EXPECT_EQ(plan.runs(0).training().rate(), 1e-3f);
  EXPECT_TRUE(plan.runs(0).training().exact());
  EXPECT_TRUE(plan.runs(0).training().has_clip());
  EXPECT_FALSE(plan.runs(1).training().has_clip());
  EXPECT_EQ(plan.runs(0).widths(1), -2);
  EXPECT_EQ(plan.runs(0).local().path(), "x.npy");
  EXPECT_EQ(plan.runs(0).mode(), testing::EXACT);
  EXPECT_EQ(plan.runs(1).url(), "10");
  EXPECT_EQ(plan.runs(1).training().steps(), -5);
  EXPECT_EQ(plan.weights().at("hint").value(), 0.5);
  EXPECT_TRUE(plan.switches().at(3));
}

TEST(ParseConfig, ReadsEveryKindOfFieldFromYaml) {
  testing::Plan plan;
  PositionMap positions;
  ASSERT_TRUE(ParseConfig(kGood, "p.yaml", &plan, &positions).ok());
  ExpectGood(plan);
}

TEST(ParseConfig, ReadsJsonTheSameWay) {
  testing::Plan plan;
  PositionMap positions;
  const absl::Status status = ParseConfig(R"({"name": "demo", "seed": 18446744073709551615,
 "runs": [{"name": "a", "training": {"steps": 10, "batch": 4, "clip": 0, "rate": 1e-3,
  "exact": true}, "widths": [1, -2, 3], "local": {"path": "x.npy"}, "mode": "EXACT"},
  {"name": "b", "url": "10", "training": {"steps": -5}}],
 "weights": {"hint": {"value": 0.5}}, "switches": {"3": true}})",
                                          "p.json", &plan, &positions);
  // A JSON key is always quoted, so a map with numbers as keys has none in JSON.
  ASSERT_EQ(std::string(status.message()),
            "p.json:5:52: switches.3: expects a whole number, has \"3\"");
  (*plan.mutable_switches())[3] = true;
  ExpectGood(plan);
}

TEST(ParseConfig, RecordsWhereEachFieldStands) {
  testing::Plan plan;
  PositionMap positions;
  ASSERT_TRUE(ParseConfig(kGood, "p.yaml", &plan, &positions).ok());
  EXPECT_EQ(positions.PositionOf("runs[1].training.steps")->ToString(), "p.yaml:12:7");
  EXPECT_EQ(positions.PositionOf("runs[0].widths[1]")->ToString(), "p.yaml:6:17");
  EXPECT_EQ(positions.PositionOf("weights.hint.value")->ToString(), "p.yaml:14:10");
  // Left out: the nearest enclosing field.
  EXPECT_EQ(positions.PositionOf("runs[1].training.batch")->ToString(), "p.yaml:11:5");
}

TEST(ParseConfig, NamesTheNearestFieldForAnUnknownOne) {
  EXPECT_EQ(Problems("naem: x"), "p.yaml:1:1: unknown field \"naem\"; did you mean name?");
  EXPECT_EQ(Problems("runs:\n- training: {step: 3}"),
            "p.yaml:2:14: runs[0].training: unknown field \"step\"; did you mean steps?");
  EXPECT_EQ(Problems("weights: {a: {zzzzzz: 3}}"),
            "p.yaml:1:15: weights.a: unknown field \"zzzzzz\"; known are: value");
}

TEST(ParseConfig, RefusesValuesOfAnotherType) {
  EXPECT_EQ(Problems("seed: x"), "p.yaml:1:7: seed: expects a whole number, has \"x\"");
  EXPECT_EQ(Problems("seed: \"1\""), "p.yaml:1:7: seed: expects a whole number, has \"1\"");
  EXPECT_EQ(Problems("seed: 1.0"), "p.yaml:1:7: seed: expects a whole number, has \"1.0\"");
  EXPECT_EQ(Problems("seed: 010"), "p.yaml:1:7: seed: expects a whole number, has \"010\"");
  EXPECT_EQ(Problems("seed: [1]"), "p.yaml:1:7: seed: expects a single value, has a list");
  EXPECT_EQ(Problems("seed: 1\nname:"), "p.yaml:2:1: name: expects a single value, has nothing");
  EXPECT_EQ(Problems("runs: {}"), "p.yaml:1:7: runs: expects a list, has a mapping");
  EXPECT_EQ(Problems("runs: [5]"),
            "p.yaml:1:8: runs[0]: expects fields (a mapping; write {} for none), has a single "
            "value");
  EXPECT_EQ(Problems("weights: [5]"),
            "p.yaml:1:10: weights: expects entries (a mapping), has a list");
  EXPECT_EQ(Problems("runs: [{training: {exact: yes}}]"),
            "p.yaml:1:27: runs[0].training.exact: expects true or false, has \"yes\"");
  for (const char* bad : {".nan", ".inf", "-inf", "nan", "0x10", "1,5", "\"1\""}) {
    EXPECT_NE(Problems(absl::StrCat("weights: {a: {value: ", bad, "}}")), "accepted") << bad;
  }
  EXPECT_EQ(Problems("weights: {a: {value: 1e999}}"),
            "p.yaml:1:22: weights.a.value: is out of range: \"1e999\"");
  EXPECT_NE(Problems("blob: x"), "accepted");
}

TEST(ParseConfig, RefusesIntegersOutOfRange) {
  EXPECT_EQ(Problems("seed: -1"),
            "p.yaml:1:7: seed: is out of range: \"-1\"; it must be from 0 to "
            "18446744073709551615");
  EXPECT_EQ(Problems("seed: 18446744073709551616").find("p.yaml:1:7: seed: is out of range"), 0u);
  EXPECT_EQ(Problems("runs: [{widths: [2147483648]}]"),
            "p.yaml:1:18: runs[0].widths[0]: is out of range: \"2147483648\"; it must be from "
            "-2147483648 to 2147483647");
  EXPECT_NE(Problems("runs: [{training: {batch: 4294967296}}]"), "accepted");
}

TEST(ParseConfig, RefusesAFieldGivenTwice) {
  EXPECT_EQ(Problems("seed: 1\nseed: 2"), "p.yaml:2:1: seed: is given twice; first at p.yaml:1:1");
  EXPECT_EQ(Problems("weights:\n  a: {}\n  a: {}"),
            "p.yaml:3:3: weights.a: is given twice; first at p.yaml:2:3");
}

TEST(ParseConfig, NamesTheChoicesOfAnEnum) {
  EXPECT_EQ(Problems("runs: [{mode: EXCAT}]"),
            "p.yaml:1:15: runs[0].mode: has unknown value \"EXCAT\"; choices: FAST, EXACT; did "
            "you mean EXACT?");
  EXPECT_NE(Problems("runs: [{mode: 1}]"), "accepted");
}

TEST(ParseConfig, RefusesTwoFieldsOfOneOneof) {
  EXPECT_EQ(Problems("runs: [{url: a, local: {}}]"),
            "p.yaml:1:17: runs[0].local: cannot stand beside url; only one source may be given");
}

TEST(ParseConfig, ListsAllProblemsAtOnceInOrderOfTheText) {
  EXPECT_EQ(Problems("sed: 1\nruns:\n  - widths: [a, 1, b]\n  - mode: NONE\n"),
            "p.yaml:1:1: unknown field \"sed\"; did you mean seed?\n"
            "p.yaml:3:14: runs[0].widths[0]: expects a whole number, has \"a\"\n"
            "p.yaml:3:20: runs[0].widths[2]: expects a whole number, has \"b\"\n"
            "p.yaml:4:11: runs[1].mode: has unknown value \"NONE\"; choices: FAST, EXACT");
}

TEST(ParseConfig, ReportsASyntaxErrorWithItsPlace) {
  EXPECT_EQ(Problems("name: [1").find("p.yaml:1:"), 0u) << Problems("name: [1");
  EXPECT_EQ(Problems("a: b: c").find("p.yaml:1:5: is not valid YAML or JSON: "), 0u)
      << Problems("a: b: c");
  EXPECT_EQ(Problems(""), "p.yaml:1:1: the file holds no configuration");
  EXPECT_EQ(Problems("name: a\n---\nname: b"),
            "p.yaml:3:1: a second document begins; a file holds one configuration");
}

TEST(ParseConfig, IsBounded) {
  testing::Plan plan;
  PositionMap positions;
  ConfigLimits limits;
  limits.max_bytes = 10;
  EXPECT_EQ(
      std::string(ParseConfig("name: abcdefgh", "p.yaml", &plan, &positions, limits).message()),
      "p.yaml: has 14 bytes; a configuration has at most 10");
  EXPECT_NE(Problems(std::string(100000, '[')), "accepted");
  // Ten levels of ten aliases each: 10^10 values in a few lines.
  std::string laughs = "- &l0 [1, 1, 1, 1, 1, 1, 1, 1, 1, 1]\n";
  for (int i = 1; i < 10; ++i) {
    absl::StrAppend(&laughs, "- &l", i, " [");
    for (int j = 0; j < 10; ++j) absl::StrAppend(&laughs, j ? ", " : "", "*l", i - 1);
    laughs += "]\n";
  }
  EXPECT_NE(Problems(laughs), "accepted");
  limits = ConfigLimits();
  limits.max_values = 6;
  EXPECT_EQ(std::string(ParseConfig("runs: [{widths: [1, 2, 3, 4, 5, 6]}]", "p.yaml", &plan,
                                    &positions, limits)
                            .message()),
            "p.yaml:1:24: runs[0].widths[2]: the configuration has too many values; the rest is "
            "not read");
  limits = ConfigLimits();
  limits.max_depth = 2;
  EXPECT_EQ(
      std::string(ParseConfig("runs: [{training: {steps: 1}}]", "p.yaml", &plan, &positions, limits)
                      .message()),
      "p.yaml:1:19: runs[0].training: is nested deeper than 2 levels");
}

TEST(ParseConfig, StopsListingAfterAHundredProblems) {
  std::string text;
  for (int i = 0; i < 1000; ++i) absl::StrAppend(&text, "x", i, ": 1\n");
  const std::string problems = Problems(text);
  EXPECT_EQ(std::count(problems.begin(), problems.end(), '\n'), 100);
  EXPECT_TRUE(problems.ends_with("\nand more problems, not listed"));
}

class ApplySettingTest : public ::testing::Test {
 protected:
  ApplySettingTest() { EXPECT_TRUE(ParseConfig(kGood, "p.yaml", &plan_, &positions_).ok()); }

  std::string Set(const std::string& setting) {
    const absl::Status status = ApplySetting(setting, &plan_, &positions_);
    return status.ok() ? "ok" : std::string(status.message());
  }

  testing::Plan plan_;
  PositionMap positions_;
};

TEST_F(ApplySettingTest, ReachesElementsByIndexAndByName) {
  EXPECT_EQ(Set("runs.b.training.steps=7"), "ok");
  EXPECT_EQ(Set("runs.0.training.steps=8"), "ok");
  EXPECT_EQ(Set("runs[1].training.batch=9"), "ok");
  EXPECT_EQ(Set("runs.a.widths.0=5"), "ok");
  EXPECT_EQ(plan_.runs(1).training().steps(), 7);
  EXPECT_EQ(plan_.runs(0).training().steps(), 8);
  EXPECT_EQ(plan_.runs(1).training().batch(), 9u);
  EXPECT_EQ(plan_.runs(0).widths(0), 5);
}

TEST_F(ApplySettingTest, ReplacesListsMessagesAndMapEntries) {
  EXPECT_EQ(Set("runs.a.widths=[9, 8]"), "ok");
  EXPECT_EQ(Set("runs.a.training={batch: 2}"), "ok");
  EXPECT_EQ(Set("weights.hint.value=2"), "ok");
  EXPECT_EQ(Set("weights.new.value=3"), "ok");
  EXPECT_EQ(Set("runs.b.local.path=y=z"), "ok");
  EXPECT_EQ(Set("name="), "ok");
  EXPECT_EQ(plan_.runs(0).widths_size(), 2);
  EXPECT_EQ(plan_.runs(0).training().steps(), 0);
  EXPECT_EQ(plan_.weights().size(), 2u);
  EXPECT_EQ(plan_.weights().at("hint").value(), 2);
  EXPECT_EQ(plan_.weights().at("new").value(), 3);
  EXPECT_EQ(plan_.runs(1).local().path(), "y=z");
  EXPECT_FALSE(plan_.runs(1).has_url());
  EXPECT_EQ(plan_.name(), "");
}

TEST_F(ApplySettingTest, MovesThePositionOfWhatItSets) {
  EXPECT_EQ(Set("runs.b.training.steps=7"), "ok");
  EXPECT_EQ(positions_.PositionOf("runs[1].training.steps")->ToString(),
            "--set runs.b.training.steps=7");
  EXPECT_EQ(positions_.PositionOf("runs[1].url")->ToString(), "p.yaml:10:5");
}

TEST_F(ApplySettingTest, RefusesWithTheSettingAndChangesNothing) {
  const std::string before = plan_.DebugString();
  EXPECT_EQ(Set("seed"),
            "--set seed: expects field=value, such as runs.student.training.steps=100");
  EXPECT_EQ(Set("runs.bb.name=x"),
            "--set runs.bb.name=x: runs has 2 entries and none is \"bb\"; did you mean b?");
  EXPECT_EQ(Set("runs.2.name=x"),
            "--set runs.2.name=x: runs has 2 entries and none is \"2\"; did you mean a?");
  EXPECT_EQ(Set("runs.b.trainig.steps=1"),
            "--set runs.b.trainig.steps=1: runs[1]: unknown field \"trainig\"; did you mean "
            "training?");
  EXPECT_EQ(Set("seed.x=1"), "--set seed.x=1: seed is a single value; it has no field \"x\"");
  EXPECT_EQ(Set("runs.b.training.steps=ten"),
            "--set runs.b.training.steps=ten: runs[1].training.steps: expects a whole number, "
            "has \"ten\"");
  EXPECT_EQ(Set("runs.a.widths=[1").find("--set runs.a.widths=[1: is not valid YAML"), 0u);
  EXPECT_EQ(plan_.DebugString(), before);
  EXPECT_EQ(positions_.PositionOf("runs[1].training.steps")->ToString(), "p.yaml:12:7");
}

}  // namespace
}  // namespace distill
