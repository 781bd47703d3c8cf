#include "student_worker/accounting/run_accounting.h"

#include <gtest/gtest.h>

#include <string>

#include "absl/time/time.h"
#include "common/files/fake_file_system.h"
#include "student_worker/accounting/phase_clock.h"
#include "student_worker/accounting/step_record.h"

namespace distill {
namespace {

constexpr char kPath[] = "/run/metrics.rank0.jsonl";

StepRecord Step(int64_t step) {
  StepRecord record;
  record.step = step;
  for (int phase = 0; phase < kPhases; ++phase) {
    record.phases[phase] = (step + 1) * absl::Milliseconds(1 << phase);
  }
  record.answers = {2, 0.5, 0.25, 0.0625, 0.125, 0.03125};
  return record;
}

std::string Lines(int64_t begin, int64_t end) {
  std::string lines;
  for (int64_t step = begin; step < end; ++step) lines += ToJsonLine(Step(step)) + "\n";
  return lines;
}

class RunAccountingTest : public ::testing::Test {
 protected:
  RunAccounting Read(const std::string& text) {
    EXPECT_TRUE(files_.MakeDirectories("/run").ok());
    EXPECT_TRUE(files_.Write(kPath, text).ok());
    RunAccounting sum;
    const absl::Status status = AddSteps(files_, kPath, sum);
    EXPECT_TRUE(status.ok()) << status;
    return sum;
  }
  FakeFileSystem files_;
};

TEST_F(RunAccountingTest, EveryPhaseAndEveryStageOfAnswersComesBack) {
  RunAccounting sum;
  EXPECT_TRUE(AddStep(ToJsonLine(Step(0)), sum));
  EXPECT_TRUE(AddStep(ToJsonLine(Step(2)), sum));
  EXPECT_EQ(sum.steps, 2);
  for (int phase = 0; phase < kPhases; ++phase) {
    EXPECT_NEAR(absl::ToDoubleSeconds(sum.phases[phase]), 4e-3 * (1 << phase), 1e-9) << phase;
  }
  EXPECT_NEAR(absl::ToDoubleSeconds(sum.wall), absl::ToDoubleSeconds(Total(sum.phases)), 1e-6);
  EXPECT_EQ(sum.answers.count, 4);
  EXPECT_EQ(sum.answers.total, 1.0);
  EXPECT_EQ(sum.answers.queue, 0.5);
  EXPECT_EQ(sum.answers.assemble, 0.125);
  EXPECT_EQ(sum.answers.infer, 0.25);
  EXPECT_EQ(sum.answers.encode, 0.0625);
}

TEST_F(RunAccountingTest, AStepOfAnOlderVersionOrWithANullCounts) {
  RunAccounting sum;
  EXPECT_TRUE(AddStep(R"({"step":3,"loss":null,"forward_seconds":null,"wall_seconds":1})", sum));
  EXPECT_EQ(sum.steps, 1);
  EXPECT_EQ(sum.wall, absl::Seconds(1));
  EXPECT_EQ(sum.answers.count, 0);
}

TEST_F(RunAccountingTest, WhatIsNoRecordIsLeftOut) {
  RunAccounting sum;
  for (const char* line : {"", "{\"step\":3,\"wall_sec", "[1]", "{\"wall_seconds\":1}"}) {
    EXPECT_FALSE(AddStep(line, sum)) << line;
  }
  EXPECT_EQ(sum.steps, 0);
  EXPECT_EQ(sum.wall, absl::ZeroDuration());
}

TEST_F(RunAccountingTest, TheFirstStepWhichOpensStreamsIsLeftOutButNotWhereItIsTheOnlyOne) {
  EXPECT_EQ(Read(Lines(0, 5)).steps, 4);
  EXPECT_EQ(Read(Lines(7, 8)).steps, 1);
  EXPECT_EQ(Read("").steps, 0);
}

TEST_F(RunAccountingTest, ATornLastLineIsLeftOut) {
  const std::string lines = Lines(0, 5);
  EXPECT_EQ(Read(lines.substr(0, lines.size() - 9)).steps, 3);
}

TEST_F(RunAccountingTest, AFileOfSeveralPiecesIsReadWhole) {
  const std::string lines = Lines(0, 6000);
  ASSERT_GT(lines.size(), size_t{2} << 20);
  EXPECT_EQ(Read(lines).steps, 5999);
}

TEST_F(RunAccountingTest, ALineMuchLongerThanARecordIsPassedOverAndThoseAfterItCount) {
  const std::string monster = R"({"step":3,"loss":")" + std::string(size_t{5} << 20, 'x') + "\"}\n";
  EXPECT_EQ(Read(Lines(0, 3) + monster + Lines(4, 6)).steps, 4);
}

TEST_F(RunAccountingTest, AMissingFileIsNotFound) {
  RunAccounting sum;
  EXPECT_EQ(AddSteps(files_, "/nowhere", sum).code(), absl::StatusCode::kNotFound);
}

}  // namespace
}  // namespace distill
