#include "cli/run_directory/run_directory.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "common/files/fake_file_system.h"
#include "common/status/error_id.h"

namespace distill {
namespace {

using ::testing::HasSubstr;

TEST(RunDirectoryTest, APlanComesBackAsItWasCreated) {
  FakeFileSystem files;
  RunDirectory directory(&files, "/runs/a");
  v1::PlanConfig plan;
  plan.set_name("p");
  plan.set_seed(7);
  ASSERT_TRUE(directory.Create(plan).ok());
  auto read = directory.ReadPlan();
  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_EQ(read->seed(), 7u);
}

TEST(RunDirectoryTest, AFolderThatIsNotEmptyIsRefusedWithTheWayOut) {
  FakeFileSystem files;
  RunDirectory directory(&files, "/runs/a");
  ASSERT_TRUE(directory.Create({}).ok());
  const absl::Status status = directory.Create({});
  EXPECT_EQ(status.code(), absl::StatusCode::kAlreadyExists);
  EXPECT_THAT(std::string(status.message()), HasSubstr("distillctl resume /runs/a"));
}

TEST(RunDirectoryTest, AFolderInUseIsAdoptedByOnePlanOnly) {
  FakeFileSystem files;
  RunDirectory directory(&files, "/runs/a");
  ASSERT_TRUE(files.MakeDirectories("/runs/a").ok());
  ASSERT_TRUE(files.Write("/runs/a/coordinator.sqlite", "x").ok());
  v1::PlanConfig plan;
  plan.set_seed(7);
  EXPECT_TRUE(directory.Adopt(plan, {"head:7000", "p-1"}).ok());
  EXPECT_TRUE(directory.Adopt(plan, {"head:7000", "p-1"}).ok());
  plan.set_seed(8);
  EXPECT_EQ(directory.Adopt(plan, {"head:7000", "p-1"}).code(), absl::StatusCode::kAlreadyExists);
  EXPECT_EQ(directory.CheckAdoptable(plan).code(), absl::StatusCode::kAlreadyExists);
}

TEST(RunDirectoryTest, APlanThatWasSubmittedElsewhereIsFollowedThereAndNotResumedHere) {
  FakeFileSystem files;
  RunDirectory directory(&files, "/runs/a");
  const v1::PlanConfig plan;
  ASSERT_TRUE(directory.Adopt(plan, {"head:7000", "p-1"}).ok());
  const auto submission = directory.FindSubmission();
  ASSERT_TRUE(submission.ok() && submission->has_value()) << submission.status();
  EXPECT_EQ((*submission)->coordinator, "head:7000");
  EXPECT_EQ((*submission)->plan_id, "p-1");
  const absl::Status status = directory.CheckResumable(plan);
  EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(ErrorIdOf(status), ErrorId::kPlanRunsElsewhere);
  EXPECT_THAT(std::string(status.message()), HasSubstr("--coordinator head:7000"));
}

TEST(RunDirectoryTest, ResultsWithoutTheirJournalAreNotBegunAgain) {
  for (const std::string part : {"checkpoints", "export"}) {
    FakeFileSystem files;
    RunDirectory directory(&files, "/runs/a");
    v1::PlanConfig plan;
    plan.add_runs()->set_name("r");
    ASSERT_TRUE(directory.Create(plan).ok());
    EXPECT_EQ(directory.CheckResumable(plan), absl::OkStatus()) << "nothing was begun";
    ASSERT_TRUE(files.MakeDirectories("/runs/a/r/" + part).ok());
    const absl::Status status = directory.CheckResumable(plan);
    EXPECT_EQ(status.code(), absl::StatusCode::kDataLoss);
    EXPECT_EQ(ErrorIdOf(status), ErrorId::kJournalMissing);
    EXPECT_THAT(std::string(status.message()), HasSubstr("/runs/a/r/" + part));
    ASSERT_TRUE(files.Write("/runs/a/coordinator.sqlite", "x").ok());
    EXPECT_EQ(directory.CheckResumable(plan), absl::OkStatus());
  }
}

TEST(RunDirectoryTest, AFolderWithoutAPlanSaysSo) {
  FakeFileSystem files;
  EXPECT_EQ(RunDirectory(&files, "/nowhere").ReadPlan().status().code(),
            absl::StatusCode::kNotFound);
}

TEST(RunDirectoryTest, ProcessesAreListedWithTheirPorts) {
  FakeFileSystem files;
  RunDirectory directory(&files, "/runs/a");
  ASSERT_TRUE(directory.Create({}).ok());
  EXPECT_TRUE(directory.ReadProcesses()->empty());
  ASSERT_TRUE(directory
                  .WriteProcesses(
                      {{"teacher_server", "teacher-1", 1, 42, "127.0.0.1:5000", "127.0.0.1:5001"}})
                  .ok());
  EXPECT_THAT(*files.Read("/runs/a/processes.json", 10000), HasSubstr("\"port\": 5000"));
  auto read = directory.ReadProcesses();
  ASSERT_TRUE(read.ok());
  ASSERT_EQ(read->size(), 1u);
  EXPECT_EQ((*read)[0].name, "teacher-1");
  EXPECT_EQ((*read)[0].pid, 42);
  EXPECT_EQ((*read)[0].ops_address, "127.0.0.1:5001");
}

TEST(RunDirectoryTest, TheCoordinatorsAddressIsThatOfTheList) {
  FakeFileSystem files;
  RunDirectory directory(&files, "/runs/a");
  ASSERT_TRUE(directory.Create({}).ok());
  EXPECT_EQ(directory.CoordinatorAddress().status().code(), absl::StatusCode::kUnavailable);
  ASSERT_TRUE(directory.WriteProcesses({{"coordinator", "coordinator", 0, 1, "h:7000", ""}}).ok());
  EXPECT_EQ(*directory.CoordinatorAddress(), "h:7000");
  ASSERT_TRUE(directory.WriteProcesses({}).ok());
  EXPECT_THAT(std::string(directory.CoordinatorAddress().status().message()),
              HasSubstr("distillctl resume /runs/a"));
}

TEST(RunDirectoryTest, APlanIsDoneThatHasAReportAndWhereNothingRuns) {
  FakeFileSystem files;
  RunDirectory directory(&files, "/runs/a");
  ASSERT_TRUE(directory.Create({}).ok());
  EXPECT_FALSE(directory.IsDone());
  ASSERT_TRUE(files.Write("/runs/a/report.md", "").ok());
  EXPECT_TRUE(directory.IsDone());
  ASSERT_TRUE(directory.WriteProcesses({{"coordinator", "coordinator", 0, 1, "h:7000", ""}}).ok());
  EXPECT_FALSE(directory.IsDone());
}

TEST(RunDirectoryTest, HowAPlanWasLeftIsToldWhileNothingRuns) {
  FakeFileSystem files;
  RunDirectory directory(&files, "/runs/a");
  ASSERT_TRUE(directory.Create({}).ok());
  EXPECT_TRUE(absl::IsNotFound(directory.ReadLastStatus().status()));
  v1::LastStatus status;
  status.mutable_written_at()->set_seconds(1772366400);
  status.set_state("STOPPED");
  status.set_message("stopped by SIGINT [DST-1]; \"so\": it is");
  status.add_runs()->set_step(131);
  ASSERT_TRUE(directory.WriteLastStatus(status).ok());
  const auto read = directory.ReadLastStatus();
  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_EQ(read->SerializeAsString(), status.SerializeAsString());
  ASSERT_TRUE(directory.WriteProcesses({{"distillctl", "distillctl", 0, 7, "", ""}}).ok());
  EXPECT_TRUE(absl::IsNotFound(directory.ReadLastStatus().status()));
  ASSERT_TRUE(directory.WriteProcesses({}).ok());
  ASSERT_TRUE(files.Write("/runs/a/last_status.json", R"({"of_a_newer_version": 1})").ok());
  EXPECT_TRUE(directory.ReadLastStatus().ok());
  ASSERT_TRUE(files.Write("/runs/a/last_status.json", "{").ok());
  EXPECT_TRUE(absl::IsDataLoss(directory.ReadLastStatus().status()));
  ASSERT_TRUE(directory.ForgetLastStatus().ok());
  EXPECT_TRUE(absl::IsNotFound(directory.ReadLastStatus().status()));
  EXPECT_TRUE(directory.ForgetLastStatus().ok());
}

TEST(RunDirectoryTest, PrometheusFindsTheProcessesThatServeMetrics) {
  FakeFileSystem files;
  RunDirectory directory(&files, "/runs/a");
  ASSERT_TRUE(directory.Create({}).ok());
  const ProcessEntry distillctl{"distillctl", "distillctl", 0, 41, "", ""};
  const ProcessEntry teacher{"teacher_server", "teacher-1", 1, 42, "h:5000", "h:5001"};
  ASSERT_TRUE(directory.WriteMetricsTargets("small", {distillctl, teacher}).ok());
  EXPECT_EQ(*files.Read("/runs/a/metrics_targets.json", 10000), R"([
  {
    "targets": [
      "h:5001"
    ],
    "labels": {
      "plan": "small",
      "process": "teacher-1"
    }
  }
]
)");
  ASSERT_TRUE(directory.WriteMetricsTargets("small", {distillctl}).ok());
  EXPECT_EQ(*files.Read("/runs/a/metrics_targets.json", 10000), "[]\n");
}

TEST(RunDirectoryTest, AListThatSomebodyEditedDoesNotCrash) {
  FakeFileSystem files;
  RunDirectory directory(&files, "/runs/a");
  ASSERT_TRUE(directory.Create({}).ok());
  ASSERT_TRUE(files.Write("/runs/a/processes.json", R"([{"role": 3, "pid": "x"}, 5])").ok());
  auto read = directory.ReadProcesses();
  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_EQ((*read)[0].pid, 0);
  ASSERT_TRUE(files.Write("/runs/a/processes.json", "{").ok());
  EXPECT_EQ(directory.ReadProcesses().status().code(), absl::StatusCode::kDataLoss);
}

}  // namespace
}  // namespace distill
