#include "cli/command_line/command_line.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>
#include <sstream>
#include <utility>

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

TEST(CommandLine, AFolderWithoutANameAndACoordinatorWithoutAnAddressAreRefused) {
  for (const std::vector<std::string>& arguments :
       {std::vector<std::string>{"run", "f", "--run-dir", ""},
        {"resume", ""},
        {"status", ""},
        {"logs", ""},
        {"watch", ""},
        {"run", "f", "--run-dir=d", "--coordinator", ""},
        {"stop", "d", "--coordinator", ""},
        {"label", "f", "--run=r", "--run-dir=d", "--out", ""}}) {
    const PrintAndExit usage = Printed(arguments);
    EXPECT_EQ(usage.code, ExitCode::kUsage) << arguments[0];
    EXPECT_THAT(usage.text, HasSubstr("the value is empty")) << arguments[0];
  }
}

TEST(CommandLine, AFlagWhoseValueAnUnsetVariableWasToGiveTakesNoOtherFlagForIt) {
  const PrintAndExit usage = Printed({"run", "f", "--run-dir=", "--dry-run"});
  EXPECT_EQ(usage.code, ExitCode::kUsage);
  EXPECT_THAT(usage.text, HasSubstr("--run-dir: the value is empty"));
  const Command set = ParseCommandLine({"run", "f", "--run-dir=d", "--set=name="});
  EXPECT_EQ(std::get<RunCommand>(set).settings, std::vector<std::string>{"name="});
}

TEST(CommandLine, SeedsAndCountsAreWholeNumbersFromZeroOn) {
  for (const char* seed : {"-1", "1.5", "1e3", "0x10", " 1", ""}) {
    const PrintAndExit usage = Printed({"run", "f", "--run-dir=d", std::string("--seed=") + seed});
    EXPECT_EQ(usage.code, ExitCode::kUsage) << seed;
    EXPECT_EQ(
        Printed({"label", "f", "--run=r", "--run-dir=d", "--out=o", std::string("--seed=") + seed})
            .code,
        ExitCode::kUsage);
  }
  EXPECT_THAT(Printed({"run", "f", "--run-dir=d", "--seed=-1"}).text,
              HasSubstr("--seed: '-1' is not a whole number from 0 to 2^64 - 1"));
  EXPECT_THAT(Printed({"logs", "d", "--tail=-1"}).text, HasSubstr("'-1' is not a whole number"));
  const Command greatest =
      ParseCommandLine({"run", "f", "--run-dir=d", "--seed=18446744073709551615"});
  EXPECT_EQ(std::get<RunCommand>(greatest).seed, ~uint64_t{0});
  EXPECT_EQ(std::get<RunCommand>(ParseCommandLine({"run", "f", "--run-dir=d", "--seed=010"})).seed,
            10u);
  EXPECT_EQ(std::get<LogsCommand>(ParseCommandLine({"logs", "d", "--tail=08"})).tail, 8u);
  EXPECT_EQ(Printed({"run", "f", "--run-dir=d", "--seed=18446744073709551616"}).code,
            ExitCode::kUsage);
}

TEST(CommandLine, CommandsOnARunDirectory) {
  EXPECT_EQ(std::get<ResumeCommand>(ParseCommandLine({"resume", "d"})).run_dir, "d");
  EXPECT_EQ(std::get<ResumeCommand>(ParseCommandLine({"resume", "d"})).coordinator, "");
  EXPECT_EQ(
      std::get<ResumeCommand>(ParseCommandLine({"resume", "d", "--coordinator=h:1"})).coordinator,
      "h:1");
  EXPECT_EQ(std::get<StopCommand>(ParseCommandLine({"stop", "d"})).run_dir, "d");
  EXPECT_EQ(std::get<StatusCommand>(ParseCommandLine({"status", "d"})).run_dir, "d");
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
  EXPECT_THAT(Printed({"watch", "d", "--color=pink"}).text,
              HasSubstr("--color: 'pink' is none of auto, always, never ["));
}

TEST(CommandLine, AVariableNamesACoordinatorOnlyWhereNoDirectoryIsNamed) {
  setenv("DISTILL_COORDINATOR", "other:7000", 1);
  EXPECT_EQ(std::get<StopCommand>(ParseCommandLine({"stop", "d"})).coordinator, "");
  EXPECT_EQ(std::get<StatusCommand>(ParseCommandLine({"status", "d"})).coordinator, "");
  EXPECT_EQ(std::get<WatchCommand>(ParseCommandLine({"watch", "d"})).coordinator, "");
  EXPECT_EQ(std::get<TopCommand>(ParseCommandLine({"top", "d"})).coordinator, "");
  EXPECT_EQ(std::get<WatchCommand>(ParseCommandLine({"watch"})).coordinator, "other:7000");
  EXPECT_EQ(std::get<TopCommand>(ParseCommandLine({"top", "--coordinator=h:1"})).coordinator,
            "h:1");
  unsetenv("DISTILL_COORDINATOR");
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

TEST(CommandLine, TheFormOfAnAnswerIsChosenAlikeWhereverThereIsAChoice) {
  const auto form = [](std::vector<std::string> words, const std::vector<std::string>& flags) {
    words.insert(words.end(), flags.begin(), flags.end());
    const Command command = ParseCommandLine(words);
    if (const auto* status = std::get_if<StatusCommand>(&command)) return status->output;
    if (const auto* list = std::get_if<MetricsListCommand>(&command)) return list->output;
    if (const auto* explain = std::get_if<ExplainCommand>(&command)) return explain->output;
    return std::get<DoctorCommand>(command).output;
  };
  const std::vector<std::string> all[] = {
      {"status", "d"}, {"metrics", "list"}, {"explain"}, {"doctor"}};
  for (const std::vector<std::string>& command : all) {
    EXPECT_EQ(form(command, {}).form, OutputForm::kTable);
    EXPECT_TRUE(form(command, {}).headers);
    EXPECT_EQ(form(command, {"--json"}).form, OutputForm::kJson);
    EXPECT_EQ(form(command, {"-o", "yaml"}).form, OutputForm::kYaml);
    EXPECT_EQ(form(command, {"--output=json"}).form, OutputForm::kJson);
    if (command[0] == "doctor") continue;
    EXPECT_EQ(form(command, {"-o", "wide"}).form, OutputForm::kWide);
    EXPECT_EQ(form(command, {"-o", "name"}).form, OutputForm::kName);
    EXPECT_FALSE(form(command, {"--no-headers"}).headers);
  }
  EXPECT_EQ(form({"metrics", "list"}, {"-o", "markdown"}).form, OutputForm::kMarkdown);
  EXPECT_EQ(form({"explain"}, {"-o", "markdown"}).form, OutputForm::kMarkdown);
}

TEST(CommandLine, AFormThatACommandDoesNotHaveIsAUsageErrorThatNamesThoseItHas) {
  const PrintAndExit unknown = Printed({"status", "d", "-o", "markdown"});
  EXPECT_EQ(unknown.code, ExitCode::kUsage);
  EXPECT_THAT(unknown.text,
              HasSubstr("--output: 'markdown' is none of table, wide, json, yaml, name ["));
  EXPECT_EQ(Printed({"status", "d", "-o", "1"}).code, ExitCode::kUsage);
  EXPECT_EQ(Printed({"doctor", "-o", "wide"}).code, ExitCode::kUsage);
  EXPECT_EQ(Printed({"metrics", "list", "--json", "-o", "name"}).code, ExitCode::kUsage);
}

TEST(CommandLine, MetricsIsAGroupOfCommands) {
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
  const auto manifest =
      std::get<ModelManifestCommand>(ParseCommandLine({"model", "manifest", "m", "--dry-run"}));
  EXPECT_EQ(manifest.dir, "m");
  EXPECT_TRUE(manifest.dry_run);
  const std::vector<std::string> flags = {"--model-dir=m", "--allow-executable-models"};
  const auto with = [&](std::vector<std::string> words) {
    words.insert(words.end(), flags.begin(), flags.end());
    return ParseCommandLine(words);
  };
  const auto run = std::get<RunCommand>(with({"run", "f", "--run-dir=d"}));
  EXPECT_EQ(run.models.dir, "m");
  EXPECT_TRUE(run.models.allow_executable);
  EXPECT_TRUE(std::get<ResumeCommand>(with({"resume", "d"})).models.allow_executable);
  EXPECT_TRUE(std::get<DoctorCommand>(with({"doctor"})).models.allow_executable);
  EXPECT_TRUE(std::get<LabelCommand>(with({"label", "f", "--run=r", "--run-dir=d", "--out=o"}))
                  .models.allow_executable);
  EXPECT_FALSE(std::get<ResumeCommand>(ParseCommandLine({"resume", "d"})).models.allow_executable);
}

TEST(CommandLine, HelpOfEveryCommandBeginsWithTwoExamplesOfItAndExitsWithZero) {
  EXPECT_THAT(Printed({"--help"}).text, HasSubstr("Exit codes"));
  for (const std::vector<std::string>& command :
       std::vector<std::vector<std::string>>{{},
                                             {"run"},
                                             {"resume"},
                                             {"stop"},
                                             {"status"},
                                             {"digest"},
                                             {"label"},
                                             {"config"},
                                             {"config", "show"},
                                             {"config", "validate"},
                                             {"config", "explain"},
                                             {"config", "reference"},
                                             {"metrics"},
                                             {"metrics", "list"},
                                             {"metrics", "explain"},
                                             {"explain"},
                                             {"doctor"},
                                             {"completion"},
                                             {"reference"}}) {
    std::vector<std::string> arguments = command;
    arguments.push_back("--help");
    const PrintAndExit help = Printed(arguments);
    EXPECT_EQ(help.code, ExitCode::kDone);
    std::string named = "  distillctl";
    for (const std::string& word : command) named += " " + word;
    const std::string first = "Examples:\n";
    ASSERT_THAT(help.text, ::testing::StartsWith(first));
    size_t examples = 0;
    for (size_t at = first.size(); at < help.text.find("\n\n"); at = help.text.find('\n', at) + 1) {
      const std::string line = help.text.substr(at, help.text.find('\n', at) - at);
      EXPECT_THAT(line, HasSubstr(named.substr(2)));
      ++examples;
    }
    EXPECT_EQ(examples, 2u) << help.text;
  }
}

TEST(CommandLine, FlagsAreGroupedInHelp) {
  const std::string help = Printed({"run", "--help"}).text;
  EXPECT_THAT(help, HasSubstr("Where:\n"));
  EXPECT_THAT(help, HasSubstr("Changes to the plan:\n"));
}

TEST(CommandLine, AUsageErrorHasAnIdAndSaysWhatExplainsIt) {
  const std::pair<std::vector<std::string>, const char*> errors[] = {
      {{"statsu"}, "DST-1001"},
      {{"run", "f", "--run-dri=d"}, "DST-1002"},
      {{"run", "f"}, "DST-1003"},
      {{"run", "f", "--run-dir", "d", "--seed", "x"}, "DST-1004"},
      {{"explain", "--json", "-o", "name"}, "DST-1004"},
      {{"completion", "csh"}, "DST-1004"},
  };
  for (const auto& [arguments, id] : errors) {
    const PrintAndExit usage = Printed(arguments);
    EXPECT_EQ(usage.code, ExitCode::kUsage);
    EXPECT_THAT(usage.text, HasSubstr(std::string(" [") + id + "]\n"));
    EXPECT_THAT(usage.text,
                ::testing::EndsWith(std::string("More: distillctl explain ") + id + "\n"));
  }
}

TEST(CommandLine, AFlagGoesBeforeItsEnvironmentVariable) {
  setenv("DISTILL_SEED", "5", 1);
  setenv("DISTILL_RUN_DIR", "from/environment", 1);
  const auto run = std::get<RunCommand>(ParseCommandLine({"run", "f"}));
  const auto flagged =
      std::get<RunCommand>(ParseCommandLine({"run", "f", "--run-dir=d", "--seed=7"}));
  unsetenv("DISTILL_SEED");
  unsetenv("DISTILL_RUN_DIR");
  EXPECT_EQ(run.seed, 5u);
  EXPECT_EQ(run.run_dir, "from/environment");
  EXPECT_EQ(flagged.seed, 7u);
  EXPECT_EQ(flagged.run_dir, "d");
}

TEST(CommandLine, CommandsThatChangeSomethingCanBeTriedDry) {
  EXPECT_TRUE(
      std::get<RunCommand>(ParseCommandLine({"run", "f", "--run-dir=d", "--dry-run"})).dry_run);
  EXPECT_TRUE(std::get<ResumeCommand>(ParseCommandLine({"resume", "d", "--dry-run"})).dry_run);
  EXPECT_TRUE(std::get<StopCommand>(ParseCommandLine({"stop", "d", "--dry-run"})).dry_run);
  EXPECT_TRUE(std::get<LabelCommand>(ParseCommandLine({"label", "f", "--run=r", "--run-dir=d",
                                                       "--out=o", "--dry-run"}))
                  .dry_run);
  EXPECT_TRUE(std::get<StopCommand>(ParseCommandLine({"stop", "d", "--yes"})).yes);
}

TEST(CommandLine, VersionIsAnsweredForPeopleAndForScripts) {
  EXPECT_FALSE(std::get<VersionCommand>(ParseCommandLine({"--version"})).json);
  EXPECT_TRUE(std::get<VersionCommand>(ParseCommandLine({"--version", "--json"})).json);
}

TEST(CommandLine, WhatHelpsTakesItsArguments) {
  EXPECT_EQ(std::get<ExplainCommand>(ParseCommandLine({"explain"})).id, "");
  EXPECT_EQ(std::get<ExplainCommand>(ParseCommandLine({"explain", "DST-1101"})).id, "DST-1101");
  EXPECT_EQ(std::get<DoctorCommand>(ParseCommandLine({"doctor"})).run_dir, ".");
  const auto doctor = std::get<DoctorCommand>(
      ParseCommandLine({"doctor", "--config", "f", "--run-dir=d", "--json"}));
  EXPECT_EQ(doctor.config, "f");
  EXPECT_EQ(doctor.run_dir, "d");
  EXPECT_EQ(doctor.output.form, OutputForm::kJson);
  EXPECT_EQ(std::get<CompletionCommand>(ParseCommandLine({"completion", "zsh"})).shell, "zsh");
  EXPECT_EQ(std::get<MetricsExplainCommand>(ParseCommandLine({"metrics", "explain", "m"})).name,
            "m");
}

TEST(CommandLine, WordsToCompleteAreTakenAsTheyAre) {
  const Command command = ParseCommandLine({"__complete", "--", "run", "--help"});
  EXPECT_THAT(std::get<CompleteCommand>(command).words, ElementsAre("run", "--help"));
}

TEST(CommandLine, ThePageInDocsIsWhatHelpPrints) {
  std::ifstream file("docs/commands.md");
  std::stringstream page;
  page << file.rdbuf();
  EXPECT_EQ(page.str(), CommandPage()) << "write it anew: distillctl reference >docs/commands.md";
}

TEST(CommandLine, EveryCommandAnswersHelpEvenWhenOtherArgumentsAreWrong) {
  for (const std::string command :
       {"run", "resume", "stop", "status", "label", "digest", "config", "watch", "top", "logs"}) {
    EXPECT_EQ(Printed({command, "-h"}).code, ExitCode::kDone) << command;
    EXPECT_EQ(Printed({command, "--nonsense", "--help"}).code, ExitCode::kDone) << command;
    EXPECT_EQ(Printed({"completion", "csh", "-h"}).code, ExitCode::kDone);
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
