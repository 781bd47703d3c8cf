#include "cli/completion/completion.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>
#include <string>
#include <vector>

#include "common/files/fake_file_system.h"

namespace distill {
namespace {

using ::testing::Contains;
using ::testing::Each;
using ::testing::ElementsAre;
using ::testing::Ge;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::IsSupersetOf;
using ::testing::Not;
using ::testing::SizeIs;
using ::testing::StartsWith;

class CompletionTest : public ::testing::Test {
 protected:
  void SetUp() override {
    for (const char* folder : {"runs/first/teacher", "runs/fresh", "data"}) {
      ASSERT_TRUE(files_.MakeDirectories(folder).ok());
    }
    Write("runs/first/config.resolved.yaml", "name: p");
    Write("plan.yaml", "name: p\nruns: [{name: teacher}, {name: distilled}]\n");
    Write("data/images.npy", "x");
  }
  void Write(const std::string& path, const std::string& text) {
    ASSERT_TRUE(files_.Write(path, text).ok());
  }
  std::vector<std::string> Complete(const std::vector<std::string>& words) {
    return Completions(files_, words);
  }

  FakeFileSystem files_;
};

TEST_F(CompletionTest, NamesCommandsThatBeginSo) {
  EXPECT_THAT(Complete({""}), IsSupersetOf({"run", "resume", "stop", "status", "doctor"}));
  EXPECT_THAT(Complete({"st"}), ElementsAre("status", "stop"));
  EXPECT_THAT(Complete({"config", "e"}), ElementsAre("explain"));
  EXPECT_THAT(Complete({"nothing-begins-so"}), IsEmpty());
  EXPECT_EQ(Complete({}), Complete({""}));
}

TEST_F(CompletionTest, NamesFlagsOfTheCommandOnlyAfterADash) {
  EXPECT_THAT(Complete({"run", "--"}), IsSupersetOf({"--run-dir", "--set", "--dry-run"}));
  EXPECT_THAT(Complete({"run", "--"}), Not(Contains("--out")));
  EXPECT_THAT(Complete({"label", "--o"}), ElementsAre("--out"));
  EXPECT_THAT(Complete({"run", ""}), Not(Contains(StartsWith("--"))));
}

TEST_F(CompletionTest, LeadsToPlansThroughFolders) {
  EXPECT_THAT(Complete({"run", ""}), ElementsAre("data/", "plan.yaml", "runs/"));
  EXPECT_THAT(Complete({"doctor", "--config", "p"}), ElementsAre("plan.yaml"));
  EXPECT_THAT(Complete({"run", "data/"}), IsEmpty());
}

TEST_F(CompletionTest, NamesHiddenFoldersOnlyWhereOneIsBegun) {
  ASSERT_TRUE(files_.MakeDirectories("data/.cache").ok());
  EXPECT_THAT(Complete({"status", "data/"}), IsEmpty());
  EXPECT_THAT(Complete({"status", "data/."}), ElementsAre("data/.cache/"));
}

TEST_F(CompletionTest, StopsAtARunDirectoryAndLeadsThroughOtherFolders) {
  EXPECT_THAT(Complete({"status", "r"}), ElementsAre("runs/"));
  EXPECT_THAT(Complete({"status", "runs/f"}), ElementsAre("runs/first", "runs/fresh/"));
  EXPECT_THAT(Complete({"digest", "runs/first/"}), ElementsAre("runs/first/teacher/"));
}

TEST_F(CompletionTest, KeepsTheFlagBeforeTheValueOfOneWord) {
  EXPECT_THAT(Complete({"run", "plan.yaml", "--run-dir=runs/fi"}),
              ElementsAre("--run-dir=runs/first"));
  EXPECT_THAT(Complete({"run", "plan.yaml", "--run-dir="}),
              ElementsAre("--run-dir=data/", "--run-dir=runs/"));
  EXPECT_THAT(Complete({"run", "plan.yaml", "--run-dir", "runs/fi"}), ElementsAre("runs/first"));
}

TEST_F(CompletionTest, NamesTheRunsOfThePlanThatWasNamed) {
  EXPECT_THAT(Complete({"label", "plan.yaml", "--run", ""}), ElementsAre("distilled", "teacher"));
  EXPECT_THAT(Complete({"label", "plan.yaml", "--run=t"}), ElementsAre("--run=teacher"));
  EXPECT_THAT(Complete({"label", "none.yaml", "--run", ""}), IsEmpty());
}

TEST_F(CompletionTest, NamesFieldsErrorsMetricsAndShells) {
  EXPECT_THAT(Complete({"config", "explain", "gradient_c"}), ElementsAre("gradient_clip_norm"));
  EXPECT_THAT(Complete({"explain", "dst-11"}), Contains("DST-1101"));
  EXPECT_THAT(Complete({"explain", "dst-11"}), Each(StartsWith("DST-11")));
  EXPECT_THAT(Complete({"metrics", "explain", "distill_stat"}), ElementsAre("distill_state"));
  EXPECT_THAT(Complete({"completion", ""}), ElementsAre("bash", "fish", "zsh"));
}

TEST_F(CompletionTest, NamesTheWordsThatAFlagChoosesFrom) {
  EXPECT_THAT(Complete({"doctor", "-o", ""}), ElementsAre("json", "table", "yaml"));
  EXPECT_THAT(Complete({"status", "runs/first", "--output=wi"}), ElementsAre("--output=wide"));
  EXPECT_THAT(Complete({"top", "--color", "a"}), ElementsAre("always", "auto"));
}

TEST_F(CompletionTest, NamesNothingWhereAValueIsThatNobodyCanGuess) {
  EXPECT_THAT(Complete({"run", "plan.yaml", "--seed", ""}), IsEmpty());
}

TEST(CompletionScript, OfEachShellAsksDistillctl) {
  for (const char* shell : {"bash", "zsh", "fish"}) {
    EXPECT_THAT(CompletionScript(shell), HasSubstr("__complete --")) << shell;
  }
  EXPECT_EQ(CompletionScript("csh"), "");
}

// The script in a Bash of this machine: its distillctl is a function that keeps the words it is
// asked with, and answers what Completions says of them.
class CompletionInBash : public CompletionTest {
 protected:
  void SetUp() override {
    CompletionTest::SetUp();
    ASSERT_TRUE(files_.MakeDirectories("/data/home/runs/fine").ok());
    ASSERT_TRUE(files_.MakeDirectories("runs/a folder/within").ok());
    ASSERT_TRUE(files_.MakeDirectories("runs/at 10:30/within").ok());
    Save("script", CompletionScript("bash") + R"(
distillctl() { printf '%s\n' "$@" >"$FOLDER/words"; cat "$FOLDER/answers"; }
compopt() { echo "$*" >"$FOLDER/options"; }
_distillctl
printf '%s\n' "${COMPREPLY[@]}"
)");
    setenv("FOLDER", folder_.c_str(), 1);
    setenv("HOME", "/data/home", 1);
  }

  // What Bash puts in place of the end of the word at the cursor, which is at the end of `line`.
  std::vector<std::string> Tab(const std::string& line, const std::string& behind = "") {
    setenv("COMP_LINE", (line + behind).c_str(), 1);
    setenv("COMP_POINT", std::to_string(line.size()).c_str(), 1);
    Save("answers", "");
    Run();
    asked_ = Lines("words");
    EXPECT_THAT(asked_, SizeIs(Ge(3u))) << line;
    if (asked_.size() < 3) return {};
    asked_.erase(asked_.begin(), asked_.begin() + 2);  // __complete --
    std::string answers;
    for (const std::string& word : Complete(asked_)) answers += word + "\n";
    Save("answers", answers);
    Run();
    return answers.empty() ? std::vector<std::string>() : Lines("replies");
  }

  void Save(const std::string& name, const std::string& text) {
    std::ofstream(folder_ + "/" + name) << text;
  }
  std::vector<std::string> Lines(const std::string& name) {
    std::ifstream file(folder_ + "/" + name);
    std::vector<std::string> lines;
    for (std::string line; std::getline(file, line);) lines.push_back(line);
    return lines;
  }

  const std::string folder_ = std::getenv("TEST_TMPDIR");
  std::vector<std::string> asked_;

 private:
  void Run() {
    EXPECT_EQ(std::system("bash --norc --noprofile \"$FOLDER/script\" >\"$FOLDER/replies\""), 0);
  }
};

TEST_F(CompletionInBash, AWordWithBreaksInItIsOneWord) {
  EXPECT_THAT(Tab("distillctl run --set seed=2 "), ElementsAre("data/", "plan.yaml", "runs/"));
  EXPECT_THAT(asked_, ElementsAre("run", "--set", "seed=2", ""));
  EXPECT_THAT(Tab("distillctl watch --coordinator host:7000 r"), ElementsAre("runs/"));
  EXPECT_THAT(asked_, ElementsAre("watch", "--coordinator", "host:7000", "r"));
}

TEST_F(CompletionInBash, OfAWordWithBreaksInItOnlyWhatStandsBehindIsReplaced) {
  EXPECT_THAT(Tab("distillctl run plan.yaml --run-dir=runs/fi"), ElementsAre("runs/first"));
  EXPECT_THAT(Tab("distillctl run plan.yaml --run-dir="), ElementsAre("data/", "runs/"));
  EXPECT_THAT(Tab("distillctl run plan.yaml --run-dir=\"runs/fi"), ElementsAre("runs/first"));
  EXPECT_THAT(Tab("distillctl status runs/at\\ 10:3"), ElementsAre("30/"));
  EXPECT_THAT(Tab("distillctl status \"runs/at 10:3"), ElementsAre("runs/at 10:30/"));
  EXPECT_THAT(Tab("distillctl status runs/\"fi"), ElementsAre("first"));
}

TEST_F(CompletionInBash, QuotedWordsAreUnderstoodAndStayQuoted) {
  EXPECT_THAT(Tab("distillctl status \"runs/f"), ElementsAre("runs/first", "runs/fresh/"));
  EXPECT_THAT(Tab("distillctl status 'runs/a f"), ElementsAre("runs/a folder/"));
  EXPECT_THAT(Tab("distillctl status runs/a\\ f"), ElementsAre("runs/a\\ folder/"));
  EXPECT_THAT(Tab("distillctl status runs/a\\ folder/"), ElementsAre("runs/a\\ folder/within/"));
  EXPECT_THAT(Tab("distillctl status \"runs/a folder\"/"), ElementsAre("runs/a\\ folder/within/"));
  Tab("distillctl explain \"\" 'it'\\''s' \"a\\\"b\\c\" d\\=e f");
  EXPECT_THAT(asked_, ElementsAre("explain", "", "it's", "a\"b\\c", "d=e", "f"));
}

TEST_F(CompletionInBash, WhatAShellTakesApartInQuotesIsEscapedThere) {
  ASSERT_TRUE(files_.MakeDirectories("odd/$a`b\"c'd").ok());
  EXPECT_THAT(Tab("distillctl status \"odd/"), ElementsAre("odd/\\$a\\`b\\\"c'd/"));
  EXPECT_THAT(Tab("distillctl status 'odd/"), ElementsAre("odd/$a`b\"c'\\''d/"));
  EXPECT_THAT(Tab("distillctl status odd/"), ElementsAre("odd/\\$a\\`b\\\"c\\'d/"));
}

TEST_F(CompletionInBash, ATildeLeadsHomeAndStays) {
  EXPECT_THAT(Tab("distillctl status ~/runs/f"), ElementsAre("~/runs/fine/"));
  EXPECT_THAT(asked_, ElementsAre("status", "/data/home/runs/f"));
  ASSERT_TRUE(files_.MakeDirectories("/data/home/at:10/within").ok());
  EXPECT_THAT(Tab("distillctl status ~/at:"), ElementsAre("10/"));
  // The shell would not take these home either.
  Tab("distillctl status '~/x' a~/y \\~/z --run-dir=~/runs/f");
  EXPECT_THAT(asked_, ElementsAre("status", "~/x", "a~/y", "~/z", "--run-dir=~/runs/f"));
}

TEST_F(CompletionInBash, BehindAFolderThatLeadsFurtherComesNoBlank) {
  Tab("distillctl status runs/fr");
  EXPECT_THAT(Lines("options"), ElementsAre("-o nospace"));
  for (const char* line : {"distillctl status runs/fi", "distillctl status runs/f"}) {
    Save("options", "");
    Tab(line);
    EXPECT_THAT(Lines("options"), IsEmpty()) << line;
  }
}

TEST_F(CompletionInBash, NothingThatIsTypedIsRun) {
  Tab("distillctl status ~$(touch${IFS}$FOLDER/run)/ $(touch${IFS}$FOLDER/run) `touch "
      "$FOLDER/run` ");
  EXPECT_FALSE(std::ifstream(folder_ + "/run").good());
}

TEST_F(CompletionInBash, WhatStandsBehindTheCursorDoesNotCount) {
  EXPECT_THAT(Tab("distillctl status runs/fi", "xyz"), ElementsAre("runs/first"));
}

}  // namespace
}  // namespace distill
