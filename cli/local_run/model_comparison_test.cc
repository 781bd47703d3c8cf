#include "cli/local_run/model_comparison.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "common/files/fake_file_system.h"

namespace distill {
namespace {

using ::testing::HasSubstr;

class FindProgramsTest : public ::testing::Test {
 protected:
  void Install(const std::string& path) {
    ASSERT_TRUE(files_.MakeDirectories(ParentDirectory(path)).ok());
    ASSERT_TRUE(files_.Write(path, "program").ok());
  }
  FakeFileSystem files_;
};

TEST_F(FindProgramsTest, ProgramsAreFoundBesideDistillctl) {
  for (const std::string name : {"coordinator", "teacher_server", "student_worker", "evaluate"}) {
    Install("/opt/bin/" + name);
  }
  const auto programs = FindPrograms(files_, "/opt/bin/distillctl");
  ASSERT_TRUE(programs.ok()) << programs.status();
  EXPECT_EQ(programs->coordinator, "/opt/bin/coordinator");
  EXPECT_EQ(programs->teacher_server, "/opt/bin/teacher_server");
  EXPECT_EQ(programs->student_worker, "/opt/bin/student_worker");
  EXPECT_EQ(programs->evaluate, "/opt/bin/evaluate");
}

TEST_F(FindProgramsTest, ProgramsAreFoundWhereBazelBuildsThem) {
  for (const std::string name : {"coordinator/coordinator", "teacher_server/teacher_server",
                                 "student_worker/student_worker", "student_worker/evaluate"}) {
    Install("/w/bin/" + name);
  }
  const auto programs = FindPrograms(files_, "/w/bin/cli/distillctl");
  ASSERT_TRUE(programs.ok()) << programs.status();
  EXPECT_EQ(programs->coordinator, "/w/bin/coordinator/coordinator");
  EXPECT_EQ(programs->teacher_server, "/w/bin/teacher_server/teacher_server");
  EXPECT_EQ(programs->student_worker, "/w/bin/student_worker/student_worker");
  EXPECT_EQ(programs->evaluate, "/w/bin/student_worker/evaluate");
}

TEST_F(FindProgramsTest, AMissingProgramIsNotFoundAndBothPlacesAreNamed) {
  Install("/w/bin/cli/coordinator");
  Install("/w/bin/teacher_server/teacher_server");
  Install("/w/bin/cli/student_worker");
  const absl::Status status = FindPrograms(files_, "/w/bin/cli/distillctl").status();
  EXPECT_EQ(status.code(), absl::StatusCode::kNotFound);
  const std::string message(status.message());
  EXPECT_THAT(message, HasSubstr("/w/bin/cli/evaluate"));
  EXPECT_THAT(message, HasSubstr("/w/bin/student_worker/evaluate"));
  EXPECT_THAT(message, HasSubstr("bazel build //student_worker:evaluate"));
}

}  // namespace
}  // namespace distill
