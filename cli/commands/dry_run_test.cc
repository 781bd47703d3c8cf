#include "cli/commands/dry_run.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace distill {
namespace {

using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::Not;

v1::PlanConfig Plan() {
  v1::PlanConfig plan;
  plan.set_name("p");
  plan.add_data_sets()->set_name("digits");
  v1::RunConfig* run = plan.add_runs();
  run->set_name("student");
  run->mutable_training()->set_steps(70);
  v1::TeacherConfig* teacher = run->add_teachers();
  teacher->set_role("t");
  teacher->set_run("big");
  plan.mutable_processes()->set_student_workers(2);
  plan.mutable_processes()->set_teacher_servers(3);
  plan.mutable_processes()->set_threads(4);
  plan.mutable_processes()->set_bind_host("127.0.0.1");
  return plan;
}

Programs Built() {
  return {"/b/coordinator", "/b/teacher_server", "/b/student_worker", "/b/evaluate"};
}

TEST(DryRun, NamesWhatWouldStartBeContactedAndBeWritten) {
  const std::string text = DryRunHere(Plan(), Built(), "runs/1");
  EXPECT_THAT(text, HasSubstr("1 x /b/coordinator\n"));
  EXPECT_THAT(text, HasSubstr("2 x /b/student_worker --threads 4\n"));
  EXPECT_THAT(text, HasSubstr("3 x /b/teacher_server --threads 4\n"));
  EXPECT_THAT(text, HasSubstr("contact         these, on free ports of 127.0.0.1\n"));
  EXPECT_THAT(text, HasSubstr("runs/1 with config.resolved.yaml"));
  EXPECT_THAT(text, HasSubstr("student (70 steps)"));
  EXPECT_THAT(text, EndsWith("nothing was started, contacted or written\n"));
}

TEST(DryRun, OfAPlanWhoseLabelsAreRecordedStartsNoTeacher) {
  v1::PlanConfig plan = Plan();
  plan.mutable_runs(0)->mutable_teachers(0)->set_recorded_labels("/sets/a");
  const std::string text = DryRunHere(plan, Built(), "runs/1");
  EXPECT_THAT(text, Not(HasSubstr("teacher_server")));
  EXPECT_THAT(text, HasSubstr("the label set /sets/a"));
}

TEST(DryRun, ElsewhereContactsThatCoordinatorAndStartsOnlyWhatComparesTheModels) {
  const std::string text = DryRunElsewhere(Plan(), Built(), "h:7000", "runs/1");
  EXPECT_THAT(text, HasSubstr("the coordinator at h:7000"));
  EXPECT_THAT(text,
              HasSubstr("start           1 x /b/evaluate --threads 4, once all runs are done"));
  for (const char* program : {"/b/coordinator", "/b/student_worker", "/b/teacher_server"}) {
    EXPECT_THAT(text, Not(HasSubstr(program)));
  }
}

TEST(DryRun, OfResumeGoesOnFromCheckpoints) {
  const std::string text = DryResume(Plan(), Built(), "runs/1", /*done=*/false);
  EXPECT_THAT(text, HasSubstr("student (70 steps), each from its last committed checkpoint"));
  EXPECT_THAT(text, HasSubstr("2 x /b/student_worker"));
}

TEST(DryRun, OfResumeOfAPlanThatIsDoneStartsOnlyTheCoordinatorAndSaysTheReport) {
  const std::string text = DryResume(Plan(), Built(), "runs/1", /*done=*/true);
  EXPECT_THAT(text, HasSubstr("start           1 x /b/coordinator\n"));
  EXPECT_THAT(text, HasSubstr("runs/1/report.md"));
  for (const char* program : {"/b/evaluate", "/b/student_worker", "/b/teacher_server"}) {
    EXPECT_THAT(text, Not(HasSubstr(program)));
  }
  EXPECT_THAT(text, Not(HasSubstr("would train")));
}

TEST(DryRun, OfResumeElsewhereContactsTheCoordinatorAndStartsOnlyTheComparison) {
  const std::string text = DryResumeElsewhere(Plan(), Built(), "h:7000", "runs/1");
  EXPECT_THAT(text, HasSubstr("the coordinator at h:7000, and have it go on with plan"));
  EXPECT_THAT(text,
              HasSubstr("start           1 x /b/evaluate --threads 4, once all runs are done"));
  for (const char* program : {"/b/coordinator", "/b/student_worker", "/b/teacher_server"}) {
    EXPECT_THAT(text, Not(HasSubstr(program)));
  }
}

TEST(DryRun, OfStopNamesEachProcessThatWouldEnd) {
  const std::vector<ProcessEntry> processes = {
      {"distillctl", "distillctl", 0, 11, "", ""},
      {"coordinator", "coordinator", 0, 12, "127.0.0.1:5", ""}};
  const std::string text = DryStop(Plan(), processes, "", "runs/1");
  EXPECT_THAT(text, HasSubstr("the coordinator at 127.0.0.1:5"));
  EXPECT_THAT(text, HasSubstr("signal          distillctl (pid 11)"));
  EXPECT_THAT(text, HasSubstr("end             coordinator (pid 12)"));
  EXPECT_THAT(text, HasSubstr("; to continue: distillctl resume runs/1\n"));
  EXPECT_THAT(DryStop(Plan(), {}, "", "runs/1"), HasSubstr("there is nothing to stop"));
  const std::string elsewhere = DryStop(Plan(), processes, "h:1", "runs/1");
  EXPECT_THAT(elsewhere, Not(HasSubstr("pid")));
  EXPECT_THAT(elsewhere, HasSubstr("distillctl resume runs/1 --coordinator h:1"));
}

TEST(DryRun, OfLabelSaysHowMuchWouldBeRecorded) {
  RecordingPlan recording;
  recording.identity.examples = 1000;
  recording.identity.views = 2;
  recording.identity.classes = 10;
  recording.identity.codec = "dense_fp16";
  recording.identity.block_rows = 64;
  LabelCommand command;
  command.out = "sets/a";
  command.run_dir = "runs/1";
  std::string text = DryLabel(command, Plan(), recording, Built());
  EXPECT_THAT(text, HasSubstr("2000 rows of 10 classes as dense_fp16, 32 blocks of 64"));
  EXPECT_THAT(text, HasSubstr("3 x /b/teacher_server --threads 4"));
  command.teachers = {"h:1", "h:2"};
  text = DryLabel(command, Plan(), recording, Built());
  EXPECT_THAT(text, HasSubstr("the teacher servers at h:1, h:2"));
  EXPECT_THAT(text, Not(HasSubstr("would start")));
}

}  // namespace
}  // namespace distill
