#include "cli/progress/progress.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <string>
#include <tuple>

#include "absl/strings/str_cat.h"

namespace distill {
namespace {

using ::testing::ContainsRegex;
using ::testing::HasSubstr;
using ::testing::Not;

TEST(ProgressTest, ALineSaysStepRateTermsWaitingAndTimeLeft) {
  v1::RunStatus run;
  run.set_run_id("distilled");
  run.set_state(v1::RunStatus::ACTIVE);
  run.mutable_progress()->set_step(400);
  run.mutable_progress()->set_steps_per_second(100);
  (*run.mutable_progress()->mutable_loss_terms())["soft"] = 1.25;
  (*run.mutable_progress()->mutable_loss_terms())["hard"] = 0.5;
  run.mutable_progress()->set_teacher_wait_ratio(0.034);
  run.set_steps(1400);
  EXPECT_EQ(ProgressLine(run),
            "distilled  step 400/1400  100.0/s  hard 0.500 soft 1.250  waiting for teacher 3%  "
            "ETA 10 s");
}

TEST(ProgressTest, ARunThatDoesNotTrainSaysWhy) {
  v1::RunStatus run;
  run.set_run_id("distilled");
  run.set_state(v1::RunStatus::WAITING);
  run.set_message("waits for a teacher server of model teacher");
  EXPECT_EQ(ProgressLine(run), "distilled  waiting: waits for a teacher server of model teacher");
}

TEST(ProgressTest, TheNamesOfAStatusAreItsRunsAndTheProcessesThatAreThere) {
  v1::PlanStatus status;
  status.add_runs()->set_run_id("r");
  for (const auto& [worker, role, state] :
       {std::tuple{"teacher-0", v1::TEACHER_SERVER, v1::MemberStatus::ALIVE},
        {"student-0", v1::STUDENT_WORKER, v1::MemberStatus::SUSPECT},
        {"student-1", v1::STUDENT_WORKER, v1::MemberStatus::GONE}}) {
    v1::MemberStatus* member = status.add_members();
    member->set_worker(worker);
    member->set_role(role);
    member->set_state(state);
  }
  EXPECT_EQ(StatusNames(status), "run/r\nteacher_server/teacher-0\nstudent_worker/student-0\n");
}

TEST(ProgressTest, WithATrendALineSaysItsSmoothedFigures) {
  v1::RunStatus run;
  run.set_run_id("distilled");
  run.set_state(v1::RunStatus::ACTIVE);
  run.set_steps(1000);
  RunTrend trend;
  for (int i = 1; i <= 20; ++i) {
    run.mutable_progress()->set_step(10 * i);
    run.mutable_progress()->set_steps_per_second(i % 2 == 0 ? 20 : 5);
    trend.Add(run);
  }
  EXPECT_THAT(ProgressLine(run, &trend), HasSubstr("  8.3/s "));
  EXPECT_THAT(ProgressLine(run, &trend), ContainsRegex("ETA [0-9]+( s)?-[0-9]+ "));
}

TEST(ProgressTest, AnUpdateIsOneLineOfJsonWithTheStatusAndTheEstimates) {
  v1::PlanStatus status;
  status.set_plan_id("p\n1");
  v1::RunStatus* run = status.add_runs();
  run->set_run_id("r");
  run->set_state(v1::RunStatus::ACTIVE);
  run->set_steps(100);
  run->mutable_progress()->set_step(50);
  run->mutable_progress()->set_steps_per_second(10);
  RunTrends trends;
  trends.Add(status);
  const std::string line = UpdateJson(status, trends);
  EXPECT_EQ(line.find('\n'), std::string::npos);
  const nlohmann::json update = nlohmann::json::parse(line);
  EXPECT_EQ(update["version"], 1);
  EXPECT_EQ(update["status"]["plan_id"], "p\n1");
  EXPECT_EQ(update["estimates"]["r"]["steps_per_second"], 10.0);
  EXPECT_EQ(update["estimates"]["r"]["seconds_left_low"], 5.0);
}

TEST(ProgressTest, NumbersOfAStatusAreNumbers) {
  v1::PlanStatus status;
  status.set_fence(uint64_t{1} << 63);
  v1::RunStatus* run = status.add_runs();
  run->set_steps(100000);
  run->mutable_progress()->set_step(65);
  status.add_members()->set_process_id(17393);
  const nlohmann::json json = nlohmann::json::parse(StatusJson(status));
  EXPECT_EQ(json["fence"], uint64_t{1} << 63);
  EXPECT_EQ(json["runs"][0]["steps"], 100000);
  EXPECT_EQ(json["runs"][0]["progress"]["step"], 65);
  EXPECT_EQ(json["members"][0]["process_id"], 17393);
}

TEST(ProgressTest, AStatusOfAPlanThatIsDoneHasTheFieldsOfOneThatRuns) {
  v1::PlanConfig plan;
  plan.add_runs()->set_name("r");
  const nlohmann::json running = nlohmann::json::parse(StatusJson(DoneStatus(plan)));
  nlohmann::json done = nlohmann::json::parse(DoneJson(plan, "d/report.json"));
  EXPECT_EQ(done["report"], "d/report.json");
  done.erase("report");
  EXPECT_EQ(done, running);
}

TEST(ProgressTest, AnUpdateOfAPlanThatIsDoneIsOneLineOfTheSameShape) {
  v1::PlanConfig plan;
  plan.add_runs()->set_name("r");
  plan.mutable_runs(0)->mutable_training()->set_steps(7);
  const std::string line = DoneUpdateJson(plan, "d/report.json");
  EXPECT_EQ(line.find('\n'), std::string::npos);
  const nlohmann::json done = nlohmann::json::parse(line);
  v1::PlanStatus running;
  running.add_runs()->set_run_id("r");
  const nlohmann::json update = nlohmann::json::parse(UpdateJson(running, {}));
  for (const auto& [field, value] : update.items()) {
    EXPECT_EQ(done[field].type(), value.type()) << field;
  }
  for (const auto& [field, value] : update["status"].items()) {
    EXPECT_EQ(done["status"][field].type(), value.type()) << field;
  }
  EXPECT_EQ(done["version"], update["version"]);
  EXPECT_EQ(done["status"]["state"], "FINISHED");
  EXPECT_EQ(done["status"]["runs"][0]["run_id"], "r");
  EXPECT_EQ(done["status"]["runs"][0]["state"], "DONE");
  EXPECT_EQ(done["report"], "d/report.json");
}

TEST(ProgressTest, WhoStandsStillSaysWhomItWaitsFor) {
  v1::RunStatus run;
  run.set_state(v1::RunStatus::ACTIVE);
  run.mutable_progress()->set_step(3);
  run.mutable_progress()->set_note("waits 42s for labels of teacher role t");
  EXPECT_THAT(ProgressLine(run), HasSubstr("waits 42s for labels of teacher role t"));
  run.mutable_progress()->set_steps_per_second(5);
  EXPECT_THAT(ProgressLine(run), Not(HasSubstr("waits 42s")));
}

TEST(ProgressTest, WhatOtherProcessesSayCannotCommandTheTerminal) {
  const std::string evil =
      "\x1b]0;owned\x07\x9b"
      "2J\r\n";
  v1::PlanStatus status;
  v1::RunStatus* run = status.add_runs();
  run->set_run_id(evil);
  run->set_message(evil);
  status.add_members()->set_worker(evil);
  const std::string text = absl::StrCat(StatusNames(status), ProgressLine(*run));
  for (const char c : text) {
    EXPECT_TRUE(c == '\n' || (c >= ' ' && c <= '~')) << "byte " << static_cast<int>(c);
  }
  EXPECT_EQ(std::count(text.begin(), text.end(), '\n'), 2) << text;
}

}  // namespace
}  // namespace distill
