#include "cli/progress/live_table.h"

#include <gmock/gmock.h>
#include <google/protobuf/text_format.h>
#include <gtest/gtest.h>

#include <cstdint>
#include <fstream>
#include <sstream>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/time/time.h"
#include "cli/progress/run_trends.h"
#include "cli/terminal/styled_text.h"
#include "proto/coordinator.pb.h"

namespace distill {
namespace {

using ::testing::AllOf;
using ::testing::Contains;
using ::testing::ContainsRegex;
using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

// Of everything one.
constexpr char kStatus[] = R"(
  plan_id: "fashion_mnist-2" state: RUNNING
  runs { run_id: "teacher" state: DONE steps: 200 generation: 1 }
  runs { run_id: "distilled" state: ACTIVE steps: 1400 generation: 2
         progress { step: 131 steps_per_second: 96 teacher_wait_ratio: 0.03
                    loss_terms { key: "hard" value: 0.912 } loss_terms { key: "soft" value: 1.204 } } }
  runs { run_id: "deeper" state: WAITING steps: 900
         message: "waits for a teacher server of model distilled, fingerprint 48d5e3b7722b" }
  runs { run_id: "later" state: PENDING steps: 900 }
  members { worker: "student-0" role: STUDENT_WORKER state: ALIVE run_id: "distilled"
            progress { step: 131 steps_per_second: 96.1 teacher_wait_ratio: 0.03 loss: 1.871 } }
  members { worker: "student-1" role: STUDENT_WORKER state: ALIVE run_id: "distilled"
            progress { step: 130 steps_per_second: 95.4 teacher_wait_ratio: 0.41 loss: 1.902 } }
  members { worker: "student-2" role: STUDENT_WORKER state: SUSPECT }
  members { worker: "student-3" role: STUDENT_WORKER state: ALIVE }
  members { worker: "student-4" role: STUDENT_WORKER state: GONE }
  members { worker: "teacher-0" role: TEACHER_SERVER state: ALIVE
            teacher_state { state: READY model: "teacher" }
            teacher_load { rows_per_second: 3072.4 busy_ratio: 0.613 queue_rows: 128
                           queue_requests: 2 cache_hit_ratio: 0.874 } }
  members { worker: "teacher-1" role: TEACHER_SERVER state: ALIVE
            teacher_state { state: LOADING model: "teacher" } }
  members { worker: "teacher-2" role: TEACHER_SERVER state: ALIVE
            teacher_state { state: FAILED model: "teacher"
                            message: "canary: example 3 deviates by 0.02, allowed is 0.001" } })";

v1::PlanStatus Everything() {
  v1::PlanStatus status;
  EXPECT_TRUE(google::protobuf::TextFormat::ParseFromString(kStatus, &status));
  return status;
}

RunTrends Trends() {
  RunTrends trends;
  v1::PlanStatus status = Everything();
  for (int i = 1; i <= 20; ++i) {
    v1::Progress* progress = status.mutable_runs(1)->mutable_progress();
    progress->set_step(i == 20 ? 131 : 6 * i);
    progress->set_steps_per_second(i % 2 == 0 ? 70 : 110);
    trends.Add(status);
  }
  return trends;
}

std::vector<std::string> Table(const LiveTableOptions& options) {
  return LiveTable(Everything(), Trends(), options);
}

LiveTableOptions Of(int width, int height = 50) {
  LiveTableOptions options;
  options.width = width;
  options.height = height;
  options.elapsed = absl::Seconds(3723);
  return options;
}

std::string Read(const std::string& path) {
  std::ifstream file(path);
  EXPECT_TRUE(file.good()) << path;
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

// cli/progress/testdata/live_table_<columns>.txt is what people see; where a change is meant,
// copy what this prints there.
TEST(LiveTableTest, AtEachWidthTheTableIsAsRecorded) {
  for (const int width : {40, 60, 80, 120, 200}) {
    const std::string text = absl::StrCat(absl::StrJoin(Table(Of(width)), "\n"), "\n");
    EXPECT_EQ(text, Read(absl::StrCat("cli/progress/testdata/live_table_", width, ".txt")))
        << "at " << width << " columns:\n"
        << text;
  }
}

TEST(LiveTableTest, NoLineIsWiderThanTheTerminalAndNoneOutsideAscii) {
  for (int width = 1; width <= 220; ++width) {
    LiveTableOptions options = Of(width);
    options.sentence = "distilled: teacher-bound: 41% of the time \xe2\x80\x94 waits\n";
    for (const std::string& line : Table(options)) {
      EXPECT_LE(line.size(), static_cast<size_t>(width)) << line;
      for (const char c : line) EXPECT_TRUE(c >= ' ' && c < 0x7f) << line;
    }
  }
}

TEST(LiveTableTest, WithoutColourThereIsNoEscapeSequenceAndWithItTheSameText) {
  LiveTableOptions options = Of(120);
  const std::string plain = absl::StrJoin(Table(options), "\n");
  EXPECT_THAT(plain, Not(HasSubstr("\x1b")));
  options.color = true;
  const std::vector<std::string> painted = Table(options);
  std::string text;
  for (const char c : absl::StrJoin(painted, "\n")) text.push_back(c);
  for (size_t at = 0; (at = text.find('\x1b')) != std::string::npos;) {
    text.erase(at, text.find('m', at) - at + 1);
  }
  EXPECT_EQ(text, plain);
  EXPECT_THAT(absl::StrJoin(painted, "\n"), HasSubstr("\x1b[31m"));
  for (const std::string& line : painted) EXPECT_LE(VisibleWidth(line), 120);
}

TEST(LiveTableTest, WhereRowsDoNotFitTheLeastTellingGoAndTheLastLineCountsThem) {
  for (int height = 1; height <= 16; ++height) {
    EXPECT_LE(Table(Of(100, height)).size(), static_cast<size_t>(height));
  }
  const std::vector<std::string> lines = Table(Of(100, 8));
  EXPECT_LE(lines.size(), 8u);
  EXPECT_THAT(lines, Contains(StartsWith("distilled  131/1400")));
  EXPECT_THAT(lines, Contains(StartsWith("teacher-2  failed: canary")));
  EXPECT_THAT(lines.back(), StartsWith("and "));
  EXPECT_THAT(lines.back(), HasSubstr("4 students"));
  EXPECT_THAT(lines.back(), HasSubstr("1 run done"));
}

TEST(LiveTableTest, AThousandStudentsFitToo) {
  v1::PlanStatus status = Everything();
  for (int i = 0; i < 1000; ++i) {
    v1::MemberStatus* member = status.add_members();
    *member = status.members(0);
    member->set_worker(absl::StrCat("student-", 100 + i));
  }
  const std::vector<std::string> lines = LiveTable(status, Trends(), Of(100, 24));
  EXPECT_EQ(lines.size(), 24u);
  EXPECT_THAT(lines.back(), StartsWith("and 99"));
}

TEST(LiveTableTest, TheFleetComesFirstWhereAskedAndTheSentenceLast) {
  LiveTableOptions options = Of(100);
  options.fleet_first = true;
  options.sentence = "distilled: teacher-bound";
  const std::vector<std::string> lines = Table(options);
  EXPECT_THAT(lines[1], StartsWith("STUDENT"));
  EXPECT_EQ(lines.back(), "distilled: teacher-bound");
}

TEST(LiveTableTest, ALongSentenceGoesOnInFurtherLinesAndAVeryLongOneIsCut) {
  LiveTableOptions options = Of(40);
  options.height = 12;
  options.sentence = "stopped by SIGINT; continue with: distillctl resume runs/a";
  std::vector<std::string> lines = Table(options);
  EXPECT_EQ(lines.size(), 12u);
  EXPECT_EQ(lines[lines.size() - 2], "stopped by SIGINT; continue with:");
  EXPECT_EQ(lines.back(), "distillctl resume runs/a");
  options.sentence += std::string(200, 'x');
  lines = Table(options);
  EXPECT_EQ(lines.size(), 12u);
  EXPECT_THAT(lines.back(), EndsWith("xx.."));
}

TEST(LiveTableTest, ARunThatHaltedSaysHowFarItCame) {
  v1::PlanStatus status = Everything();
  status.mutable_runs(1)->set_state(v1::RunStatus::HALTED);
  EXPECT_THAT(LiveTable(status, Trends(), Of(100)),
              Contains(AllOf(HasSubstr("distilled"), HasSubstr("halted at step 131 of 1400"))));
}

TEST(LiveTableTest, AStudentThatStandsStillSaysWhomItWaitsForAndOneThatTrainsItsFigures) {
  v1::PlanStatus status = Everything();
  for (const int student : {0, 1}) {
    v1::Progress* progress = status.mutable_members(student)->mutable_progress();
    progress->set_note("waits 42s for labels of teacher role t");
    if (student == 1) progress->set_steps_per_second(0);
  }
  const std::vector<std::string> lines = LiveTable(status, Trends(), Of(120));
  EXPECT_THAT(lines, Contains(AllOf(HasSubstr("student-0"), HasSubstr("96.1"),
                                    Not(HasSubstr("waits 42s")))));
  EXPECT_THAT(lines, Contains(AllOf(HasSubstr("student-1"),
                                    HasSubstr("waits 42s for labels of teacher role t"))));
}

TEST(LiveTableTest, WhatOthersSayCannotCommandTheTerminal) {
  v1::PlanStatus status = Everything();
  status.set_plan_id("\x1b[2Jplan");
  status.mutable_runs(2)->set_message("\x1b]0;title\x07");
  status.mutable_members(0)->set_worker("\x1b[?25h");
  status.mutable_members(7)->mutable_teacher_state()->set_message("\r\n\x1b[A");
  EXPECT_THAT(absl::StrJoin(LiveTable(status, Trends(), Of(120)), ""), Not(HasSubstr("\x1b")));
}

TEST(LiveTableTest, AWideTableHasAColumnForEverythingAndThoseThatAreGone) {
  v1::PlanStatus status = Everything();
  status.mutable_runs(1)->mutable_last_checkpoint()->set_step(100);
  for (const int member : {0, 2, 4, 7}) {
    status.mutable_members(member)->set_process_id(1000 + member);
    status.mutable_members(member)->set_address("h:7");
    status.mutable_members(member)->set_ops_address("h:8");
  }
  LiveTableOptions options = Of(1000);
  options.wide = true;
  options.elapsed.reset();
  const std::vector<std::string> lines = LiveTable(status, Trends(), options);
  EXPECT_EQ(lines[0], "plan fashion_mnist-2  running  1 of 4 runs done");
  EXPECT_THAT(lines[1], ContainsRegex("^RUN .* LOSS +CHECKPOINT +NOTE$"));
  EXPECT_THAT(lines, Contains(ContainsRegex("^distilled .* hard 0.912 soft 1.204 +100$")));
  EXPECT_THAT(lines, Contains(ContainsRegex("^deeper +waiting: waits for a teacher server")));
  EXPECT_THAT(lines, Contains(ContainsRegex("^STUDENT .* LOSS +PID +ADDRESS +METRICS +NOTE$")));
  EXPECT_THAT(lines, Contains(ContainsRegex("^student-0 .* 1.871 +1000 +h:7 +h:8$")));
  EXPECT_THAT(lines, Contains(ContainsRegex("^student-2 +1002 +h:7 +h:8 +not heard of$")));
  EXPECT_THAT(lines, Contains(ContainsRegex("^student-4 +1004 +h:7 +h:8 +gone$")));
  EXPECT_THAT(
      lines,
      Contains(ContainsRegex("^teacher-2 +failed +teacher +1007 +h:7 +h:8 +failed: canary")));
}

TEST(LiveTableTest, WithoutHeadersThereAreRowsOnly) {
  LiveTableOptions options = Of(120);
  const std::vector<std::string> all = Table(options);
  options.headers = false;
  std::vector<std::string> rows;
  for (const std::string& line : all) {
    const std::string first = line.substr(0, line.find(' '));
    if (first != "plan" && first != "RUN" && first != "STUDENT" && first != "TEACHER") {
      rows.push_back(line);
    }
  }
  EXPECT_EQ(rows.size(), 11u);
  EXPECT_EQ(Table(options), rows);
}

TEST(LiveTableTest, TimesToGoAreOneFigureOrARange) {
  const auto text = [](double low, double high) {
    return TimeLeftText({absl::Seconds(low), absl::Seconds(high)});
  };
  EXPECT_EQ(text(12, 12.3), "12 s");
  EXPECT_EQ(text(10, 14), "10-14 s");
  EXPECT_EQ(text(50, 120), "50 s-2 min");
  EXPECT_EQ(text(180, 300), "3-5 min");
  EXPECT_EQ(text(6000, 9000), "1.7-2.5 h");
  EXPECT_EQ(text(400000, 400000), "4.6 d");
  EXPECT_EQ(ElapsedText(absl::Seconds(42)), "0:42");
  EXPECT_EQ(ElapsedText(absl::Seconds(3723)), "1:02:03");
}

TEST(LiveTableTest, APlanWithoutAnythingIsItsFirstLine) {
  EXPECT_THAT(LiveTable(v1::PlanStatus(), RunTrends(), Of(80)),
              ::testing::ElementsAre(EndsWith("0 of 0 runs done  1:02:03")));
}

}  // namespace
}  // namespace distill
