#include "distillation/run_config/teachers.h"

#include <gtest/gtest.h>

namespace distill {
namespace {

TEST(TeachersTest, ARunAsksTeacherServersUnlessAllOfItsTeachersAreRecorded) {
  v1::RunConfig run;
  EXPECT_FALSE(AsksTeacherServers(run));
  run.add_teachers()->set_recorded_labels("/set");
  EXPECT_TRUE(IsRecorded(run.teachers(0)));
  EXPECT_FALSE(AsksTeacherServers(run));
  run.add_teachers()->set_run("teacher");
  EXPECT_FALSE(IsRecorded(run.teachers(1)));
  EXPECT_TRUE(AsksTeacherServers(run));
}

TEST(TeachersTest, APlanAsksTeacherServersWhereOneOfItsRunsDoes) {
  v1::PlanConfig plan;
  plan.add_runs();
  EXPECT_FALSE(AsksTeacherServers(plan));
  plan.add_runs()->add_teachers()->set_run("teacher");
  EXPECT_TRUE(AsksTeacherServers(plan));
}

}  // namespace
}  // namespace distill
