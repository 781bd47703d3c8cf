#include "cli/completion/completion.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "common/files/fake_file_system.h"

namespace distill {
namespace {

using ::testing::Contains;
using ::testing::Each;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::IsSupersetOf;
using ::testing::Not;
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

TEST_F(CompletionTest, StopsAtARunDirectoryAndLeadsThroughOtherFolders) {
  EXPECT_THAT(Complete({"status", "r"}), ElementsAre("runs/"));
  EXPECT_THAT(Complete({"status", "runs/f"}), ElementsAre("runs/first", "runs/fresh/"));
  EXPECT_THAT(Complete({"digest", "runs/first/"}), ElementsAre("runs/first/teacher/"));
}

TEST_F(CompletionTest, KeepsTheFlagBeforeTheValueWhereTheShellSeesOneWord) {
  EXPECT_THAT(Complete({"run", "plan.yaml", "--run-dir=runs/fi"}),
              ElementsAre("--run-dir=runs/first"));
  EXPECT_THAT(Complete({"run", "plan.yaml", "--run-dir", "=", "runs/fi"}),
              ElementsAre("runs/first"));
  EXPECT_THAT(Complete({"run", "plan.yaml", "--run-dir", "="}), ElementsAre("data/", "runs/"));
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

TEST_F(CompletionTest, NamesNothingWhereAValueIsThatNobodyCanGuess) {
  EXPECT_THAT(Complete({"run", "plan.yaml", "--seed", ""}), IsEmpty());
}

TEST(CompletionScript, OfEachShellAsksDistillctl) {
  for (const char* shell : {"bash", "zsh", "fish"}) {
    EXPECT_THAT(CompletionScript(shell), HasSubstr("__complete --")) << shell;
  }
  EXPECT_EQ(CompletionScript("csh"), "");
}

}  // namespace
}  // namespace distill
