// Runs that read recorded labels, as the coordinator sees them.
#include <gtest/gtest.h>

#include <string>

#include "coordinator/service/decisions/coordinator_harness.h"

namespace distill {
namespace {

using v1::RunStatus;

class CoordinatorRecordedTest : public CoordinatorHarness {
 protected:
  void Finish(const std::string& run) {
    v1::FinishRunRequest request;
    request.set_fence(coordinator_->state().fence());
    request.set_run_id(run);
    request.set_generation(1);
    request.set_fingerprint("f");
    ASSERT_TRUE(coordinator_->FinishRun(request, now_).ok());
  }
  // The last world that the session was told.
  v1::World WorldOf(uint64_t session) {
    v1::World world;
    for (const auto& output : coordinator_->TakeOutputs()) {
      if (output.session == session && output.directive.has_value() &&
          output.directive->has_world()) {
        world = output.directive->world();
      }
    }
    return world;
  }
  RunStatus::RunState StateOf(const std::string& run) {
    return coordinator_->state().FindRun(run)->state;
  }
};

TEST_F(CoordinatorRecordedTest, ARunWhoseTeachersAreAllRecordedStartsWithoutATeacherServer) {
  Hello(1, "s0");
  ASSERT_TRUE(Submit(R"(runs { name: "student" data_set: "digits"
                               teachers { role: "t" recorded_labels: "/set" }
                               training { steps: 9 world_size: 1 } })")
                  .ok());
  EXPECT_EQ(StateOf("student"), RunStatus::ACTIVE);
  const v1::World world = WorldOf(1);
  ASSERT_EQ(world.teachers_size(), 1);
  EXPECT_EQ(world.teachers(0).role(), "t");
  EXPECT_EQ(world.teachers(0).fingerprint(), "");
  EXPECT_EQ(world.teachers(0).classes(), 10u);
}

TEST_F(CoordinatorRecordedTest, WhereItsTeacherNamesARunThatRunComesFirstAndItsFingerprintIsTold) {
  Hello(1, "s0");
  ASSERT_TRUE(Submit(R"(runs { name: "student" data_set: "digits"
                               teachers { role: "t" run: "teacher" recorded_labels: "/set" }
                               training { steps: 9 world_size: 1 } }
                        runs { name: "teacher" data_set: "digits"
                               training { steps: 9 world_size: 1 } })")
                  .ok());
  EXPECT_EQ(StateOf("student"), RunStatus::PENDING);
  EXPECT_EQ(StateOf("teacher"), RunStatus::ACTIVE);
  Finish("teacher");
  EXPECT_EQ(StateOf("student"), RunStatus::ACTIVE);
  EXPECT_EQ(WorldOf(1).teachers(0).fingerprint(), "f");
}

TEST_F(CoordinatorRecordedTest, ATeacherThatIsNotRecordedMustNameARun) {
  EXPECT_EQ(Submit(R"(runs { name: "student" data_set: "digits" teachers { role: "t" }
                             training { steps: 9 world_size: 1 } })")
                .code(),
            absl::StatusCode::kInvalidArgument);
}

}  // namespace
}  // namespace distill
