#include "distillation/schedules/schedule_timeline.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace distill {
namespace {

v1::Schedule Linear(double from, double to) {
  v1::Schedule schedule;
  v1::Schedule::Piece* piece = schedule.add_pieces();
  piece->set_end_step(100);
  piece->mutable_linear()->set_from(from);
  piece->mutable_linear()->set_to(to);
  return schedule;
}

v1::ScheduleVersion Version(uint64_t version, int64_t from_step, double temperature) {
  v1::ScheduleVersion result;
  result.set_version(version);
  result.set_from_step(from_step);
  v1::ScheduleSet* set = result.mutable_schedules();
  *set->mutable_temperature() = Linear(temperature, temperature);
  *set->mutable_soft_weight() = Linear(0.9, 0.5);
  *set->mutable_hard_weight() = Linear(0.1, 0.5);
  *set->mutable_learning_rate() = Linear(0.2, 0);
  (*set->mutable_term_weights())["hint"] = Linear(10, 0);
  return result;
}

TEST(ScheduleTimeline, GivesAllValuesOfAStep) {
  const std::vector<v1::ScheduleVersion> versions = {Version(1, 0, 2)};
  const auto timeline = ScheduleTimeline::Create(versions);
  ASSERT_TRUE(timeline.ok()) << timeline.status();
  const StepValues values = timeline->At(50);
  EXPECT_EQ(values.version, 1u);
  EXPECT_DOUBLE_EQ(values.temperature, 2);
  EXPECT_DOUBLE_EQ(values.soft_weight, 0.7);
  EXPECT_DOUBLE_EQ(values.hard_weight, 0.3);
  EXPECT_DOUBLE_EQ(values.learning_rate, 0.1);
  EXPECT_DOUBLE_EQ(values.term_weights.at("hint"), 5);
}

TEST(ScheduleTimeline, AVersionHoldsFromItsStepAndTheHighestWins) {
  const std::vector<v1::ScheduleVersion> versions = {Version(1, 0, 1), Version(2, 40, 2),
                                                     Version(3, 30, 3), Version(4, 90, 4)};
  const auto timeline = ScheduleTimeline::Create(versions);
  ASSERT_TRUE(timeline.ok()) << timeline.status();
  EXPECT_EQ(timeline->At(0).temperature, 1);
  EXPECT_EQ(timeline->At(29).temperature, 1);
  EXPECT_EQ(timeline->At(30).temperature, 3);
  EXPECT_EQ(timeline->At(40).temperature, 3);
  EXPECT_EQ(timeline->At(90).temperature, 4);
}

std::string Refusal(const std::vector<v1::ScheduleVersion>& versions) {
  const auto timeline = ScheduleTimeline::Create(versions);
  if (timeline.ok()) return "accepted";
  EXPECT_EQ(timeline.status().code(), absl::StatusCode::kInvalidArgument);
  return std::string(timeline.status().message());
}

TEST(ScheduleTimeline, RefusesVersionsThatDoNotMakeOneFunction) {
  EXPECT_EQ(Refusal({}), "a run needs one schedule version");
  EXPECT_EQ(Refusal({Version(1, 5, 1)}),
            "the first schedule version holds from step 5; it must hold from step 0");
  EXPECT_EQ(Refusal({Version(2, 0, 1), Version(2, 5, 1)}),
            "schedule version 2 follows version 2; versions must rise");
  EXPECT_EQ(Refusal({Version(1, 0, 1), Version(2, -1, 1)}),
            "schedule version 2: from_step is -1; steps count from 0");
  v1::ScheduleVersion other_terms = Version(2, 10, 1);
  other_terms.mutable_schedules()->clear_term_weights();
  EXPECT_EQ(Refusal({Version(1, 0, 1), other_terms}),
            "schedule version 2: term_weights names other terms than the first version");
}

TEST(ScheduleTimeline, RefusesAnInvalidScheduleNamingVersionAndField) {
  EXPECT_EQ(Refusal({Version(1, 0, 1), Version(2, 10, -3)}),
            "schedule version 2: temperature.pieces[0].linear.from: is -3; a temperature must be "
            "finite and above 0\n"
            "temperature.pieces[0].linear.to: is -3; a temperature must be finite and above 0");
  v1::ScheduleVersion incomplete = Version(1, 0, 1);
  incomplete.mutable_schedules()->clear_soft_weight();
  EXPECT_EQ(Refusal({incomplete}),
            "schedule version 1: soft_weight.pieces: has 0 entries; give from 1 to 1000");
}

}  // namespace
}  // namespace distill
