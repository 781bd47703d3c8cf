#include "cli/commands/coordinator_access.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "cli/run_directory/run_directory.h"
#include "common/files/fake_file_system.h"

namespace distill {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

v1::PlanConfig Plan() {
  v1::PlanConfig plan;
  plan.set_name("p");
  plan.add_runs()->set_name("teacher");
  plan.add_runs()->set_name("student");
  return plan;
}

v1::PlanStatus Answer(const std::string& id) {
  v1::PlanStatus status;
  status.set_plan_id(id);
  status.add_runs()->set_run_id("teacher");
  status.add_runs()->set_run_id("student");
  return status;
}

// `submitted`: under which id from the directory; empty: it was not.
absl::Status Check(const v1::PlanStatus& status, const std::string& submitted = "") {
  FakeFileSystem files;
  RunDirectory directory(&files, "runs/1");
  if (!submitted.empty()) {
    EXPECT_TRUE(directory.Adopt(Plan(), {"h:7000", submitted}).ok());
  }
  return CheckIsPlanOf(status, Plan(), directory, "h:7000");
}

TEST(CoordinatorAccessTest, ThePlanOfTheDirectoryIsKnownByItsNameAndItsRuns) {
  EXPECT_TRUE(Check(Answer("p-1")).ok());
  EXPECT_TRUE(Check(Answer("p-170")).ok());
}

TEST(CoordinatorAccessTest, AnotherPlanIsRefusedAndBothAreNamed) {
  for (const char* id : {"q-1", "p-x-1", "pp-1", "p-", "p", ""}) {
    const absl::Status status = Check(Answer(id));
    EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition) << id;
    EXPECT_THAT(std::string(status.message()),
                AllOf(HasSubstr("h:7000"), HasSubstr(id), HasSubstr("runs/1 holds plan p")));
  }
  v1::PlanStatus other_runs = Answer("p-1");
  other_runs.mutable_runs(1)->set_run_id("distilled");
  EXPECT_FALSE(Check(other_runs).ok());
  other_runs.mutable_runs()->RemoveLast();
  EXPECT_FALSE(Check(other_runs).ok());
}

TEST(CoordinatorAccessTest, APlanThatWasSubmittedFromTheDirectoryIsKnownByItsId) {
  EXPECT_TRUE(Check(Answer("p-170"), "p-170").ok());
  const absl::Status former = Check(Answer("p-170"), "p-17");
  EXPECT_EQ(former.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(std::string(former.message()),
              AllOf(HasSubstr("has plan p-170"), HasSubstr("runs/1 holds plan p-17:")));
}

}  // namespace
}  // namespace distill
