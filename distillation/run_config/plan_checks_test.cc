#include "distillation/run_config/plan_checks.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <limits>
#include <sstream>

#include "common/config/config_reader.h"
#include "distillation/run_config/plan_defaults.h"

namespace distill {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

PlanCapabilities Capabilities() {
  return {[](const v1::ModelConfig& model) {
            return model.architecture() == "mlp" || model.architecture() == "conv_net" ||
                           model.has_torch_script() || model.has_aot_inductor()
                       ? absl::OkStatus()
                       : absl::InvalidArgumentError("unknown architecture; known: conv_net, mlp");
          },
          {"dense_fp16", "dense_fp32", "top_k", "sampled", "hidden_fp32"}};
}

// The example that ships, read from its file: every test starts from a plan that
// can run and breaks one thing.
v1::PlanConfig Example() {
  std::ifstream in("examples/fashion_mnist.yaml");
  std::stringstream text;
  text << in.rdbuf();
  v1::PlanConfig plan;
  PositionMap positions;
  const absl::Status status = ParseConfig(text.str(), "fashion_mnist.yaml", &plan, &positions);
  EXPECT_TRUE(status.ok()) << status;
  return ResolvePlan(plan);
}

std::vector<std::string> Paths(const v1::PlanConfig& plan) {
  std::vector<std::string> paths;
  for (const FieldProblem& problem : FindPlanProblems(plan, Capabilities())) {
    paths.push_back(problem.path);
  }
  return paths;
}

TEST(PlanChecks, TheExampleCanRun) {
  EXPECT_THAT(Paths(Example()), IsEmpty());
  EXPECT_THAT(*RunOrder(Example()), ElementsAre("teacher", "alone", "distilled"));
}

TEST(PlanChecks, AllProblemsAreFoundAtOnceInTheOrderOfTheFile) {
  v1::PlanConfig plan = Example();
  plan.mutable_data_sets(0)->set_classes(1);
  plan.mutable_runs(0)->mutable_model()->set_architecture("transformer");
  plan.mutable_runs(2)->mutable_training()->set_steps(0);
  EXPECT_THAT(Paths(plan),
              ElementsAre("data_sets[0].classes", "runs[0].model", "runs[2].training.steps"));
}

TEST(PlanChecks, TemperaturesAndWeightsOutOfRangeAreNamed) {
  v1::PlanConfig plan = Example();
  auto* schedules = plan.mutable_runs(2)->mutable_schedules();
  schedules->mutable_temperature()->mutable_pieces(0)->mutable_linear()->set_to(0);
  schedules->mutable_soft_weight()->mutable_pieces(0)->mutable_linear()->set_from(1.5);
  const std::vector<std::string> paths = Paths(plan);
  ASSERT_EQ(paths.size(), 2u);
  EXPECT_THAT(paths[0], HasSubstr("runs[2].schedules.temperature"));
  EXPECT_THAT(paths[1], HasSubstr("runs[2].schedules.soft_weight"));
}

TEST(PlanChecks, ALearningRateIsAsked) {
  v1::PlanConfig plan = Example();
  plan.mutable_runs(0)->mutable_schedules()->clear_learning_rate();
  EXPECT_THAT(Paths(plan), ElementsAre("runs[0].schedules.learning_rate"));
}

TEST(PlanChecks, NamesAreCheckedAndUnique) {
  v1::PlanConfig plan = Example();
  plan.mutable_runs(1)->set_name("../teacher");
  EXPECT_THAT(Paths(plan), ElementsAre("runs[1].name"));
  plan.mutable_runs(1)->set_name("teacher");
  EXPECT_THAT(Paths(plan), ElementsAre("runs[1].name"));
}

TEST(PlanChecks, ARunIsNotNamedLikeTheFolderOfLogs) {
  v1::PlanConfig plan = Example();
  plan.mutable_runs(1)->set_name("logs");
  EXPECT_THAT(Paths(plan), ElementsAre("runs[1].name"));
}

TEST(PlanChecks, AMisspeltReferenceIsAnsweredWithTheNearestName) {
  v1::PlanConfig plan = Example();
  v1::RunConfig* run = plan.mutable_runs(2);
  run->set_data_set("fashion_mnits");
  run->mutable_teachers(0)->set_run("techer");
  run->mutable_objective(1)->mutable_soft_kl()->set_teacher("teachr");
  const auto problems = FindPlanProblems(plan, Capabilities());
  ASSERT_EQ(problems.size(), 3u);
  EXPECT_THAT(problems[0].message, HasSubstr("did you mean fashion_mnist?"));
  EXPECT_THAT(problems[1].message, HasSubstr("known: teacher, alone, distilled; did you mean"));
  EXPECT_THAT(problems[2].message, HasSubstr("did you mean teacher?"));
}

TEST(PlanChecks, WhatIsReferredToMustExist) {
  v1::PlanConfig plan = Example();
  plan.mutable_runs(0)->set_data_set("mnist");
  plan.mutable_runs(2)->mutable_teachers(0)->set_run("expert");
  plan.mutable_runs(2)->mutable_objective(1)->mutable_soft_kl()->set_teacher("tutor");
  plan.mutable_runs(2)->mutable_labels()->set_codecs(0, "zip");
  plan.mutable_runs(2)->mutable_labels()->set_share(0);
  EXPECT_THAT(Paths(plan), ElementsAre("runs[0].data_set", "runs[2].teachers[0].run",
                                       "runs[2].objective[1].soft_kl.teacher",
                                       "runs[2].labels.share", "runs[2].labels.codecs[0]"));
}

// The messages about the codec `name` of the distilled run.
std::vector<std::string> ProblemsOfCodec(v1::PlanConfig plan, const std::string& name) {
  plan.mutable_runs(2)->mutable_labels()->clear_codecs();
  plan.mutable_runs(2)->mutable_labels()->add_codecs(name);
  std::vector<std::string> messages;
  for (const FieldProblem& problem : FindPlanProblems(plan, Capabilities())) {
    EXPECT_EQ(problem.path, "runs[2].labels.codecs[0]");
    messages.push_back(problem.message);
  }
  return messages;
}

TEST(PlanChecks, CodecsWithNumbersAreTakenAndBadNumbersNamed) {
  for (const char* name : {"top_k", "top_k/5", "top_k/4096/32", "dense_fp32"}) {
    EXPECT_THAT(ProblemsOfCodec(Example(), name), IsEmpty()) << name;
  }
  EXPECT_THAT(ProblemsOfCodec(Example(), "top_k/0"),
              ElementsAre(HasSubstr("has '0' where a whole number from 1 to 4096 belongs")));
  EXPECT_THAT(ProblemsOfCodec(Example(), "scores_at_ids/3"),
              ElementsAre(HasSubstr("there is no codec 'scores_at_ids/3'")));
}

TEST(PlanChecks, SparseLabelsMustSuitTheTermsAndTemperatures) {
  v1::PlanConfig plan = Example();
  auto* temperature = plan.mutable_runs(2)->mutable_schedules()->mutable_temperature();
  EXPECT_THAT(ProblemsOfCodec(plan, "sampled"), ElementsAre(HasSubstr("a temperature of 1")));
  temperature->mutable_pieces(0)->mutable_linear()->set_from(40);
  EXPECT_THAT(ProblemsOfCodec(plan, "top_k"), ElementsAre(HasSubstr("to 40 must rise within")));
  temperature->mutable_pieces(0)->mutable_constant()->set_value(1);
  EXPECT_THAT(ProblemsOfCodec(plan, "sampled"), IsEmpty());
  auto* mse = plan.mutable_runs(2)->add_objective();
  mse->set_name("mse");
  mse->mutable_logit_mse()->set_teacher(plan.runs(2).teachers(0).role());
  mse->mutable_logit_mse()->set_output("logits");
  EXPECT_THAT(ProblemsOfCodec(plan, "top_k"), ElementsAre(HasSubstr("the term 'mse' (logit_mse)")));
  EXPECT_THAT(ProblemsOfCodec(plan, "dense_fp16"), IsEmpty());
  // Nobody is asked for them: a recorded set is dense.
  plan.mutable_runs(2)->mutable_teachers(0)->set_recorded_labels("/set");
  EXPECT_THAT(ProblemsOfCodec(plan, "top_k"), IsEmpty());
}

TEST(PlanChecks, HiddenStatesSuitEveryTermAndTemperature) {
  v1::PlanConfig plan = Example();
  auto* temperature = plan.mutable_runs(2)->mutable_schedules()->mutable_temperature();
  temperature->mutable_pieces(0)->mutable_linear()->set_from(40);
  auto* mse = plan.mutable_runs(2)->add_objective();
  mse->set_name("mse");
  mse->mutable_logit_mse()->set_teacher(plan.runs(2).teachers(0).role());
  mse->mutable_logit_mse()->set_output("logits");
  EXPECT_THAT(ProblemsOfCodec(plan, "hidden_fp32"), IsEmpty());
}

TEST(PlanChecks, ATeacherOfOtherClassesIsRefused) {
  v1::PlanConfig plan = Example();
  *plan.add_data_sets() = plan.data_sets(0);
  plan.mutable_data_sets(1)->set_name("coarse");
  plan.mutable_data_sets(1)->set_classes(4);
  plan.mutable_runs(0)->set_data_set("coarse");
  const auto problems = FindPlanProblems(plan, Capabilities());
  ASSERT_EQ(problems.size(), 1u);
  EXPECT_EQ(problems[0].path, "runs[2].teachers[0].run");
  EXPECT_THAT(problems[0].message, HasSubstr("4 classes"));
}

TEST(PlanChecks, ARanksBatchMustFitATeacherServer) {
  v1::PlanConfig plan = Example();
  plan.mutable_serving()->set_max_batch_examples(128);  // 256 examples over 2 ranks
  EXPECT_THAT(Paths(plan), IsEmpty());
  plan.mutable_serving()->set_max_batch_examples(127);
  // The runs without a teacher ask for no labels.
  EXPECT_THAT(Paths(plan), ElementsAre("runs[2].training.global_batch_size"));
}

TEST(PlanChecks, ATeacherWithRecordedLabelsNeedsNoRunAndNoRoomInATeacherServer) {
  v1::PlanConfig plan = Example();
  v1::TeacherConfig* teacher = plan.mutable_runs(2)->mutable_teachers(0);
  teacher->set_recorded_labels("/set");
  plan.mutable_serving()->set_max_batch_examples(1);
  EXPECT_THAT(Paths(plan), IsEmpty());
  teacher->clear_run();
  EXPECT_THAT(Paths(plan), IsEmpty());
  EXPECT_THAT(*RunOrder(plan), ElementsAre("teacher", "alone", "distilled"));
  teacher->set_run("expert");
  EXPECT_THAT(Paths(plan), ElementsAre("runs[2].teachers[0].run"));
}

TEST(PlanChecks, WhatALabelSetCannotHoldIsRefusedWithTheWayOut) {
  v1::PlanConfig plan = Example();
  v1::TeacherConfig* teacher = plan.mutable_runs(2)->mutable_teachers(0);
  teacher->set_recorded_labels("/set");
  teacher->clear_run();
  v1::OutputSpec* scores = teacher->add_outputs();
  scores->set_name("scores");
  scores->mutable_logits();
  plan.mutable_runs(2)->mutable_view()->set_horizontal_flip(true);
  const auto problems = FindPlanProblems(plan, Capabilities());
  ASSERT_EQ(problems.size(), 2u);
  EXPECT_EQ(problems[0].path, "runs[2].teachers[0].outputs");
  EXPECT_EQ(problems[0].message,
            "a label set holds one output, and the teacher has 2; give each a role of its own");
  EXPECT_EQ(problems[1].path, "runs[2].view.views_per_example");
  EXPECT_EQ(problems[1].message,
            "every epoch has a view of its own, and a label set holds a few views of each "
            "example; set it to as many as were recorded");
  teacher->mutable_outputs()->RemoveLast();
  plan.mutable_runs(2)->mutable_view()->set_views_per_example(4);
  EXPECT_THAT(Paths(plan), IsEmpty());
}

TEST(PlanChecks, RunsThatTakeOneAnotherForTeachersAreNamed) {
  v1::PlanConfig plan = Example();
  auto* teacher = plan.mutable_runs(0)->add_teachers();
  teacher->set_role("student");
  teacher->set_run("distilled");
  v1::OutputSpec* output = teacher->add_outputs();
  output->set_name("logits");
  output->mutable_logits();
  const auto order = RunOrder(plan);
  EXPECT_EQ(order.status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(order.status().message()), HasSubstr("distilled, teacher"));
  EXPECT_THAT(Paths(plan), ElementsAre("runs"));
}

TEST(PlanChecks, ATeacherListedAfterItsStudentStillComesFirst) {
  v1::PlanConfig plan = Example();
  plan.mutable_runs()->SwapElements(0, 2);
  EXPECT_THAT(*RunOrder(plan), ElementsAre("alone", "teacher", "distilled"));
}

TEST(PlanChecks, TrainingThatCannotWorkIsNamed) {
  v1::PlanConfig plan = Example();
  auto* training = plan.mutable_runs(0)->mutable_training();
  training->set_global_batch_size(127);
  training->mutable_sgd()->set_momentum(0);
  training->set_gradient_clip_norm(std::numeric_limits<double>::quiet_NaN());
  plan.mutable_runs(1)->mutable_training()->set_world_size(4);
  EXPECT_THAT(
      Paths(plan),
      ElementsAre("runs[0].training.global_batch_size", "runs[0].training.gradient_clip_norm",
                  "runs[0].training.sgd.nesterov", "runs[1].training.world_size"));
}

TEST(PlanChecks, ADigestThatIsNoneAndAMissingFileAreNamed) {
  v1::PlanConfig plan = Example();
  plan.mutable_data_sets(0)->mutable_idx()->mutable_train_images()->set_sha256("abc");
  plan.mutable_data_sets(0)->mutable_idx()->mutable_test_labels()->clear_path();
  EXPECT_THAT(Paths(plan), ElementsAre("data_sets[0].idx.train_images.sha256",
                                       "data_sets[0].idx.test_labels.path"));
}

// The example with a teacher that is a file.
v1::PlanConfig WithTeacherFromFile() {
  v1::PlanConfig plan = Example();
  v1::RunConfig& teacher = *plan.mutable_runs(0);
  v1::RunConfig file;
  file.set_name(teacher.name());
  file.set_data_set(teacher.data_set());
  file.mutable_model()->mutable_aot_inductor()->set_file("teacher.pt2");
  file.set_export_only(true);
  teacher = file;
  return ResolvePlan(plan);
}

TEST(PlanChecks, ARunThatOnlyExportsNeedsNeitherSchedulesNorTraining) {
  EXPECT_THAT(Paths(WithTeacherFromFile()), IsEmpty());
  v1::PlanConfig plan = WithTeacherFromFile();
  plan.mutable_runs(0)->mutable_training()->set_steps(5);
  *plan.mutable_runs(0)->add_teachers() = plan.runs(2).teachers(0);
  plan.mutable_runs(0)->mutable_teachers(0)->set_run("alone");
  EXPECT_THAT(Paths(plan), ElementsAre("runs[0].teachers", "runs[0].training.steps"));
}

TEST(PlanChecks, AnArchitectureIsTrainedAndAPackageIsNot) {
  v1::PlanConfig plan = WithTeacherFromFile();
  plan.mutable_runs(0)->mutable_model()->Clear();
  plan.mutable_runs(0)->mutable_model()->set_architecture("mlp");
  EXPECT_THAT(Paths(plan), ElementsAre("runs[0].export_only"));
  plan = WithTeacherFromFile();
  plan.mutable_runs(0)->set_export_only(false);
  EXPECT_THAT(Paths(plan), ElementsAre("runs[0].model.aot_inductor", "runs[0].training.steps"));
}

TEST(PlanChecks, OutputsThatNoTeacherServerGivesAreRefusedBeforeAnythingTrains) {
  v1::PlanConfig plan = Example();
  v1::OutputSpec* output = plan.mutable_runs(2)->mutable_teachers(0)->mutable_outputs(0);
  output->mutable_feature()->set_path("layers.0");
  EXPECT_THAT(Paths(plan), ElementsAre("runs[2].teachers[0].outputs[0]"));
  output->mutable_logits();
  EXPECT_THAT(Paths(plan), IsEmpty());
  *plan.mutable_runs(2)->mutable_teachers(0)->add_outputs() = *output;
  EXPECT_THAT(Paths(plan), ElementsAre("runs[2].teachers[0].outputs[1].name"));
  plan.mutable_runs(2)->mutable_teachers(0)->mutable_outputs(1)->set_name("scores");
  EXPECT_THAT(Paths(plan), ElementsAre("runs[2].teachers[0].outputs"));
}

TEST(PlanChecks, OutputsOfATeacherFromAFileAreThoseItDeclares) {
  v1::PlanConfig plan = WithTeacherFromFile();
  plan.mutable_runs(0)->mutable_model()->mutable_aot_inductor()->set_outputs(0, "scores");
  const auto problems = FindPlanProblems(plan, Capabilities());
  ASSERT_EQ(problems.size(), 1u);
  EXPECT_EQ(problems[0].path, "runs[2].teachers[0].outputs");
  EXPECT_THAT(problems[0].message, HasSubstr("declares no output 'logits'; known: scores"));
}

}  // namespace
}  // namespace distill
