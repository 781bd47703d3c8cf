#include "student_worker/worker/world_control.h"

#include <gtest/gtest.h>

#include <thread>

namespace distill {
namespace {

v1::Schedule Constant(double value) {
  v1::Schedule schedule;
  v1::Schedule::Piece* piece = schedule.add_pieces();
  piece->set_end_step(1);
  piece->mutable_constant()->set_value(value);
  return schedule;
}

v1::ScheduleVersion Version(uint64_t version, int64_t from_step, double temperature) {
  v1::ScheduleVersion result;
  result.set_version(version);
  result.set_from_step(from_step);
  *result.mutable_schedules()->mutable_temperature() = Constant(temperature);
  *result.mutable_schedules()->mutable_soft_weight() = Constant(0.5);
  *result.mutable_schedules()->mutable_hard_weight() = Constant(0.5);
  *result.mutable_schedules()->mutable_learning_rate() = Constant(0.1);
  return result;
}

std::unique_ptr<WorldControl> Make() {
  v1::World world;
  world.set_run_id("r");
  world.set_generation(2);
  *world.add_schedules() = Version(1, 0, 4);
  world.mutable_grant()->set_through_step(10);
  auto control = WorldControl::Create(world, 1);
  EXPECT_TRUE(control.ok()) << control.status();
  return *std::move(control);
}

TEST(WorldControlTest, AGrantedStepHasItsSchedulesAtOnce) {
  auto control = Make();
  auto timeline = control->WaitForGrant(9, absl::ZeroDuration());
  ASSERT_TRUE(timeline.ok());
  EXPECT_EQ((*timeline)->At(9).temperature, 4);
  EXPECT_EQ(control->WaitForGrant(10, absl::ZeroDuration()).status().code(),
            absl::StatusCode::kDeadlineExceeded);
}

TEST(WorldControlTest, AWaitingStepGoesOnWithTheGrantAndTheNewestSchedule) {
  auto control = Make();
  std::thread trainer([&] {
    auto timeline = control->WaitForGrant(20, absl::Seconds(30));
    ASSERT_TRUE(timeline.ok()) << timeline.status();
    EXPECT_EQ((*timeline)->At(20).temperature, 2);
  });
  EXPECT_TRUE(control->AddSchedule(Version(2, 15, 2)).ok());
  EXPECT_TRUE(control->AddSchedule(Version(2, 15, 9)).ok());  // repeated: not taken twice
  control->Grant(30);
  control->Grant(12);  // older: takes nothing back
  trainer.join();
}

TEST(WorldControlTest, TheEndWakesWhoeverWaitsAndKeepsItsFirstReason) {
  auto control = Make();
  std::thread trainer([&] {
    EXPECT_EQ(control->WaitForGrant(50, absl::Seconds(30)).status().message(), "a peer is gone");
  });
  control->End(absl::AbortedError("a peer is gone"));
  trainer.join();
  control->End(absl::AbortedError("later"));
  EXPECT_EQ(control->ended().message(), "a peer is gone");
}

TEST(WorldControlTest, AListenerHearsWhatCameBeforeItAndWhatComesAfter) {
  auto control = Make();
  v1::TeacherEndpoints endpoints;
  endpoints.set_model("teacher");
  endpoints.add_endpoints()->set_worker("a");
  control->SetTeachers(endpoints);
  int servers = 0;
  absl::Status ended;
  auto listener = std::make_shared<WorldControl::Listener>();
  listener->teachers = [&](const v1::TeacherEndpoints& e) { servers = e.endpoints_size(); };
  listener->ended = [&](const absl::Status& status) { ended = status; };
  control->SetListener(listener);
  EXPECT_EQ(servers, 1);
  endpoints.add_endpoints()->set_worker("b");
  control->SetTeachers(endpoints);
  EXPECT_EQ(servers, 2);
  control->SetListener(nullptr);
  control->End(absl::AbortedError("over"));
  EXPECT_TRUE(ended.ok());
}

}  // namespace
}  // namespace distill
