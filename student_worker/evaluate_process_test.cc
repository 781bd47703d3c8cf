// Runs the binary.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/wait.h>

#include <algorithm>
#include <cstdlib>
#include <string>
#include <utility>
#include <vector>

#include "cli/report/report.h"
#include "common/config/config_writer.h"
#include "common/files/posix_file_system.h"
#include "distillation/data/npy_reader.h"
#include "student_worker/evaluation/finished_plan.h"

namespace distill {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::StartsWith;

class EvaluateTest : public ::testing::Test {
 protected:
  void SetUp() override {
    ASSERT_TRUE(files_.RemoveTree(folder_).ok());
    ASSERT_TRUE(files_.MakeDirectories(folder_).ok());
    plan_ = WriteFinishedPlan(files_, folder_);
    ASSERT_TRUE(files_.Write(folder_ + "/plan.yaml", RenderYaml(plan_)).ok());
  }

  // Returns the exit code.
  int Run(const std::string& arguments) {
    const std::string command =
        "student_worker/evaluate " + arguments + " 2>" + folder_ + "/errors";
    return WEXITSTATUS(std::system(command.c_str()));
  }
  int Evaluate(const std::string& more = "") {
    return Run("--run-dir " + folder_ + "/runs --plan " + folder_ + "/plan.yaml --out " + folder_ +
               "/report.json " + more);
  }
  std::string Errors() { return *files_.Read(folder_ + "/errors", 1 << 20); }
  bool HasReport() { return *files_.Exists(folder_ + "/report.json"); }

  const std::string folder_ = std::string(std::getenv("TEST_TMPDIR")) + "/d";
  PosixFileSystem files_;
  v1::PlanConfig plan_;
};

TEST_F(EvaluateTest, WritesTheReportOfAFinishedPlan) {
  ASSERT_EQ(Evaluate("--threads 2"), 0) << Errors();
  const auto report = ReportFromJson(*files_.Read(folder_ + "/report.json", 1 << 20));
  ASSERT_TRUE(report.ok()) << report.status();
  EXPECT_EQ(report->plan(), "toy");
  EXPECT_EQ(report->models().at("teacher").test_accuracy(), 0.5);
  EXPECT_GT(report->models().at("student").latency_ms(), 0);
  EXPECT_EQ(Errors(), "");
}

TEST_F(EvaluateTest, WritesTheLogitsOfARunWhereTheyAreAskedFor) {
  ASSERT_EQ(Evaluate("--logits teacher=" + folder_ + "/logits.npy"), 0) << Errors();
  v1::ArrayFile file;
  file.set_path(folder_ + "/logits.npy");
  const auto logits = ReadNpy(files_, file);
  ASSERT_TRUE(logits.ok()) << logits.status();
  ASSERT_EQ(logits->dims, (std::vector<int64_t>{4, 3}));
  // It predicts 0, 1, 2, 0.
  const auto values = logits->as<float>();
  for (const auto& [row, top] : {std::pair{0, 0}, {1, 1}, {2, 2}, {3, 0}}) {
    const auto its = values.subspan(row * 3, 3);
    EXPECT_EQ(std::max_element(its.begin(), its.end()) - its.begin(), top) << row;
  }
  EXPECT_TRUE(HasReport());
  EXPECT_EQ(Evaluate("--logits expert=" + folder_ + "/logits.npy"), 1);
  EXPECT_THAT(Errors(), HasSubstr("no run 'expert'"));
  EXPECT_EQ(Evaluate("--logits teacher"), 1);
  EXPECT_THAT(Errors(), HasSubstr("RUN=FILE"));
}

TEST_F(EvaluateTest, AMissingOrDamagedExportExitsWith7AndWritesNoReport) {
  ASSERT_TRUE(files_.Write(folder_ + "/runs/student/export/weights.safetensors", "x").ok());
  EXPECT_EQ(Evaluate(), 7);
  EXPECT_THAT(Errors(), AllOf(StartsWith("evaluate: run 'student': "), HasSubstr("[DST-2402]")));
  ASSERT_TRUE(files_.RemoveTree(folder_ + "/runs/student").ok());
  EXPECT_EQ(Evaluate(), 7);
  EXPECT_THAT(Errors(), AllOf(StartsWith("evaluate: run 'student': "), HasSubstr("[DST-2401]")));
  EXPECT_FALSE(HasReport());
}

TEST_F(EvaluateTest, APlanThatCannotBeReadExitsWith3) {
  ASSERT_TRUE(files_.Write(folder_ + "/plan.yaml", "runs: 5").ok());
  EXPECT_EQ(Evaluate(), 3);
  EXPECT_THAT(Errors(), HasSubstr("plan.yaml:1:"));
}

TEST_F(EvaluateTest, AReportThatCannotBeWrittenExitsWith1) {
  ASSERT_TRUE(files_.MakeDirectories(folder_ + "/report.json/x").ok());
  EXPECT_EQ(Evaluate(), 1);
  EXPECT_THAT(Errors(), StartsWith("evaluate: "));
}

TEST_F(EvaluateTest, UsageErrorsExitWith2) {
  EXPECT_EQ(Run("--run-dir x"), 2);
  EXPECT_THAT(Errors(), StartsWith("evaluate: "));
  EXPECT_EQ(Evaluate("--threads 0"), 2);
  EXPECT_EQ(Run("--help >/dev/null"), 0);
}

}  // namespace
}  // namespace distill
