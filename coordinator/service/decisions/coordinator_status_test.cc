// What the coordinator shows of a plan that runs, beside what its journal has.
#include <gtest/gtest.h>

#include <cstdint>
#include <map>
#include <string>

#include "absl/time/time.h"
#include "coordinator/service/decisions/coordinator_harness.h"

namespace distill {
namespace {

class CoordinatorStatusTest : public CoordinatorHarness {
 protected:
  // A run of two students, whose world is there.
  CoordinatorStatusTest() {
    Hello(1, "s0");
    Hello(2, "s1");
    Hello(3, "t0", v1::TEACHER_SERVER);
    EXPECT_TRUE(
        Submit(R"(runs { name: "r" data_set: "digits" training { steps: 9 world_size: 2 } })")
            .ok());
  }

  void Report(uint64_t session, int64_t step) {
    v1::AttendReport report;
    report.set_run_id("r");
    report.mutable_progress()->set_generation(coordinator_->state().FindRun("r")->generation);
    report.mutable_progress()->set_rank(static_cast<uint32_t>(session - 1));
    report.mutable_progress()->set_step(step);
    ASSERT_TRUE(coordinator_->OnReport(session, report, now_).ok());
  }
  std::map<std::string, v1::MemberStatus> Members() {
    std::map<std::string, v1::MemberStatus> members;
    const auto status = coordinator_->GetPlan();
    EXPECT_TRUE(status.ok()) << status.status();
    for (const v1::MemberStatus& member : status->members()) members[member.worker()] = member;
    return members;
  }
};

TEST_F(CoordinatorStatusTest, EachStudentHasItsProgressAndItsRun) {
  Report(1, 4);
  Report(2, 3);
  auto members = Members();
  EXPECT_EQ(members["s0"].progress().step(), 4);
  EXPECT_EQ(members["s1"].progress().step(), 3);
  EXPECT_EQ(members["s1"].run_id(), "r");
  EXPECT_FALSE(members["t0"].has_progress());
  EXPECT_EQ(coordinator_->GetPlan()->runs(0).progress().step(), 4);
}

TEST_F(CoordinatorStatusTest, NothingIsShownOfAWorldThatHasEnded) {
  Report(1, 4);
  Report(2, 3);
  coordinator_->OnStreamLost(2, now_);
  now_ += absl::Seconds(10);
  coordinator_->OnTime(now_);
  for (const auto& [worker, member] : Members()) EXPECT_FALSE(member.has_progress()) << worker;
}

TEST_F(CoordinatorStatusTest, ATeacherServersHeartbeatSaysItsLoad) {
  EXPECT_FALSE(Members()["t0"].has_teacher_load());
  v1::AttendReport beat;
  beat.mutable_heartbeat()->mutable_teacher_load()->set_rows_per_second(7);
  ASSERT_TRUE(coordinator_->OnReport(3, beat, now_).ok());
  ASSERT_TRUE(coordinator_->OnReport(1, beat, now_).ok());
  auto members = Members();
  EXPECT_EQ(members["t0"].teacher_load().rows_per_second(), 7);
  EXPECT_FALSE(members["s0"].has_teacher_load());
}

}  // namespace
}  // namespace distill
