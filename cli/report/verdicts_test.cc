#include "cli/report/verdicts.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "absl/status/status.h"
#include "common/files/fake_file_system.h"

namespace distill {
namespace {

using ::testing::HasSubstr;
using ::testing::StartsWith;

class VerdictsTest : public ::testing::Test {
 protected:
  VerdictsTest() {
    for (const char* name : {"teacher", "distilled"}) {
      v1::RunConfig* run = plan_.add_runs();
      run->set_name(name);
      run->mutable_training()->set_world_size(2);
      (*report_.mutable_models())[name].set_steps(3);
    }
  }
  // Three steps of a second each.
  void Write(const std::string& run, int rank, const std::string& fields) {
    ASSERT_TRUE(files_.MakeDirectories("/plan/" + run).ok());
    std::string lines;
    for (const char* step : {"0", "1", "2"}) {
      lines += std::string("{\"step\":") + step + "," + fields + ",\"wall_seconds\":1}\n";
    }
    const std::string name = "metrics.rank" + std::to_string(rank) + ".jsonl";
    ASSERT_TRUE(files_.Write("/plan/" + run + "/" + name, lines).ok());
  }
  std::string Of(const std::string& run) {
    AddVerdicts(files_, "/plan", plan_, report_);
    return report_.models().at(run).verdict();
  }

  FakeFileSystem files_;
  v1::PlanConfig plan_;
  v1::Report report_;
};

TEST_F(VerdictsTest, EachRunGetsItsOwn) {
  Write("teacher", 0, R"("forward_seconds":1)");
  Write("distilled", 0,
        R"("wait_teacher_seconds":0.5,"forward_seconds":0.5,)"
        R"("answers":{"count":1,"total":1.0,"queue":0.8,"infer":0.1})");
  EXPECT_THAT(Of("teacher"), StartsWith("student-bound: 100%"));
  EXPECT_THAT(Of("distilled"), StartsWith("teacher-bound: 50%"));
  EXPECT_EQ(report_.models().at("distilled").steps(), 3);
}

TEST_F(VerdictsTest, TheBytesOfALabelAreOfTheRunsCodecAndData) {
  v1::DataSetConfig* data = plan_.add_data_sets();
  data->set_name("data");
  data->set_classes(10);
  plan_.mutable_runs(1)->set_data_set("data");
  plan_.mutable_runs(1)->mutable_labels()->add_codecs("dense_fp16");
  Write("distilled", 0, R"("wait_teacher_seconds":1,"answers":{"count":1,"total":1.0})");
  EXPECT_THAT(Of("distilled"), HasSubstr("a label of dense_fp16 takes 24 bytes"));
}

TEST_F(VerdictsTest, AllRanksCount) {
  Write("distilled", 0, R"("forward_seconds":1)");
  Write("distilled", 1, R"("wait_data_seconds":1)");
  EXPECT_THAT(Of("distilled"), StartsWith("input-bound: 50%"));
}

TEST_F(VerdictsTest, WithoutFilesNothingIsKnown) {
  EXPECT_EQ(Of("teacher"), "not known what bounds it: no step was recorded");
}

TEST_F(VerdictsTest, AFileThatCannotBeReadIsSaid) {
  Write("teacher", 0, R"("forward_seconds":1)");
  files_.FailOperation(1, absl::DataLossError("the disk is gone"));
  EXPECT_THAT(
      Of("teacher"),
      HasSubstr("not known what bounds it: /plan/teacher/metrics.rank0.jsonl: the disk is gone"));
}

TEST_F(VerdictsTest, ARunWithoutAModelInTheReportStaysWithout) {
  Write("teacher", 0, R"("forward_seconds":1)");
  report_.mutable_models()->erase("teacher");
  Of("distilled");
  EXPECT_EQ(report_.models().count("teacher"), 0u);
}

}  // namespace
}  // namespace distill
