#include "benchmarks/support/student.h"

#include <limits>
#include <utility>
#include <vector>

#include "cli/plan_file/plan_file.h"
#include "common/files/posix_file_system.h"
#include "common/status/status_macros.h"
#include "distillation/models/threads.h"
#include "student_worker/collectives/gloo_collectives.h"

namespace distill {
namespace {

constexpr char kPlan[] = "examples/fashion_mnist.yaml";
constexpr char kRun[] = "distilled";

}  // namespace

absl::StatusOr<std::unique_ptr<BenchStudent>> BenchStudent::Create(Clock* clock) {
  RETURN_IF_ERROR(SetComputeThreads(1));
  PosixFileSystem files;
  ASSIGN_OR_RETURN(const v1::PlanConfig plan, ReadPlan(files, kPlan, {}, /*seed=*/1));
  std::unique_ptr<BenchStudent> student(new BenchStudent(clock));
  for (const v1::RunConfig& run : plan.runs()) {
    if (run.name() == kRun) student->run_ = run;
  }
  // The benchmark decides how long it trains.
  student->run_.mutable_training()->set_steps(std::numeric_limits<int32_t>::max());
  student->run_.mutable_training()->set_world_size(1);
  ASSIGN_OR_RETURN(student->data_,
                   DataSet::Load(files, plan.data_sets(0), DataSet::Files::kTraining));
  v1::ScheduleVersion schedules;
  *schedules.mutable_schedules() = student->run_.schedules();
  ASSIGN_OR_RETURN(ScheduleTimeline timeline, ScheduleTimeline::Create({&schedules, 1}));
  student->schedules_ = std::make_unique<ScheduleTimeline>(std::move(timeline));
  ASSIGN_OR_RETURN(student->collectives_, ConnectGloo(GlooOptions(), &student->store_));
  TrainerOptions options;
  options.run = student->run_;
  options.seed = plan.seed();
  ASSIGN_OR_RETURN(
      student->trainer_,
      Trainer::Create(options, student->data_, student->collectives_.get(), &student->phases_));
  return student;
}

absl::Status BenchStudent::Train(int64_t steps, const LabelsOf& labels_of, const OnStep& on_step) {
  for (const int64_t end = next_step_ + steps; next_step_ < end; ++next_step_) {
    phases_.Enter(Phase::kWaitTeacher);
    TeacherLabels labels;
    ASSIGN_OR_RETURN((labels[{"teacher", "logits"}]), labels_of(next_step_));
    const StepValues values = schedules_->At(next_step_);
    ASSIGN_OR_RETURN(const StepResult result, trainer_->Step(next_step_, values, labels));
    if (on_step) RETURN_IF_ERROR(on_step(next_step_, values, result, phases_));
  }
  return absl::OkStatus();
}

}  // namespace distill
