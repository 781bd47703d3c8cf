#include "distillation/run_config/plan_defaults.h"

#include <gmock/gmock.h>
#include <google/protobuf/util/message_differencer.h>
#include <gtest/gtest.h>

namespace distill {
namespace {

using ::testing::ElementsAre;

v1::PlanConfig TwoRuns() {
  v1::PlanConfig plan;
  plan.add_data_sets()->mutable_idx();
  plan.add_runs()->mutable_training()->set_world_size(3);
  v1::RunConfig* student = plan.add_runs();
  student->add_teachers()->set_role("teacher");
  student->add_objective()->mutable_soft_kl()->set_teacher("teacher");
  return plan;
}

TEST(PlanDefaults, AreIdempotent) {
  const v1::PlanConfig once = ResolvePlan(TwoRuns());
  EXPECT_TRUE(google::protobuf::util::MessageDifferencer::Equals(once, ResolvePlan(once)));
}

TEST(PlanDefaults, ARunWithoutTeachersLearnsFromItsLabels) {
  const v1::PlanConfig plan = ResolvePlan(TwoRuns());
  const v1::RunConfig& run = plan.runs(0);
  ASSERT_EQ(run.objective_size(), 1);
  EXPECT_EQ(run.objective(0).name(), "hard");
  EXPECT_EQ(run.objective(0).weight(), v1::TermConfig::HARD_WEIGHT);
  EXPECT_EQ(run.schedules().hard_weight().pieces(0).constant().value(), 1);
}

TEST(PlanDefaults, AnOutputWithANameAloneIsLogits) {
  v1::PlanConfig plan = TwoRuns();
  plan.mutable_runs(1)->mutable_teachers(0)->add_outputs()->set_name("scores");
  plan.mutable_runs(1)->mutable_teachers(0)->add_outputs()->mutable_feature();
  const auto resolved = ResolvePlan(plan).runs(1).teachers(0).outputs();
  ASSERT_EQ(resolved.size(), 2);
  EXPECT_TRUE(resolved[0].has_logits());
  EXPECT_EQ(resolved[0].name(), "scores");
  EXPECT_TRUE(resolved[1].has_feature());
}

TEST(PlanDefaults, ARunWithATeacherAsksForItsLogits) {
  const v1::PlanConfig plan = ResolvePlan(TwoRuns());
  const v1::RunConfig& run = plan.runs(1);
  EXPECT_EQ(run.teachers(0).outputs(0).name(), "logits");
  EXPECT_TRUE(run.teachers(0).outputs(0).has_logits());
  EXPECT_EQ(run.objective(0).name(), "soft");
  EXPECT_EQ(run.objective(0).weight(), v1::TermConfig::SOFT_WEIGHT);
  EXPECT_EQ(run.schedules().temperature().pieces(0).constant().value(), 4);
  EXPECT_THAT(run.labels().codecs(), ElementsAre("dense_fp16", "dense_fp32"));
}

TEST(PlanDefaults, ProcessesFollowTheRuns) {
  const v1::PlanConfig plan = ResolvePlan(TwoRuns());
  EXPECT_EQ(plan.processes().student_workers(), 3u);
  EXPECT_EQ(plan.processes().teacher_servers(), 1u);
  EXPECT_EQ(plan.processes().bind_host(), "127.0.0.1");
  EXPECT_EQ(plan.data_sets(0).scale(), 255);
}

TEST(PlanDefaults, WhereAllLabelsAreRecordedThereIsNoTeacherServer) {
  v1::PlanConfig plan = TwoRuns();
  plan.mutable_runs(1)->mutable_teachers(0)->set_recorded_labels("/set");
  plan = ResolvePlan(plan);
  EXPECT_EQ(plan.processes().teacher_servers(), 0u);
  EXPECT_EQ(plan.runs(1).train_on(), v1::RunConfig::ALL);
}

TEST(PlanDefaults, WhatIsSetStays) {
  v1::PlanConfig plan = TwoRuns();
  plan.mutable_runs(1)->mutable_labels()->set_window_steps(9);
  plan.mutable_runs(1)->mutable_training()->mutable_adamw()->set_beta1(0.5);
  plan.mutable_data_sets(0)->set_scale(2);
  plan = ResolvePlan(plan);
  EXPECT_EQ(plan.runs(1).labels().window_steps(), 9u);
  EXPECT_EQ(plan.runs(1).training().adamw().beta1(), 0.5);
  EXPECT_EQ(plan.data_sets(0).scale(), 2);
}

TEST(PlanDefaults, AModelFromAFileHasOneOutputUnlessToldOtherwise) {
  v1::PlanConfig plan = TwoRuns();
  plan.mutable_runs(0)->mutable_model()->mutable_torch_script()->set_file("a.pt");
  plan.mutable_runs(1)->mutable_model()->mutable_torch_script()->add_outputs("scores");
  plan = ResolvePlan(plan);
  ASSERT_EQ(plan.runs(0).model().torch_script().outputs_size(), 1);
  EXPECT_EQ(plan.runs(0).model().torch_script().outputs(0), "logits");
  ASSERT_EQ(plan.runs(1).model().torch_script().outputs_size(), 1);
}

TEST(PlanDefaults, ARunThatOnlyExportsTakesNoStep) {
  v1::PlanConfig plan;
  plan.add_runs()->set_export_only(true);
  plan = ResolvePlan(plan);
  EXPECT_EQ(plan.runs(0).training().steps(), 0);
  EXPECT_EQ(plan.runs(0).training().world_size(), 1u);
  EXPECT_EQ(plan.runs(0).training().global_batch_size(), 1u);
  EXPECT_TRUE(plan.runs(0).schedules().has_learning_rate());
  EXPECT_EQ(ResolvePlan(plan).SerializeAsString(), plan.SerializeAsString());
}

}  // namespace
}  // namespace distill
