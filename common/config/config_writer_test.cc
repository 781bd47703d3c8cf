#include "common/config/config_writer.h"

#include <gtest/gtest.h>

#include <string>

#include "common/config/config_reader.h"
#include "common/config/position_map.h"
#include "common/config/test_config.pb.h"

namespace distill {
namespace {

void ExpectReadsBack(const testing::Plan& plan) {
  const std::string text = RenderYaml(plan);
  testing::Plan back;
  PositionMap positions;
  const absl::Status status = ParseConfig(text, "rendered", &back, &positions);
  ASSERT_TRUE(status.ok()) << status << "\n" << text;
  EXPECT_EQ(back.DebugString(), plan.DebugString()) << text;
}

TEST(RenderYaml, WritesAnEasyToReadTextInOrderOfDeclaration) {
  testing::Plan plan;
  plan.set_name("demo");
  testing::Run* run = plan.add_runs();
  run->set_mode(testing::FAST);
  run->set_name("a");
  run->mutable_local();
  run->add_widths(3);
  run->add_widths(4);
  run->mutable_training()->set_clip(0.1);
  (*plan.mutable_weights())["b"].set_value(1e-7);
  (*plan.mutable_weights())["a"].set_value(5);
  EXPECT_EQ(RenderYaml(plan), R"(name: demo
runs:
  - name: a
    training:
      clip: 0.1
    widths: [3, 4]
    local: {}
    mode: FAST
weights:
  a:
    value: 5
  b:
    value: 1e-07
)");
  ExpectReadsBack(plan);
}

TEST(RenderYaml, IsReadBackToAnEqualMessage) {
  testing::Plan plan;
  for (const char* text :
       {"",    "~",    "null",  "true", "1",   " x ", "a: b", "- a", "#no", "x #y", "\"q\"",
        "'q'", "a\nb", "\t",    "[",    "{}",  "&a",  "*a",   "!t",  "%d",  "@",    "`",
        "\\",  "é",    "a\\nb", "---",  "...", "=",   "\x01", "?",   "x:"}) {
    plan.add_runs()->set_url(text);
    (*plan.mutable_weights())[text].set_value(1);
  }
  for (double value : {0.1, 1.0 / 3, 5e-324, 1.7976931348623157e308, -0.0, 100000000.0}) {
    plan.add_runs()->mutable_training()->set_clip(value);
  }
  plan.mutable_runs(0)->mutable_training()->set_rate(0.1f);
  plan.mutable_runs(0)->mutable_training()->set_exact(true);
  plan.set_seed(18446744073709551615u);
  (*plan.mutable_switches())[-3] = true;
  ExpectReadsBack(plan);
}

TEST(RenderYaml, PutsCommentsBehindValuesAndWritesTheZerosThatAreAskedFor) {
  testing::Plan plan;
  plan.set_name("demo");
  testing::Run* run = plan.add_runs();
  run->set_name("a");
  run->mutable_training()->set_steps(3);
  run->add_widths(3);
  run->add_widths(4);
  (*plan.mutable_weights())["b"].set_value(1);
  YamlNotes notes;
  notes.comment = [](const std::string& path) { return path == "name" ? "two\nlines" : path; };
  notes.show_zero = [](const google::protobuf::FieldDescriptor& field, const std::string& path) {
    EXPECT_EQ(path.substr(path.rfind('.') + 1), field.name());
    return path == "seed" || path == "runs[0].training.exact" || path == "runs[0].training.clip";
  };
  const std::string text = RenderYaml(plan, notes);
  EXPECT_EQ(text, R"(name: demo  # two lines
seed: 0  # seed
runs:
  - name: a  # runs[0].name
    training:
      steps: 3  # runs[0].training.steps
      exact: false  # runs[0].training.exact
    widths: [3, 4]  # runs[0].widths
weights:
  b:
    value: 1  # weights.b.value
)");
  testing::Plan back;
  PositionMap positions;
  ASSERT_TRUE(ParseConfig(text, "rendered", &back, &positions).ok());
  EXPECT_EQ(back.DebugString(), plan.DebugString());
}

TEST(RenderYaml, AnEmptyMessageIsAnEmptyMapping) {
  EXPECT_EQ(RenderYaml(testing::Plan()), "{}\n");
  ExpectReadsBack(testing::Plan());
}

}  // namespace
}  // namespace distill
