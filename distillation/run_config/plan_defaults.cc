#include "distillation/run_config/plan_defaults.h"

#include <algorithm>
#include <utility>

#include "distillation/run_config/teachers.h"

namespace distill {
namespace {

void SetConstant(v1::Schedule* schedule, double value) {
  schedule->add_pieces()->mutable_constant()->set_value(value);
}

void ResolveDataSet(v1::DataSetConfig& data_set) {
  if (data_set.scale() == 0) data_set.set_scale(data_set.has_idx() ? 255 : 1);
  if (data_set.deviation() == 0) data_set.set_deviation(1);
}

void ResolveTerm(v1::TermConfig& term) {
  const bool hard = term.has_hard_cross_entropy();
  if (term.name().empty()) {
    term.set_name(hard ? "hard" : term.has_soft_kl() ? "soft" : "logit_mse");
  }
  if (term.weight() == v1::TermConfig::WEIGHT_SCHEDULE_UNSPECIFIED) {
    term.set_weight(hard ? v1::TermConfig::HARD_WEIGHT : v1::TermConfig::SOFT_WEIGHT);
  }
  if (term.has_soft_kl() && term.soft_kl().output().empty()) {
    term.mutable_soft_kl()->set_output("logits");
  }
  if (!term.has_logit_mse()) return;
  if (term.logit_mse().output().empty()) term.mutable_logit_mse()->set_output("logits");
  if (term.logit_mse().reduction() == v1::TermConfig::REDUCTION_UNSPECIFIED) {
    term.mutable_logit_mse()->set_reduction(v1::TermConfig::ELEMENT_MEAN);
  }
}

void ResolveSchedules(bool distils, v1::ScheduleSet& schedules) {
  if (!schedules.has_temperature()) {
    SetConstant(schedules.mutable_temperature(), distils ? 4 : 1);
  }
  if (!schedules.has_soft_weight()) {
    SetConstant(schedules.mutable_soft_weight(), distils ? 0.9 : 0);
  }
  if (!schedules.has_hard_weight()) {
    SetConstant(schedules.mutable_hard_weight(), distils ? 0.1 : 1);
  }
}

void ResolveTraining(v1::TrainingConfig& training) {
  if (training.world_size() == 0) training.set_world_size(1);
  if (training.optimizer_case() == v1::TrainingConfig::OPTIMIZER_NOT_SET) {
    training.mutable_sgd()->set_momentum(0.9);
  }
  if (training.has_adamw()) {
    auto* adamw = training.mutable_adamw();
    if (adamw->beta1() == 0) adamw->set_beta1(0.9);
    if (adamw->beta2() == 0) adamw->set_beta2(0.999);
    if (adamw->epsilon() == 0) adamw->set_epsilon(1e-8);
  }
  if (training.checkpoint_every_steps() == 0) {
    training.set_checkpoint_every_steps(std::max<int64_t>(1, training.steps() / 10));
  }
  if (training.keep_checkpoints() == 0) training.set_keep_checkpoints(2);
}

void ResolveLabels(v1::LabelConfig& labels) {
  if (labels.window_steps() == 0) labels.set_window_steps(4);
  if (labels.codecs().empty()) {
    labels.add_codecs("dense_fp16");
    labels.add_codecs("dense_fp32");
  }
  if (labels.request_timeout_seconds() == 0) labels.set_request_timeout_seconds(30);
}

void ResolveModel(v1::ModelConfig& model) {
  for (v1::ModelFile* file : {model.has_torch_script() ? model.mutable_torch_script() : nullptr,
                              model.has_aot_inductor() ? model.mutable_aot_inductor() : nullptr}) {
    if (file != nullptr && file->outputs().empty()) file->add_outputs("logits");
  }
}

// No step is taken, and none of these is read.
void ResolveExportOnly(v1::RunConfig& run) {
  if (!run.export_only()) return;
  v1::TrainingConfig& training = *run.mutable_training();
  if (training.global_batch_size() == 0) training.set_global_batch_size(1);
  if (!run.schedules().has_learning_rate()) {
    SetConstant(run.mutable_schedules()->mutable_learning_rate(), 0);
  }
}

void ResolveRun(v1::RunConfig& run) {
  ResolveModel(*run.mutable_model());
  ResolveExportOnly(run);
  const bool distils = !run.teachers().empty();
  for (v1::TeacherConfig& teacher : *run.mutable_teachers()) {
    if (teacher.outputs().empty()) teacher.add_outputs()->set_name("logits");
    for (v1::OutputSpec& output : *teacher.mutable_outputs()) {
      if (output.kind_case() == v1::OutputSpec::KIND_NOT_SET) output.mutable_logits();
    }
  }
  if (run.train_on() == v1::RunConfig::TRAIN_ON_UNSPECIFIED) {
    run.set_train_on(distils ? v1::RunConfig::ALL : v1::RunConfig::LABELLED);
  }
  if (run.objective().empty() && !distils) run.add_objective()->mutable_hard_cross_entropy();
  for (v1::TermConfig& term : *run.mutable_objective()) ResolveTerm(term);
  ResolveSchedules(distils, *run.mutable_schedules());
  ResolveTraining(*run.mutable_training());
  ResolveLabels(*run.mutable_labels());
}

void ResolveServing(v1::ServingConfig& serving) {
  if (serving.max_batch_examples() == 0) serving.set_max_batch_examples(256);
  if (serving.max_queue_delay_seconds() == 0) serving.set_max_queue_delay_seconds(0.002);
  if (serving.max_queue_examples() == 0) serving.set_max_queue_examples(4096);
  if (!serving.has_canary_interval_seconds()) serving.set_canary_interval_seconds(30);
}

}  // namespace

v1::PlanConfig ResolvePlan(v1::PlanConfig plan) {
  for (v1::DataSetConfig& data_set : *plan.mutable_data_sets()) ResolveDataSet(data_set);
  uint32_t largest_world = 0;
  for (v1::RunConfig& run : *plan.mutable_runs()) {
    ResolveRun(run);
    largest_world = std::max(largest_world, run.training().world_size());
  }
  ResolveServing(*plan.mutable_serving());
  v1::ProcessConfig& processes = *plan.mutable_processes();
  if (processes.student_workers() == 0) processes.set_student_workers(largest_world);
  if (processes.teacher_servers() == 0 && AsksTeacherServers(plan))
    processes.set_teacher_servers(1);
  if (processes.threads() == 0) processes.set_threads(1);
  if (processes.bind_host().empty()) processes.set_bind_host("127.0.0.1");
  return plan;
}

}  // namespace distill
