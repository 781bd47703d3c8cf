#include "cli/command_line/command_line.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace distill {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

PrintAndExit Printed(const std::vector<std::string>& arguments) {
  Command command = ParseCommandLine(arguments);
  if (auto* printed = std::get_if<PrintAndExit>(&command)) return *printed;
  ADD_FAILURE() << "parsed as a command";
  return {};
}

TEST(CommandLine, RunTakesAConfigurationAFolderSettingsAndASeed) {
  const Command command =
      ParseCommandLine({"run", "plan.yaml", "--run-dir", "d", "--set", "runs.a.training.steps=3",
                        "--set", "name=x", "--seed", "7"});
  const auto& run = std::get<RunCommand>(command);
  EXPECT_EQ(run.config, "plan.yaml");
  EXPECT_EQ(run.run_dir, "d");
  EXPECT_THAT(run.settings, ElementsAre("runs.a.training.steps=3", "name=x"));
  EXPECT_EQ(run.seed, 7u);
}

TEST(CommandLine, WithoutASeedThePlansOwnHolds) {
  const Command command = ParseCommandLine({"run", "plan.yaml", "--run-dir", "d"});
  EXPECT_FALSE(std::get<RunCommand>(command).seed.has_value());
}

TEST(CommandLine, CommandsOnARunDirectory) {
  EXPECT_EQ(std::get<ResumeCommand>(ParseCommandLine({"resume", "d"})).run_dir, "d");
  EXPECT_EQ(std::get<StopCommand>(ParseCommandLine({"stop", "d"})).run_dir, "d");
  EXPECT_TRUE(std::get<StatusCommand>(ParseCommandLine({"status", "d", "--json"})).json);
  EXPECT_EQ(std::get<DigestCommand>(ParseCommandLine({"digest", "d/teacher"})).path, "d/teacher");
}

TEST(CommandLine, APlanIsWatchedByItsFolderOrItsCoordinator) {
  const Command watched = ParseCommandLine({"watch", "d", "--json", "--color=never"});
  const auto& watch = std::get<WatchCommand>(watched);
  EXPECT_EQ(watch.run_dir, "d");
  EXPECT_TRUE(watch.json);
  EXPECT_EQ(watch.color, ColorChoice::kNever);
  const Command topped = ParseCommandLine({"top", "--coordinator", "h:1"});
  const auto& top = std::get<TopCommand>(topped);
  EXPECT_EQ(top.coordinator, "h:1");
  EXPECT_EQ(top.run_dir, "");
  EXPECT_EQ(top.color, ColorChoice::kAuto);
  EXPECT_EQ(Printed({"watch"}).code, ExitCode::kUsage);
  EXPECT_THAT(Printed({"top"}).text, HasSubstr("a run directory or --coordinator is required"));
  EXPECT_EQ(Printed({"watch", "d", "--color=pink"}).code, ExitCode::kUsage);
}

TEST(CommandLine, RunsMayBeColoured) {
  const Command run = ParseCommandLine({"run", "f", "--run-dir=d", "--color=always"});
  EXPECT_EQ(std::get<RunCommand>(run).color, ColorChoice::kAlways);
  const Command resume = ParseCommandLine({"resume", "d", "--color", "never"});
  EXPECT_EQ(std::get<ResumeCommand>(resume).color, ColorChoice::kNever);
}

TEST(CommandLine, LogsAreThoseOfAllOrOneWholeOrTheirEnd) {
  const Command all = ParseCommandLine({"logs", "d"});
  EXPECT_EQ(std::get<LogsCommand>(all).process, "");
  EXPECT_FALSE(std::get<LogsCommand>(all).follow);
  EXPECT_FALSE(std::get<LogsCommand>(all).tail.has_value());
  const Command one = ParseCommandLine({"logs", "d", "teacher-0", "-f", "--tail", "0"});
  EXPECT_EQ(std::get<LogsCommand>(one).process, "teacher-0");
  EXPECT_TRUE(std::get<LogsCommand>(one).follow);
  EXPECT_EQ(std::get<LogsCommand>(one).tail, 0u);
  EXPECT_EQ(Printed({"logs", "d", "--tail=-1"}).code, ExitCode::kUsage);
}

TEST(CommandLine, ConfigShowsAndValidates) {
  EXPECT_EQ(std::get<ConfigShowCommand>(ParseCommandLine({"config", "show", "f"})).config, "f");
  EXPECT_FALSE(std::get<ConfigShowCommand>(ParseCommandLine({"config", "show", "f"})).origin);
  EXPECT_TRUE(
      std::get<ConfigShowCommand>(ParseCommandLine({"config", "show", "f", "--origin"})).origin);
  EXPECT_EQ(std::get<ConfigExplainCommand>(ParseCommandLine({"config", "explain", "a.b"})).field,
            "a.b");
  EXPECT_EQ(std::get<ConfigExplainCommand>(ParseCommandLine({"config", "explain"})).field, "");
  EXPECT_TRUE(
      std::holds_alternative<ConfigReferenceCommand>(ParseCommandLine({"config", "reference"})));
  const Command validate = ParseCommandLine({"config", "validate", "f", "--set", "seed=2"});
  EXPECT_THAT(std::get<ConfigValidateCommand>(validate).settings, ElementsAre("seed=2"));
}

TEST(CommandLine, MetricsAreListedForPeopleMachinesOrThePageButNotForTwo) {
  EXPECT_FALSE(std::get<MetricsListCommand>(ParseCommandLine({"metrics", "list"})).json);
  EXPECT_TRUE(std::get<MetricsListCommand>(ParseCommandLine({"metrics", "list", "--json"})).json);
  EXPECT_TRUE(
      std::get<MetricsListCommand>(ParseCommandLine({"metrics", "list", "--markdown"})).markdown);
  EXPECT_EQ(Printed({"metrics", "list", "--json", "--markdown"}).code, ExitCode::kUsage);
  EXPECT_EQ(Printed({"metrics"}).code, ExitCode::kUsage);
  EXPECT_THAT(Printed({"metrics", "lsit"}).text, HasSubstr("Did you mean 'list'?"));
}

TEST(CommandLine, LabelNamesThePlanTheRunTheTeachersFolderAndWhereTheSetGoes) {
  const auto label = std::get<LabelCommand>(
      ParseCommandLine({"label", "f", "--run=r", "--run-dir=d", "--out=o", "--teachers=h:1,h:2",
                        "--block-rows=32", "--seed=5"}));
  EXPECT_EQ(label.config, "f");
  EXPECT_EQ(label.run, "r");
  EXPECT_EQ(label.role, "");
  EXPECT_EQ(label.run_dir, "d");
  EXPECT_EQ(label.out, "o");
  EXPECT_THAT(label.teachers, ElementsAre("h:1", "h:2"));
  EXPECT_EQ(label.block_rows, 32u);
  EXPECT_EQ(label.seed, 5u);
  EXPECT_EQ(Printed({"label", "f", "--run=r", "--run-dir=d"}).code, ExitCode::kUsage);
}

TEST(CommandLine, ModelsFromFilesAreListedAndAllowed) {
  EXPECT_EQ(std::get<ModelManifestCommand>(ParseCommandLine({"model", "manifest", "m"})).dir, "m");
  const std::vector<std::string> flags = {"--model-dir=m", "--allow-executable-models"};
  const auto with = [&](std::vector<std::string> words) {
    words.insert(words.end(), flags.begin(), flags.end());
    return ParseCommandLine(words);
  };
  const auto run = std::get<RunCommand>(with({"run", "f", "--run-dir=d"}));
  EXPECT_EQ(run.models.dir, "m");
  EXPECT_TRUE(run.models.allow_executable);
  EXPECT_TRUE(std::get<ResumeCommand>(with({"resume", "d"})).models.allow_executable);
  EXPECT_TRUE(std::get<LabelCommand>(with({"label", "f", "--run=r", "--run-dir=d", "--out=o"}))
                  .models.allow_executable);
  EXPECT_FALSE(std::get<ResumeCommand>(ParseCommandLine({"resume", "d"})).models.allow_executable);
}

TEST(CommandLine, HelpBeginsWithTwoExamplesAndExitsWithZero) {
  const PrintAndExit help = Printed({"--help"});
  EXPECT_EQ(help.code, ExitCode::kDone);
  EXPECT_THAT(help.text, HasSubstr("distillctl run examples/fashion_mnist.yaml"));
  EXPECT_THAT(help.text, HasSubstr("distillctl status"));
  EXPECT_THAT(help.text, HasSubstr("Exit codes"));
}

TEST(CommandLine, EveryCommandAnswersHelpEvenWhenOtherArgumentsAreWrong) {
  for (const std::string command :
       {"run", "resume", "stop", "status", "label", "digest", "config", "watch", "top", "logs"}) {
    EXPECT_EQ(Printed({command, "-h"}).code, ExitCode::kDone) << command;
    EXPECT_EQ(Printed({command, "--nonsense", "--help"}).code, ExitCode::kDone) << command;
  }
}

TEST(CommandLine, AnUnknownCommandOffersTheNearest) {
  const PrintAndExit usage = Printed({"statsu", "d"});
  EXPECT_EQ(usage.code, ExitCode::kUsage);
  EXPECT_THAT(usage.text, HasSubstr("Did you mean 'status'?"));
}

TEST(CommandLine, AnUnknownFlagOffersTheNearest) {
  const PrintAndExit usage = Printed({"run", "f", "--run-dri=d"});
  EXPECT_EQ(usage.code, ExitCode::kUsage);
  EXPECT_THAT(usage.text, HasSubstr("Did you mean '--run-dir'?"));
}

TEST(CommandLine, NoCommandAndAnIllTypedSeedAreUsageErrors) {
  EXPECT_EQ(Printed({}).code, ExitCode::kUsage);
  EXPECT_EQ(Printed({"run", "f", "--run-dir", "d", "--seed", "x"}).code, ExitCode::kUsage);
}

}  // namespace
}  // namespace distill
