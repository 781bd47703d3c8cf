#include "student_worker/worker/run_session.h"

#include <map>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "common/status/annotate.h"
#include "common/status/error_id.h"
#include "common/status/status_macros.h"
#include "distillation/order/order.h"
#include "distillation/order/run_examples.h"
#include "distillation/run_config/digests.h"
#include "student_worker/checkpoint/checkpoint.h"
#include "student_worker/collectives/gloo_collectives.h"
#include "student_worker/training/trainer.h"
#include "student_worker/worker/checkpointing.h"
#include "student_worker/worker/diverged_batch.h"
#include "student_worker/worker/event_log.h"
#include "student_worker/worker/rendezvous_store.h"
#include "student_worker/worker/role_labels.h"
#include "student_worker/worker/session_labels.h"
#include "student_worker/worker/step_log.h"

namespace distill {
namespace {

// A step that waits so long for labels is worth a word.
constexpr absl::Duration kLongWait = absl::Seconds(5);
constexpr int64_t kReportBeforeGrantEnds = 32;

absl::StatusOr<int> RankOf(const SessionTools& tools, const v1::World& world) {
  for (const v1::World::Member& member : world.members()) {
    if (member.worker() == tools.worker && member.incarnation() == tools.incarnation) {
      return static_cast<int>(member.rank());
    }
  }
  return absl::InternalError(absl::StrCat(tools.worker, " is not a member of the world of run ",
                                          world.run_id(), " that it was told"));
}

class Session {
 public:
  Session(const SessionTools& tools, std::shared_ptr<const DataSet> data, WorldControl& control)
      : tools_(tools),
        data_(std::move(data)),
        control_(control),
        world_(control.world()),
        run_(world_.run()),
        store_(tools.coordinator, world_),
        phases_(tools.clock),
        labels_(tools, control, *data_) {}

  ~Session() {
    control_.SetListener(nullptr);
    TellLabels(/*ended=*/true);
    labels_.Close(absl::AbortedError("the session is over"));
  }

  absl::Status Run() {
    RETURN_IF_ERROR(Meet());
    RETURN_IF_ERROR(Prepare());
    const int64_t steps = run_.training().steps();
    for (int64_t step = first_step_; step < steps; ++step) {
      RETURN_IF_ERROR(TakeStep(step));
      RETURN_IF_ERROR(KeepAndEvaluate(step + 1));
    }
    const Phase former = phases_.Enter(Phase::kCheckpoint);
    RETURN_IF_ERROR(FinishWithExport(tools_, control_, *trainer_, *collectives_, *data_));
    phases_.Enter(former);
    return absl::OkStatus();
  }

 private:
  absl::Status Meet() {
    ASSIGN_OR_RETURN(rank_, RankOf(tools_, world_));
    GlooOptions options;
    options.rank = rank_;
    options.size = world_.members_size();
    options.bind_host = tools_.bind_host;
    options.timeout = tools_.collectives_timeout;
    ASSIGN_OR_RETURN(collectives_, ConnectGloo(options, &store_));
    return absl::OkStatus();
  }

  absl::Status Prepare() {
    TrainerOptions options;
    options.run = run_;
    options.seed = world_.seed();
    options.programs = tools_.programs;
    ASSIGN_OR_RETURN(trainer_, Trainer::Create(options, data_, collectives_.get(), &phases_));
    RETURN_IF_ERROR(labels_.OpenSets());
    if (world_.has_resume_from()) {
      ASSIGN_OR_RETURN(const Checkpoint checkpoint,
                       ReadCheckpoint(*tools_.files, tools_.run_dir, world_.resume_from(),
                                      ExpectationOf(control_), rank_));
      first_step_ = world_.resume_from().step();
      RETURN_IF_ERROR(trainer_->Restore(first_step_, checkpoint.shared, checkpoint.rank));
    }
    RETURN_IF_ERROR(RecordLabelledSubset());
    RETURN_IF_ERROR(labels_.Start(rank_, first_step_));
    Listen();
    RETURN_IF_ERROR(OpenRecords());
    reported_at_ = tools_.clock->MonotonicNow();
    reported_step_ = first_step_;
    tools_.observer->OnSession(world_.run_id());
    phases_.Take();
    return absl::OkStatus();
  }

  absl::Status OpenRecords() {
    EventLogOptions options;
    options.folder = JoinPath(tools_.run_dir, world_.run_id());
    ASSIGN_OR_RETURN(
        log_, StepLog::Open(*tools_.files,
                            JoinPath(options.folder, absl::StrCat("metrics.rank", rank_, ".jsonl")),
                            first_step_));
    if (rank_ != 0) return absl::OkStatus();
    options.generation = world_.generation();
    options.first_step = first_step_;
    options.examples_per_step = run_.training().global_batch_size();
    ASSIGN_OR_RETURN(events_, EventLog::Open(*tools_.files, *tools_.clock, options));
    return absl::OkStatus();
  }

  // DIR/<run>/labelled_subset.txt: an id a line, for whoever wants to train elsewhere on
  // the same examples.
  absl::Status RecordLabelledSubset() {
    if (rank_ != 0 || !run_.has_labelled_subset()) return absl::OkStatus();
    ASSIGN_OR_RETURN(const RunExamples examples, ExamplesOfRun(run_, data_->labels(v1::TRAIN),
                                                               data_->classes(), world_.seed()));
    std::string text;
    for (size_t id = 0; id < examples.labels.size(); ++id) {
      if (examples.labels[id] >= 0) absl::StrAppend(&text, id, "\n");
    }
    const std::string folder = JoinPath(tools_.run_dir, world_.run_id());
    RETURN_IF_ERROR(tools_.files->MakeDirectories(folder));
    return WriteFileAtomically(*tools_.files, JoinPath(folder, "labelled_subset.txt"), text);
  }

  void Listen() {
    auto listener = std::make_shared<WorldControl::Listener>();
    listener->teachers = [this](const v1::TeacherEndpoints& teachers) {
      labels_.SetEndpoints(teachers);
    };
    listener->ended = [this](const absl::Status& reason) {
      collectives_->Abort();
      labels_.Close(reason);
    };
    control_.SetListener(std::move(listener));
  }

  absl::Status TakeStep(int64_t step) {
    phases_.Enter(Phase::kWaitGrant);
    ASSIGN_OR_RETURN(const auto timeline, WaitForGrant(step));
    const StepValues values = timeline->At(step);
    phases_.Enter(Phase::kWaitTeacher);
    TeacherLabels labels;
    for (const auto& [role, source] : labels_.by_role()) {
      RETURN_IF_ERROR(AwaitLabels(step, role, *source));
      ASSIGN_OR_RETURN(const StepLabels outputs, source->Take(step));
      for (const auto& [output, logits] : outputs) labels[{role, output}] = logits;
    }
    const absl::StatusOr<StepResult> result = trainer_->Step(step, values, labels);
    if (result.ok()) return Record(step, values, *result);
    if (IsDivergence(result.status())) return KeepBatch(step, values, labels, result.status());
    // Only the other ranks can be out of reach there.
    if (!absl::IsUnavailable(result.status())) return result.status();
    return WithErrorId(result.status(), ErrorId::kRankLost);
  }

  // Returns when there is something to take. Whoever looks is told whom a long wait is for.
  absl::Status AwaitLabels(int64_t step, const std::string& role, RoleLabels& source) {
    if (source.Await(StepLog::kWriteEvery)) return absl::OkStatus();
    // The record of the last step does not wait as long as a teacher may.
    RETURN_IF_ERROR(log_->Flush());
    const absl::Duration since = tools_.clock->MonotonicNow();
    while (!source.Await(tools_.report_every)) {
      const absl::Duration now = tools_.clock->MonotonicNow();
      if (now - since >= kLongWait) {
        waits_ =
            absl::StrCat("waits ", absl::FormatDuration(absl::Trunc(now - since, absl::Seconds(1))),
                         " for labels of teacher role ", role, ": ", source.WaitsFor());
      }
      const absl::Duration more = now - std::max(since, reported_at_);
      waited_ += more;
      told_wait_ += more;
      Report(step, now);
    }
    waits_.clear();
    return absl::OkStatus();
  }

  // `diverged`, which also says where the batch is.
  absl::Status KeepBatch(int64_t step, const StepValues& values, const TeacherLabels& labels,
                         const absl::Status& diverged) {
    const std::string path = JoinPath(JoinPath(tools_.run_dir, world_.run_id()),
                                      absl::StrCat("diverged.rank", rank_, ".safetensors"));
    auto slice = trainer_->Slice(step);
    const absl::Status kept = slice.ok()
                                  ? WriteDivergedBatch(*tools_.files, path, world_, run_, *data_,
                                                       {step, *std::move(slice), values, labels})
                                  : slice.status();
    const std::string where =
        kept.ok() ? absl::StrCat("in ", path) : absl::StrCat("lost: ", std::string(kept.message()));
    return Reworded(diverged, diverged.code(),
                    absl::StrCat(std::string(diverged.message()), "; what rank ", rank_,
                                 " computed on is ", where));
  }

  // The coordinator grants so many steps ahead of the last report it heard, and a report may
  // be lost with its stream: who waits says again where it is.
  absl::StatusOr<std::shared_ptr<const ScheduleTimeline>> WaitForGrant(int64_t step) {
    const absl::Duration deadline = tools_.clock->MonotonicNow() + tools_.grant_timeout;
    absl::Duration wait;
    while (true) {
      auto timeline = control_.WaitForGrant(step, wait);
      const absl::Duration now = tools_.clock->MonotonicNow();
      if (!absl::IsDeadlineExceeded(timeline.status()) || now >= deadline) return timeline;
      RETURN_IF_ERROR(log_->Flush());
      Report(step, now);
      wait = std::min(tools_.report_every, deadline - now);
    }
  }

  absl::Status Record(int64_t step, const StepValues& values, const StepResult& result) {
    StepRecord record;
    record.step = step;
    record.temperature = values.temperature;
    record.hard_weight = values.hard_weight;
    record.soft_weight = values.soft_weight;
    record.learning_rate = values.learning_rate;
    record.loss = result.loss;
    record.loss_terms = result.terms;
    record.phases = phases_.Take();
    for (const auto& [role, its] : labels_.by_role()) record.answers += its->TakeAnswerTimes();
    waited_ += record.phases[static_cast<int>(Phase::kWaitTeacher)] - told_wait_;
    told_wait_ = absl::ZeroDuration();
    last_ = result;
    if (events_ != nullptr) RETURN_IF_ERROR(events_->OnStep(record));
    tools_.observer->OnStep(world_.run_id(), record,
                            run_.training().global_batch_size() / world_.members_size());
    RETURN_IF_ERROR(log_->Append(std::move(record)));
    const absl::Duration now = tools_.clock->MonotonicNow();
    const bool last = step + 1 == run_.training().steps();
    // The coordinator grants by what it hears: a run of short steps says where it is
    // before its grant is used up, and once for each grant.
    const int64_t granted = control_.granted();
    const bool grant_ends = step + 1 + kReportBeforeGrantEnds >= granted && granted != told_grant_;
    if (now - reported_at_ >= tools_.report_every || last || grant_ends) {
      told_grant_ = granted;
      Report(step + 1, now);
    }
    return absl::OkStatus();
  }

  void Report(int64_t steps_done, absl::Duration now) {
    v1::Progress progress;
    progress.set_generation(world_.generation());
    progress.set_rank(rank_);
    progress.set_step(steps_done);
    const double seconds = std::max(1e-9, absl::ToDoubleSeconds(now - reported_at_));
    progress.set_steps_per_second(static_cast<double>(steps_done - reported_step_) / seconds);
    for (const auto& [term, value] : last_.terms) (*progress.mutable_loss_terms())[term] = value;
    progress.set_loss(last_.loss);
    progress.set_teacher_wait_ratio(absl::ToDoubleSeconds(waited_) / seconds);
    progress.set_validation_accuracy(validation_accuracy_);
    progress.set_note(waits_.empty() ? note_ : waits_);
    tools_.report(progress, world_.run_id());
    TellLabels(/*ended=*/false);
    reported_at_ = now;
    reported_step_ = steps_done;
    waited_ = absl::ZeroDuration();
  }

  void TellLabels(bool ended) {
    for (const auto& [role, its] : labels_.by_role()) {
      const LabelSource::Counters all = its->counters();
      LabelSource::Counters more = all;
      LabelSource::Counters& told = labels_told_[role];
      more.asks -= told.asks;
      more.asked_again -= told.asked_again;
      more.hedges -= told.hedges;
      more.breaker_openings -= told.breaker_openings;
      for (const auto& [teacher, served] : told.served) more.served[teacher] -= served;
      for (const auto& [teacher, why] : told.refused) {
        if (all.refused.at(teacher) == why) more.refused.erase(teacher);
      }
      for (const auto& [teacher, why] : more.refused) {
        note_ = absl::StrCat("teacher server ", teacher, " is refused: ", why);
      }
      told = all;
      tools_.observer->OnLabels(world_.run_id(), role, more, all, ended);
    }
  }

  absl::Status KeepAndEvaluate(int64_t steps_done) {
    const v1::TrainingConfig& training = run_.training();
    const bool last = steps_done == training.steps();
    const auto due = [&](int64_t every) { return last || (every > 0 && steps_done % every == 0); };
    if (due(training.evaluate_every_steps()) && data_->size(v1::VALIDATION) > 0) {
      const Phase former = phases_.Enter(Phase::kEvaluate);
      ASSIGN_OR_RETURN(validation_accuracy_, trainer_->ValidationAccuracy());
      note_ = absl::StrFormat("validation accuracy %.4f after %d steps", validation_accuracy_,
                              steps_done);
      tools_.observer->OnValidation(world_.run_id(), validation_accuracy_);
      if (events_ != nullptr) events_->OnValidation(steps_done, validation_accuracy_);
      phases_.Enter(former);
    }
    if (due(training.checkpoint_every_steps())) {
      const absl::Duration begin = tools_.clock->MonotonicNow();
      const Phase former = phases_.Enter(Phase::kCheckpoint);
      RETURN_IF_ERROR(log_->Flush());
      if (events_ != nullptr) RETURN_IF_ERROR(events_->BeforeCheckpoint());
      RETURN_IF_ERROR(SaveCheckpoint(tools_, control_, *trainer_, *collectives_, steps_done));
      phases_.Enter(former);
      tools_.observer->OnCheckpoint(world_.run_id(), tools_.clock->MonotonicNow() - begin);
    }
    return absl::OkStatus();
  }

  const SessionTools& tools_;
  const std::shared_ptr<const DataSet> data_;
  WorldControl& control_;
  const v1::World& world_;
  const v1::RunConfig& run_;
  RendezvousStore store_;
  PhaseClock phases_;
  int rank_ = 0;
  int64_t first_step_ = 0;
  std::unique_ptr<Collectives> collectives_;
  std::unique_ptr<Trainer> trainer_;
  SessionLabels labels_;
  // As the observer heard last, by role.
  std::map<std::string, LabelSource::Counters> labels_told_;
  std::unique_ptr<StepLog> log_;
  // On rank 0.
  std::unique_ptr<EventLog> events_;

  StepResult last_;
  absl::Duration reported_at_;
  int64_t reported_step_ = 0;
  int64_t told_grant_ = 0;
  absl::Duration waited_;
  // Of the step that waits, in waited_ already.
  absl::Duration told_wait_;
  double validation_accuracy_ = 0;
  std::string note_;
  // Instead of it, while that is so.
  std::string waits_;
};

}  // namespace

absl::Status RunSession(const SessionTools& tools, std::shared_ptr<const DataSet> data,
                        WorldControl& control) {
  const absl::Status status = Session(tools, std::move(data), control).Run();
  // What fails because the world has ended is not news.
  if (const absl::Status ended = control.ended(); !status.ok() && !ended.ok()) return ended;
  return Annotate(status, absl::StrCat("run ", control.world().run_id()));
}

std::function<absl::Status(WorldControl&)> Sessions(const SessionTools& tools) {
  // By digest.
  std::map<std::string, std::shared_ptr<const DataSet>> data_sets;
  return [&tools, data_sets](WorldControl& control) mutable -> absl::Status {
    const v1::DataSetConfig& config = control.world().data_set();
    std::shared_ptr<const DataSet>& data = data_sets[DataSetDigest(config)];
    if (data == nullptr) {
      ASSIGN_OR_RETURN(data, DataSet::Load(*tools.files, config, DataSet::Files::kTraining));
    }
    return RunSession(tools, data, control);
  };
}

}  // namespace distill
