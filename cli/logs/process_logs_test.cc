#include "cli/logs/process_logs.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "cli/logs/fake_folder_watch.h"
#include "common/files/fake_file_system.h"
#include "common/files/file_system.h"

namespace distill {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

class ProcessLogsTest : public ::testing::Test {
 protected:
  ProcessLogsTest() { EXPECT_TRUE(files_.MakeDirectories("/r/logs").ok()); }
  void Append(const std::string& process, const std::string& text) {
    auto file = files_.OpenForAppend("/r/logs/" + process + ".log");
    ASSERT_TRUE(file.ok());
    ASSERT_TRUE((*file)->Append(text).ok());
  }
  ProcessLogs Logs(const std::string& process = "", std::optional<size_t> tail = std::nullopt) {
    return ProcessLogs(&files_, {"/r/logs", process, tail},
                       [this](const std::string& line) { printed_.push_back(line); });
  }
  std::vector<std::string> Printed() { return std::exchange(printed_, {}); }

  FakeFileSystem files_;
  std::vector<std::string> printed_;
};

TEST_F(ProcessLogsTest, OneProcessIsPrintedAsItIsAndAllWithTheirNames) {
  Append("teacher-0", "a\nb\n");
  Append("coordinator", "c\n");
  ASSERT_TRUE(files_.Write("/r/logs/other", "no log\n").ok());
  ProcessLogs one = Logs("teacher-0");
  ASSERT_TRUE(one.PrintFirst().ok());
  EXPECT_THAT(Printed(), ElementsAre("a", "b"));
  ProcessLogs all = Logs();
  ASSERT_TRUE(all.PrintFirst().ok());
  EXPECT_THAT(Printed(), ElementsAre("coordinator | c", "teacher-0   | a", "teacher-0   | b"));
}

TEST_F(ProcessLogsTest, ATailIsTheLastLinesOfEachAndAllThatCome) {
  Append("s", "1\n2\n3\n");
  ProcessLogs logs = Logs("s", 2);
  ASSERT_TRUE(logs.PrintFirst().ok());
  EXPECT_THAT(Printed(), ElementsAre("2", "3"));
  Append("s", "4\n5\n6\n");
  ASSERT_TRUE(logs.PrintMore(false).ok());
  EXPECT_THAT(Printed(), ElementsAre("4", "5", "6"));
  ProcessLogs none = Logs("s", 0);
  ASSERT_TRUE(none.PrintFirst().ok());
  EXPECT_THAT(Printed(), IsEmpty());
}

TEST_F(ProcessLogsTest, AProcessThatHasNoLogIsNamedWithThoseThatHave) {
  Append("s", "1\n");
  ProcessLogs logs = Logs("student-9");
  const absl::Status status = logs.PrintFirst();
  EXPECT_EQ(status.code(), absl::StatusCode::kNotFound);
  EXPECT_THAT(std::string(status.message()), HasSubstr("'student-9'"));
  EXPECT_THAT(std::string(status.message()), HasSubstr("there are: s"));
}

TEST_F(ProcessLogsTest, FollowingPrintsWhatComesAlsoOfNewProcessesAndATornLastLine) {
  Append("s", "1\n");
  ProcessLogs logs = Logs();
  ASSERT_TRUE(logs.PrintFirst().ok());
  Printed();
  bool over = false;
  FakeFolderWatch watch({[&] { Append("s", "2\nto"); }, [&] { Append("t", "first\n"); },
                         [&] {
                           Append("s", "rn");
                           over = true;
                         }});
  ASSERT_TRUE(FollowLogs(logs, watch, absl::Seconds(1), [&] { return over; }).ok());
  EXPECT_THAT(Printed(), ElementsAre("s | 2", "t | first", "s | torn"));
}

TEST_F(ProcessLogsTest, FollowingEndsWithAnErrorOfTheWatch) {
  Append("s", "1\n");
  ProcessLogs logs = Logs();
  FakeFolderWatch watch({});
  EXPECT_EQ(FollowLogs(logs, watch, absl::Seconds(1), [] { return false; }).code(),
            absl::StatusCode::kOutOfRange);
}

}  // namespace
}  // namespace distill
