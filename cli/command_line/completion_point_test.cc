#include "cli/command_line/completion_point.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <CLI/CLI.hpp>
#include <string>
#include <vector>

namespace distill {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

// tool copy FROM TO [--depth N] [--deep] | tool show
class CompletionPointTest : public ::testing::Test {
 protected:
  CompletionPointTest() {
    CLI::App* copy = app_.add_subcommand("copy");
    copy->add_option("from", from_)->type_name("DIR");
    copy->add_option("to", to_)->type_name("RUN")->check(CLI::IsMember({"a", "b"}));
    copy->add_option("--depth", depth_)->type_name("N");
    copy->add_flag("--deep", deep_);
    app_.add_subcommand("show");
  }
  CompletionPoint At(const std::vector<std::string>& words) {
    return FindCompletionPoint(&app_, words);
  }

  CLI::App app_{"tool"};
  std::string from_, to_;
  int depth_ = 0;
  bool deep_ = false;
};

TEST_F(CompletionPointTest, AtTheBeginningCommandsMayStand) {
  for (const CompletionPoint& point : {At({}), At({""})}) {
    EXPECT_THAT(point.words, ElementsAre("copy", "show"));
    EXPECT_EQ(point.value + point.begun, "");
  }
}

TEST_F(CompletionPointTest, AValueIsOfTheArgumentWhoseTurnItIs) {
  EXPECT_EQ(At({"copy", ""}).value, "DIR");
  EXPECT_EQ(At({"copy", "x", "a"}).value, "RUN");
  EXPECT_EQ(At({"copy", "x", "a"}).begun, "a");
  EXPECT_EQ(At({"copy", "x", "a", ""}).value, "");
}

TEST_F(CompletionPointTest, ValuesOfFlagsAreNoArguments) {
  EXPECT_EQ(At({"copy", "--depth", "2", ""}).value, "DIR");
  EXPECT_EQ(At({"copy", "--depth=2", ""}).value, "DIR");
  EXPECT_EQ(At({"copy", "--deep", ""}).value, "DIR");
  // Nor is one that looks like a command or a flag taken for it.
  EXPECT_EQ(At({"copy", "--depth", "show", ""}).value, "DIR");
  EXPECT_EQ(At({"copy", "--depth", "--depth", ""}).value, "DIR");
}

TEST_F(CompletionPointTest, BehindAFlagItsValueStandsInAWordOfItsOwnOrInTheFlags) {
  EXPECT_EQ(At({"copy", "--depth", "1"}).value, "N");
  EXPECT_EQ(At({"copy", "--depth", "1"}).before, "");
  const CompletionPoint point = At({"copy", "--depth=1"});
  EXPECT_EQ(point.value, "N");
  EXPECT_EQ(point.before, "--depth=");
  EXPECT_EQ(point.begun, "1");
  EXPECT_EQ(At({"copy", "--none=1"}).value, "");
}

TEST_F(CompletionPointTest, FlagsStandOnlyBehindADash) {
  EXPECT_THAT(At({"copy", "-"}).words, ElementsAre("--help", "--depth", "--deep"));
  EXPECT_THAT(At({"copy", ""}).words, IsEmpty());
}

}  // namespace
}  // namespace distill
