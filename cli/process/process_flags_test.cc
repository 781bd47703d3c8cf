#include "cli/process/process_flags.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "cli/command_line/model_flags.h"

namespace distill {
namespace {

using ::testing::HasSubstr;

TEST(ProcessFlagsTest, EachProcessHasTheFlagsItNeeds) {
  const auto parsed = ParseProcessFlags(ProcessKind::kStudentWorker,
                                        {"--run-dir", "/r", "--coordinator=127.0.0.1:1", "--name",
                                         "student-1", "--threads=2", "--ready-fd=5"});
  const auto* flags = std::get_if<ProcessFlags>(&parsed);
  ASSERT_NE(flags, nullptr);
  EXPECT_EQ(flags->name, "student-1");
  EXPECT_EQ(flags->run_dir, "/r");
  EXPECT_EQ(flags->coordinator, "127.0.0.1:1");
  EXPECT_EQ(flags->threads, 2);
  EXPECT_EQ(flags->ready_fd, 5);
  EXPECT_EQ(flags->ops_listen, "127.0.0.1:0");
}

TEST(ProcessFlagsTest, ATeacherServerCachesLabelsInMemoryUnlessToldOtherwise) {
  const std::vector<std::string> needed = {"--run-dir=/r", "--coordinator=h:1"};
  const auto flags = std::get<ProcessFlags>(ParseProcessFlags(ProcessKind::kTeacherServer, needed));
  EXPECT_EQ(flags.cache_mib, 256u);
  EXPECT_EQ(flags.cache_dir, "");
  const auto other = std::get<ProcessFlags>(ParseProcessFlags(
      ProcessKind::kTeacherServer,
      {needed[0], needed[1], "--cache-mib=0", "--cache-dir=/c", "--cache-disk-mib=5"}));
  EXPECT_EQ(other.cache_mib, 0u);
  EXPECT_EQ(other.cache_dir, "/c");
  EXPECT_EQ(other.cache_disk_mib, 5u);
}

TEST(ProcessFlagsTest, ATeacherServerIsReachedWhereItListensUnlessToldOtherwise) {
  const std::vector<std::string> needed = {"--run-dir=/r", "--coordinator=h:1"};
  EXPECT_EQ(
      std::get<ProcessFlags>(ParseProcessFlags(ProcessKind::kTeacherServer, needed)).advertise, "");
  const auto flags = std::get<ProcessFlags>(ParseProcessFlags(
      ProcessKind::kTeacherServer,
      {needed[0], needed[1], "--listen=0.0.0.0:7100", "--advertise=teachers.example.org:443"}));
  EXPECT_EQ(flags.listen, "0.0.0.0:7100");
  EXPECT_EQ(flags.advertise, "teachers.example.org:443");
}

TEST(ProcessFlagsTest, AnAddressThatNobodyCanConnectToIsNotToldToOthers) {
  for (const std::string address :
       {"h", ":5", "h:", "h:0", "h:65536", "h:-1", "h:x", "0.0.0.0:5", "[::]:5", "https://h:5"}) {
    const auto parsed =
        ParseProcessFlags(ProcessKind::kTeacherServer,
                          {"--run-dir=/r", "--coordinator=h:1", "--advertise=" + address});
    const auto* exit = std::get_if<PrintAndExit>(&parsed);
    ASSERT_NE(exit, nullptr) << address;
    EXPECT_EQ(exit->code, ExitCode::kUsage);
    EXPECT_THAT(exit->text, HasSubstr("--advertise"));
    EXPECT_THAT(exit->text, HasSubstr("'" + address + "' is not where others connect to"));
  }
}

TEST(ProcessFlagsTest, NobodyIsToldOfATeacherServerThatHasNoCoordinator) {
  const auto parsed = ParseProcessFlags(ProcessKind::kTeacherServer,
                                        {"--run-dir=/r", "--serve=order.yaml", "--advertise=h:1"});
  ASSERT_TRUE(std::holds_alternative<PrintAndExit>(parsed));
  EXPECT_EQ(std::get<PrintAndExit>(parsed).code, ExitCode::kUsage);
  EXPECT_THAT(std::get<PrintAndExit>(parsed).text, HasSubstr("--advertise"));
}

TEST(ProcessFlagsTest, AMisspeltFlagIsAUsageErrorWithTheNearestName) {
  const auto parsed = ParseProcessFlags(
      ProcessKind::kTeacherServer, {"--run-dir=/r", "--coordinator=h:1", "--lisen=127.0.0.1:5"});
  const auto* exit = std::get_if<PrintAndExit>(&parsed);
  ASSERT_NE(exit, nullptr);
  EXPECT_EQ(exit->code, ExitCode::kUsage);
  EXPECT_THAT(exit->text, HasSubstr("--listen"));
}

TEST(ProcessFlagsTest, AMissingFlagIsNamed) {
  const auto parsed = ParseProcessFlags(ProcessKind::kTeacherServer, {"--run-dir=/r"});
  const auto* exit = std::get_if<PrintAndExit>(&parsed);
  ASSERT_NE(exit, nullptr);
  EXPECT_EQ(exit->code, ExitCode::kUsage);
  EXPECT_THAT(exit->text, HasSubstr("--coordinator"));
}

TEST(ProcessFlagsTest, AValueThatAnUnsetVariableLeftEmptyIsRefused) {
  const std::vector<std::vector<std::string>> of_shells = {
      {"--run-dir=", "--coordinator=h:1"},
      {"--run-dir", "", "--coordinator", "h:1"},
      {"--run-dir=/r", "--coordinator=", "--name=n"},
      {"--run-dir=/r", "--coordinator", ""},
      {"--run-dir=/r", "--coordinator=h:1", "--name", ""},
      {"--run-dir=/r", "--coordinator=h:1", "--bind-host=", "--allow-plaintext"}};
  for (const std::vector<std::string>& arguments : of_shells) {
    const auto parsed = ParseProcessFlags(ProcessKind::kStudentWorker, arguments);
    const auto* exit = std::get_if<PrintAndExit>(&parsed);
    ASSERT_NE(exit, nullptr) << arguments.back();
    EXPECT_EQ(exit->code, ExitCode::kUsage);
    EXPECT_THAT(exit->text, HasSubstr("the value is empty"));
  }
}

TEST(ProcessFlagsTest, ATeacherServerHasACoordinatorOrAnOrderInAFileAndNotBoth) {
  const auto parsed =
      ParseProcessFlags(ProcessKind::kTeacherServer, {"--run-dir=/r", "--serve=order.yaml"});
  EXPECT_EQ(std::get<ProcessFlags>(parsed).serve, "order.yaml");
  const auto both = ParseProcessFlags(ProcessKind::kTeacherServer,
                                      {"--run-dir=/r", "--serve=order.yaml", "--coordinator=h:1"});
  EXPECT_EQ(std::get<PrintAndExit>(both).code, ExitCode::kUsage);
  EXPECT_THAT(std::get<PrintAndExit>(both).text, HasSubstr("--serve"));
}

TEST(ProcessFlagsTest, HelpShowsAnExample) {
  const auto parsed = ParseProcessFlags(ProcessKind::kCoordinator, {"--help"});
  const auto* exit = std::get_if<PrintAndExit>(&parsed);
  ASSERT_NE(exit, nullptr);
  EXPECT_EQ(exit->code, ExitCode::kDone);
  EXPECT_THAT(exit->text, HasSubstr("Example"));
}

TEST(ProcessFlagsTest, ProgramsAreLoadedOnlyWhenThatIsAsked) {
  for (const ProcessKind kind : {ProcessKind::kStudentWorker, ProcessKind::kTeacherServer}) {
    const std::vector<std::string> needed = {"--run-dir=/r", "--coordinator=h:1"};
    const auto flags = std::get<ProcessFlags>(ParseProcessFlags(kind, needed));
    EXPECT_EQ(flags.models.dir, "");
    EXPECT_FALSE(flags.models.allow_executable);
    std::vector<std::string> more = needed;
    for (const std::string& argument : ArgumentsOf({"/m", true})) more.push_back(argument);
    const auto told = std::get<ProcessFlags>(ParseProcessFlags(kind, more));
    EXPECT_EQ(told.models.dir, "/m");
    EXPECT_TRUE(told.models.allow_executable);
  }
  EXPECT_TRUE(std::holds_alternative<PrintAndExit>(
      ParseProcessFlags(ProcessKind::kCoordinator, {"--run-dir=/r", "--model-dir=/m"})));
}

}  // namespace
}  // namespace distill
