#include "coordinator/state/coordinator_state.h"

#include <algorithm>
#include <set>
#include <utility>

#include "absl/base/internal/raw_logging.h"
#include "absl/strings/str_cat.h"
#include "common/status/error_id.h"
#include "common/status/status_macros.h"
#include "coordinator/state/plan_checks.h"

namespace distill {
namespace {

using v1::PlanStatus;
using v1::RunStatus;
using v1::Update;

void Move(CoordinatorState::Run& run, RunState to) {
  ABSL_RAW_CHECK(CanMove(run.state, to), "a run made an illegal transition");
  run.state = to;
}

absl::Status NoSuchRun(std::string_view run_id) {
  return absl::NotFoundError(absl::StrCat("the plan has no run \"", std::string(run_id), "\""));
}

}  // namespace

int64_t CoordinatorState::Run::FirstFreeStep() const {
  return std::max(granted_through, schedules.back().from_step());
}

uint64_t CoordinatorState::Run::WorldsWithoutCommit() const {
  const v1::CheckpointRef* last = last_checkpoint();
  const uint64_t since = std::max(first_generation, last != nullptr ? last->generation() : 0);
  // Before its first world a run's generation is below its plan's first one.
  return std::max(generation, since) - since;
}

const CoordinatorState::Run* CoordinatorState::FindRun(std::string_view run_id) const {
  for (const Run& run : runs_) {
    if (run.config.name() == run_id) return &run;
  }
  return nullptr;
}

CoordinatorState::Run* CoordinatorState::MutableRun(std::string_view run_id) {
  Run* run = const_cast<Run*>(FindRun(run_id));
  ABSL_RAW_CHECK(run != nullptr, "an applied record names a run that the plan does not have");
  return run;
}

const CoordinatorState::Run* CoordinatorState::NextRunToStart() const {
  if (!plan_running()) return nullptr;
  for (const Run& run : runs_) {
    if (run.state == RunStatus::WAITING) return &run;
  }
  return nullptr;
}

uint64_t CoordinatorState::NextGeneration(const Run& run) const {
  return std::max(run.generation, generation_floor_) + 1;
}

std::string CoordinatorState::PlanOfKey(std::string_view key) const {
  return has_plan() && plan_key_ == key ? plan_id_ : "";
}

const v1::ScheduleVersion* CoordinatorState::ScheduleOfKey(std::string_view run_id,
                                                           std::string_view key) const {
  const Run* run = FindRun(run_id);
  if (run == nullptr) return nullptr;
  const auto it = run->schedule_keys.find(std::string(key));
  return it == run->schedule_keys.end() ? nullptr : &run->schedules[it->second - 1];
}

bool CoordinatorState::IsCommitted(const v1::CheckpointRef& checkpoint) const {
  const Run* run = FindRun(checkpoint.run_id());
  if (run == nullptr) return false;
  return std::any_of(run->checkpoints.begin(), run->checkpoints.end(),
                     [&checkpoint](const v1::CheckpointRef& kept) {
                       return kept.step() == checkpoint.step() &&
                              kept.manifest_digest() == checkpoint.manifest_digest();
                     });
}

v1::PlanStatus CoordinatorState::Status() const {
  PlanStatus status;
  status.set_plan_id(plan_id_);
  status.set_state(plan_state_);
  status.set_message(plan_message_);
  status.set_fence(fence_);
  for (const Run& run : runs_) {
    v1::RunStatus* out = status.add_runs();
    out->set_run_id(run.config.name());
    out->set_state(run.state);
    out->set_generation(run.generation);
    out->set_steps(run.config.training().steps());
    if (run.last_checkpoint() != nullptr) *out->mutable_last_checkpoint() = *run.last_checkpoint();
    out->set_fingerprint(run.fingerprint);
    out->set_message(run.message);
    out->set_granted_through_step(run.granted_through);
    out->set_schedule_version(run.schedules.back().version());
    if (run.state == RunStatus::BROKEN) status.set_code(run.failure.code());
  }
  return status;
}

// ---- Validate ----

absl::Status CoordinatorState::Validate(const Update& update) const {
  switch (update.update_case()) {
    case Update::kFenceTaken:
      if (update.fence_taken().fence() > fence_) return absl::OkStatus();
      return WithErrorId(
          absl::AbortedError(absl::StrCat("fence ", update.fence_taken().fence(), " is not above ",
                                          fence_, ": another coordinator has started since")),
          ErrorId::kCoordinatorReplaced);
    case Update::kPlanSubmitted:
      return Validate(update.plan_submitted());
    case Update::kWorldFormed:
      return Validate(update.world_formed());
    case Update::kWorldBroken: {
      const Run* run;
      return CheckActive(update.world_broken().run_id(), update.world_broken().generation(), &run);
    }
    case Update::kGrantExtended:
      return Validate(update.grant_extended());
    case Update::kScheduleVersionAdded:
      return Validate(update.schedule_version_added());
    case Update::kCheckpointCommitted:
      return Validate(update.checkpoint_committed());
    case Update::kRunFinished:
      return Validate(update.run_finished());
    case Update::kRunFailed:
      return Validate(update.run_failed());
    case Update::kPlanStopped:
      return Validate(update.plan_stopped());
    case Update::kPlanResumed:
      return Validate(update.plan_resumed());
    case Update::UPDATE_NOT_SET:
      break;
  }
  return WithErrorId(
      absl::InvalidArgumentError(
          "the record is of a kind this build does not know: start a newer coordinator"),
      ErrorId::kJournalOfAnotherVersion);
}

absl::Status CoordinatorState::CheckActive(std::string_view run_id, uint64_t generation,
                                           const Run** run) const {
  *run = FindRun(run_id);
  if (*run == nullptr) return NoSuchRun(run_id);
  if ((*run)->state == RunStatus::ACTIVE && (*run)->generation == generation) {
    return absl::OkStatus();
  }
  return absl::AbortedError(absl::StrCat(
      "run \"", std::string(run_id), "\": generation ", generation,
      " has no world now (the run is ", RunStatus::RunState_Name((*run)->state), " in generation ",
      (*run)->generation, "): leave the run and wait for the next world"));
}

absl::Status CoordinatorState::Validate(const v1::PlanSubmitted& record) const {
  if (plan_running()) {
    return WithErrorId(
        absl::AlreadyExistsError(absl::StrCat(
            "plan \"", plan_id_, "\" runs here: wait for its end, or stop it (distillctl stop)")),
        ErrorId::kPlanRunsAlready);
  }
  if (record.plan_id().empty()) return absl::InvalidArgumentError("the plan has no id");
  return CheckPlanEdges(record.plan());
}

absl::Status CoordinatorState::Validate(const v1::WorldFormed& record) const {
  const Run* run = FindRun(record.run_id());
  if (run == nullptr) return NoSuchRun(record.run_id());
  const std::string where = absl::StrCat("world of run \"", record.run_id(), "\": ");
  if (run->state != RunStatus::WAITING) {
    return absl::FailedPreconditionError(
        absl::StrCat(where, "the run is ", RunStatus::RunState_Name(run->state), ", not WAITING"));
  }
  if (record.generation() != NextGeneration(*run)) {
    return absl::AbortedError(absl::StrCat(where, "generation ", record.generation(),
                                           " does not follow ", NextGeneration(*run) - 1));
  }
  if (record.members_size() != static_cast<int>(run->config.training().world_size())) {
    return absl::InvalidArgumentError(absl::StrCat(where, record.members_size(),
                                                   " members for a world size of ",
                                                   run->config.training().world_size()));
  }
  std::set<std::string> workers;
  for (int i = 0; i < record.members_size(); ++i) {
    const v1::WorldFormed::Member& member = record.members(i);
    if (member.rank() != static_cast<uint32_t>(i) || !workers.insert(member.worker()).second) {
      return absl::InvalidArgumentError(
          absl::StrCat(where, "members must be distinct and listed by rank; member ", i, " is \"",
                       member.worker(), "\" with rank ", member.rank()));
    }
    for (const Run& other : runs_) {
      if (other.state != RunStatus::ACTIVE) continue;
      for (const v1::WorldFormed::Member& busy : other.members) {
        if (busy.worker() != member.worker()) continue;
        return absl::FailedPreconditionError(absl::StrCat(where, "\"", member.worker(),
                                                          "\" is in the world of run \"",
                                                          other.config.name(), "\""));
      }
    }
  }
  return absl::OkStatus();
}

absl::Status CoordinatorState::Validate(const v1::GrantExtended& record) const {
  const Run* run;
  RETURN_IF_ERROR(CheckActive(record.run_id(), record.generation(), &run));
  const int64_t steps = run->config.training().steps();
  if (record.through_step() > run->granted_through && record.through_step() <= steps) {
    return absl::OkStatus();
  }
  return absl::FailedPreconditionError(
      absl::StrCat("run \"", record.run_id(), "\": a grant through step ", record.through_step(),
                   " must exceed the present one (", run->granted_through, ") and not the run's ",
                   steps, " steps"));
}

absl::Status CoordinatorState::Validate(const v1::ScheduleVersionAdded& record) const {
  const Run* run = FindRun(record.run_id());
  if (run == nullptr) return NoSuchRun(record.run_id());
  const std::string where = absl::StrCat("schedule of run \"", record.run_id(), "\": ");
  if (run->state != RunStatus::PENDING && run->state != RunStatus::WAITING &&
      run->state != RunStatus::ACTIVE) {
    return absl::FailedPreconditionError(absl::StrCat(
        where, "the run is ", RunStatus::RunState_Name(run->state), " and takes no further step"));
  }
  const uint64_t next = run->schedules.back().version() + 1;
  if (record.version().version() != next) {
    return absl::AbortedError(
        absl::StrCat(where, "version ", record.version().version(), " does not follow ", next - 1));
  }
  if (record.version().from_step() < run->FirstFreeStep()) {
    return absl::FailedPreconditionError(
        absl::StrCat(where, "step ", record.version().from_step(),
                     " may be trained already or has a version of its own; the first free step is ",
                     run->FirstFreeStep()));
  }
  return absl::OkStatus();
}

absl::Status CoordinatorState::Validate(const v1::CheckpointCommitted& record) const {
  const v1::CheckpointRef& checkpoint = record.checkpoint();
  if (record.fence() != fence_) {
    return absl::AbortedError(absl::StrCat("checkpoint of run \"", checkpoint.run_id(),
                                           "\": fence ", record.fence(), " is not the current ",
                                           fence_, ": take the fence of the newest directive"));
  }
  const Run* run;
  RETURN_IF_ERROR(CheckActive(checkpoint.run_id(), checkpoint.generation(), &run));
  const std::string where = absl::StrCat("checkpoint of run \"", checkpoint.run_id(), "\" at step ",
                                         checkpoint.step(), ": ");
  if (checkpoint.path().empty() || checkpoint.manifest_digest().empty()) {
    return absl::InvalidArgumentError(where + "path or manifest digest is missing");
  }
  const v1::CheckpointRef* last = run->last_checkpoint();
  if (last != nullptr && checkpoint.step() <= last->step()) {
    return absl::FailedPreconditionError(
        absl::StrCat(where, "step ", last->step(), " is committed already"));
  }
  if (checkpoint.step() < 1 || checkpoint.step() > run->granted_through) {
    return absl::FailedPreconditionError(
        absl::StrCat(where, "the steps granted end at ", run->granted_through));
  }
  return absl::OkStatus();
}

absl::Status CoordinatorState::Validate(const v1::RunFinished& record) const {
  const Run* run;
  RETURN_IF_ERROR(CheckActive(record.run_id(), record.generation(), &run));
  if (!record.fingerprint().empty()) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat("end of run \"", record.run_id(), "\": the export's fingerprint is missing"));
}

absl::Status CoordinatorState::Validate(const v1::RunFailed& record) const {
  const Run* run = FindRun(record.run_id());
  if (run == nullptr) return NoSuchRun(record.run_id());
  if (run->state == RunStatus::WAITING && run->generation == record.generation()) {
    return absl::OkStatus();
  }
  return CheckActive(record.run_id(), record.generation(), &run);
}

absl::Status CoordinatorState::Validate(const v1::PlanStopped&) const {
  if (!has_plan()) {
    return WithErrorId(absl::NotFoundError("no plan was submitted"), ErrorId::kNoPlanSubmitted);
  }
  if (plan_running()) return absl::OkStatus();
  return WithErrorId(
      absl::FailedPreconditionError(absl::StrCat("plan \"", plan_id_, "\" has ended already (",
                                                 PlanStatus::PlanState_Name(plan_state_), ")")),
      ErrorId::kPlanHasEnded);
}

absl::Status CoordinatorState::Validate(const v1::PlanResumed&) const {
  if (!has_plan()) {
    return WithErrorId(absl::NotFoundError("no plan was submitted"), ErrorId::kNoPlanSubmitted);
  }
  if (plan_state_ == PlanStatus::FAILED || plan_state_ == PlanStatus::STOPPED) {
    return absl::OkStatus();
  }
  return WithErrorId(absl::FailedPreconditionError(absl::StrCat(
                         "plan \"", plan_id_, "\" is ", PlanStatus::PlanState_Name(plan_state_),
                         ": only a plan that failed or was stopped can be resumed")),
                     ErrorId::kPlanHasEnded);
}

// ---- Apply ----

void CoordinatorState::Apply(const Update& update) {
  switch (update.update_case()) {
    case Update::kFenceTaken:
      fence_ = update.fence_taken().fence();
      return;
    case Update::kPlanSubmitted:
      return Apply(update.plan_submitted());
    case Update::kWorldFormed:
      return Apply(update.world_formed());
    case Update::kWorldBroken: {
      Run* run = MutableRun(update.world_broken().run_id());
      Move(*run, RunStatus::WAITING);
      run->world_broken = true;
      run->message = update.world_broken().reason();
      return;
    }
    case Update::kGrantExtended:
      MutableRun(update.grant_extended().run_id())->granted_through =
          update.grant_extended().through_step();
      return;
    case Update::kScheduleVersionAdded:
      return Apply(update.schedule_version_added());
    case Update::kCheckpointCommitted:
      return Apply(update.checkpoint_committed());
    case Update::kRunFinished:
      return Apply(update.run_finished());
    case Update::kRunFailed:
      return Apply(update.run_failed());
    case Update::kPlanStopped:
      return Apply(update.plan_stopped());
    case Update::kPlanResumed:
      return Apply(update.plan_resumed());
    case Update::UPDATE_NOT_SET:
      break;
  }
  ABSL_RAW_LOG(FATAL, "a record of unknown kind was applied without validation");
}

void CoordinatorState::Apply(const v1::PlanSubmitted& record) {
  for (const Run& run : runs_) generation_floor_ = std::max(generation_floor_, run.generation);
  plan_id_ = record.plan_id();
  plan_key_ = record.idempotency_key();
  plan_ = record.plan();
  plan_state_ = PlanStatus::RUNNING;
  plan_message_.clear();
  stopped_ = false;
  stop_.Clear();
  resume_.Clear();
  runs_.clear();
  for (const v1::RunConfig& config : plan_.runs()) {
    Run& run = runs_.emplace_back();
    run.config = config;
    run.first_generation = generation_floor_;
    v1::ScheduleVersion& first = run.schedules.emplace_back();
    first.set_version(1);
    *first.mutable_schedules() = config.schedules();
  }
  PromotePendingRuns();
}

void CoordinatorState::PromotePendingRuns() {
  for (Run& run : runs_) {
    if (run.state != RunStatus::PENDING) continue;
    const auto& teachers = run.config.teachers();
    const bool trained =
        std::all_of(teachers.begin(), teachers.end(), [this](const v1::TeacherConfig& teacher) {
          // One whose labels were recorded may name no run.
          return teacher.run().empty() || FindRun(teacher.run())->state == RunStatus::DONE;
        });
    if (trained) Move(run, RunStatus::WAITING);
  }
}

void CoordinatorState::Apply(const v1::WorldFormed& record) {
  if (record.run_id().empty()) {  // only in Compact(): carries the floor
    generation_floor_ = record.generation();
    return;
  }
  Run* run = MutableRun(record.run_id());
  if (record.members().empty()) {  // only in Compact(): carries first_generation
    run->first_generation = record.generation();
    return;
  }
  if (run->state == RunStatus::PENDING) Move(*run, RunStatus::WAITING);  // only from Compact()
  Move(*run, RunStatus::ACTIVE);
  run->generation = record.generation();
  run->members.assign(record.members().begin(), record.members().end());
  run->world_broken = false;
  run->message.clear();
}

void CoordinatorState::Apply(const v1::ScheduleVersionAdded& record) {
  Run* run = MutableRun(record.run_id());
  run->schedules.push_back(record.version());
  if (!record.idempotency_key().empty()) {
    run->schedule_keys[record.idempotency_key()] = record.version().version();
  }
}

void CoordinatorState::Apply(const v1::CheckpointCommitted& record) {
  Run* run = MutableRun(record.checkpoint().run_id());
  run->checkpoints.push_back(record.checkpoint());
  const size_t keep = std::max<uint32_t>(1, run->config.training().keep_checkpoints());
  if (run->checkpoints.size() <= keep) return;
  run->obsolete_paths.push_back(run->checkpoints.front().path());
  run->checkpoints.erase(run->checkpoints.begin());
  if (run->obsolete_paths.size() > kMaxObsoletePaths) {
    run->obsolete_paths.erase(run->obsolete_paths.begin());
  }
}

void CoordinatorState::Apply(const v1::RunFinished& record) {
  Run* run = MutableRun(record.run_id());
  Move(*run, RunStatus::DONE);
  run->export_path = record.export_path();
  run->fingerprint = record.fingerprint();
  run->message.clear();
  PromotePendingRuns();
  const bool all_done = std::all_of(runs_.begin(), runs_.end(),
                                    [](const Run& r) { return r.state == RunStatus::DONE; });
  if (all_done) plan_state_ = PlanStatus::FINISHED;
}

void CoordinatorState::Apply(const v1::RunFailed& record) {
  Run* run = MutableRun(record.run_id());
  Move(*run, RunStatus::BROKEN);
  run->failure = record;
  run->message = record.worker().empty() ? record.message()
                                         : absl::StrCat(record.worker(), ": ", record.message());
  plan_state_ = PlanStatus::FAILED;
  plan_message_ = absl::StrCat("run \"", record.run_id(), "\" failed: ", run->message);
  HaltUnfinishedRuns(plan_message_);
}

void CoordinatorState::Apply(const v1::PlanStopped& record) {
  stopped_ = true;
  stop_ = record;
  plan_state_ = PlanStatus::STOPPED;
  plan_message_ = record.reason();
  HaltUnfinishedRuns(absl::StrCat("the plan was stopped: ", record.reason()));
}

void CoordinatorState::Apply(const v1::PlanResumed& record) {
  resume_ = record;
  stopped_ = false;
  plan_state_ = PlanStatus::RUNNING;
  plan_message_.clear();
  for (Run& run : runs_) {
    if (run.state != RunStatus::BROKEN && run.state != RunStatus::HALTED) continue;
    Move(run, RunStatus::PENDING);
    run.first_generation = std::max(run.first_generation, run.generation);
    run.world_broken = !run.members.empty();
    run.message.clear();
    run.failure.Clear();
  }
  PromotePendingRuns();
}

void CoordinatorState::HaltUnfinishedRuns(const std::string& reason) {
  for (Run& run : runs_) {
    if (run.state == RunStatus::DONE || run.state == RunStatus::BROKEN) continue;
    Move(run, RunStatus::HALTED);
    run.message = reason;
  }
}

}  // namespace distill
