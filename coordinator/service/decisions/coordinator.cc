#include "coordinator/service/decisions/coordinator.h"

#include <algorithm>
#include <cmath>

#include "absl/strings/str_cat.h"
#include "common/status/error_id.h"
#include "common/status/status_macros.h"
#include "coordinator/state/plan_checks.h"

namespace distill {
namespace {

using v1::RunStatus;
using v1::Update;

// A reported speed above this is a mistake.
constexpr double kMaxStepsPerSecond = 1e5;

absl::Status CheckKey(const std::string& key) {
  if (!key.empty() && key.size() <= 256) return absl::OkStatus();
  return absl::InvalidArgumentError("the idempotency key must have 1 to 256 characters");
}

// To each member its progress as a rank of the run.
void AddRanks(const std::string& run, const std::map<std::string, v1::Progress>& progress_of,
              v1::PlanStatus& status) {
  for (v1::MemberStatus& member : *status.mutable_members()) {
    const auto it = progress_of.find(member.worker());
    if (it == progress_of.end()) continue;
    *member.mutable_progress() = it->second;
    member.set_run_id(run);
  }
}

// Fields of `update` replace those of `base`; what it leaves out stays.
v1::ScheduleSet Overlay(v1::ScheduleSet base, const v1::ScheduleSet& update) {
  if (update.has_temperature()) *base.mutable_temperature() = update.temperature();
  if (update.has_soft_weight()) *base.mutable_soft_weight() = update.soft_weight();
  if (update.has_hard_weight()) *base.mutable_hard_weight() = update.hard_weight();
  if (update.has_learning_rate()) *base.mutable_learning_rate() = update.learning_rate();
  for (const auto& [term, weight] : update.term_weights()) {
    (*base.mutable_term_weights())[term] = weight;
  }
  return base;
}

}  // namespace

absl::Status CoordinatorOptions::Validate() const {
  RETURN_IF_ERROR(membership.Validate());
  if (grant_steps < 64) {
    return absl::InvalidArgumentError(
        absl::StrCat("grant_steps is ", grant_steps, ": a grant reaches at least 64 steps ahead"));
  }
  if (heartbeat_interval <= absl::ZeroDuration() || retry_delay <= absl::ZeroDuration() ||
      grant_time < absl::ZeroDuration()) {
    return absl::InvalidArgumentError("coordinator: a duration is not positive");
  }
  if (!resolve_plan || !data_set_digest) {
    return absl::InvalidArgumentError("coordinator: resolve_plan or data_set_digest is missing");
  }
  return absl::OkStatus();
}

absl::StatusOr<std::unique_ptr<Coordinator>> Coordinator::Start(Store* store,
                                                                Rendezvous* rendezvous,
                                                                const CoordinatorOptions& options,
                                                                absl::Time now) {
  RETURN_IF_ERROR(options.Validate());
  ASSIGN_OR_RETURN(std::unique_ptr<Journal> journal, Journal::Open(store, options.journal));
  Update update;
  update.mutable_fence_taken()->set_fence(journal->state().fence() + 1);
  RETURN_IF_ERROR(journal->Write({update}));
  std::unique_ptr<Coordinator> coordinator(
      new Coordinator(std::move(journal), rendezvous, options));
  for (const Run& run : coordinator->state().runs()) {
    if (run.state != RunStatus::ACTIVE) continue;
    for (const auto& member : run.members) {
      coordinator->membership_.Expect(v1::STUDENT_WORKER, member.worker(), member.incarnation(),
                                      now);
    }
  }
  coordinator->Drive(now);
  return coordinator;
}

// ---- Attend ----

absl::Status Coordinator::OnHello(SessionId id, const PeerIdentity& peer, const v1::Hello& hello,
                                  absl::Time now) {
  if (sessions_.count(id)) {
    return absl::InvalidArgumentError("a second hello on one stream: open a new stream");
  }
  RETURN_IF_ERROR(membership_.Hello(hello, peer, now));
  if (const auto former = session_of_.find(hello.worker()); former != session_of_.end()) {
    End(former->second, absl::AbortedError("a newer stream of this worker replaces this one"));
  }
  Session& session = sessions_[id];
  session.role = hello.role();
  session.worker = hello.worker();
  session.incarnation = hello.incarnation();
  session_of_[hello.worker()] = id;
  google::protobuf::Duration* interval =
      Send(id, session, {}).mutable_welcome()->mutable_heartbeat_interval();
  const int64_t nanos = absl::ToInt64Nanoseconds(options_.heartbeat_interval);
  interval->set_seconds(nanos / 1'000'000'000);
  interval->set_nanos(nanos % 1'000'000'000);
  // It may have been away while its world broke: what it does not belong to any
  // more, it leaves.
  for (const Run& run : state().runs()) {
    if (hello.role() != v1::STUDENT_WORKER || run.generation == 0) continue;
    if (WorldOfMember(hello.worker(), hello.incarnation()) == &run) continue;
    Send(id, session, {run.config.name(), run.generation})
        .mutable_leave_world()
        ->set_reason("this process is not a member of the world");
  }
  Drive(now);
  return absl::OkStatus();
}

absl::Status Coordinator::OnReport(SessionId id, const v1::AttendReport& report, absl::Time now) {
  const auto it = sessions_.find(id);
  if (it == sessions_.end()) {
    return absl::InvalidArgumentError("a report before hello: the first report must be hello");
  }
  Session& session = it->second;
  if (report.report_case() == v1::AttendReport::kHello) {
    return absl::InvalidArgumentError("a second hello on one stream: open a new stream");
  }
  if (report.report_case() == v1::AttendReport::kLeaving) {
    membership_.Leaving(session.worker, session.incarnation, report.leaving().reason());
    Drive(now);
    return absl::OkStatus();
  }
  const Membership::Member* member = membership_.Find(session.worker);
  const bool was_alive = member != nullptr && member->state == v1::MemberStatus::ALIVE;
  RETURN_IF_ERROR(membership_.Heartbeat(session.worker, session.incarnation, now));
  switch (report.report_case()) {
    case v1::AttendReport::kProgress:
      OnProgress(session, report);
      break;
    case v1::AttendReport::kTeacherState:
      RETURN_IF_ERROR(membership_.SetTeacherState(session.worker, session.incarnation,
                                                  report.teacher_state(), now));
      break;
    default:
      if (report.heartbeat().has_teacher_load()) {
        membership_.SetTeacherLoad(session.worker, session.incarnation,
                                   report.heartbeat().teacher_load());
      }
      // Heartbeats and acknowledgements are many and change nothing by themselves.
      if (was_alive) return absl::OkStatus();
      break;
  }
  Drive(now);
  return absl::OkStatus();
}

void Coordinator::OnProgress(const Session& session, const v1::AttendReport& report) {
  const v1::Progress& progress = report.progress();
  const Run* run = WorldOfMember(session.worker, session.incarnation);
  if (run == nullptr || run->config.name() != report.run_id() ||
      run->generation != progress.generation()) {
    return;  // a late word from an earlier world
  }
  Volatile& memory = VolatileOf(*run);
  memory.step =
      std::clamp(progress.step(), memory.step, std::max(memory.step, run->granted_through));
  if (std::isfinite(progress.steps_per_second())) {
    memory.steps_per_second = std::clamp(progress.steps_per_second(), 0.0, kMaxStepsPerSecond);
  }
  if (progress.rank() == 0) memory.progress = progress;
  memory.progress_of[session.worker] = progress;
}

void Coordinator::OnStreamLost(SessionId id, absl::Time now) {
  const auto it = sessions_.find(id);
  if (it == sessions_.end()) return;  // replaced or ended by us
  membership_.StreamLost(it->second.worker, it->second.incarnation);
  session_of_.erase(it->second.worker);
  sessions_.erase(it);
  Drive(now);
}

void Coordinator::OnTime(absl::Time now) { Drive(now); }

std::optional<absl::Time> Coordinator::NextDeadline() const {
  const std::optional<absl::Time> member = membership_.NextDeadline();
  if (!member.has_value() || !retry_at_.has_value()) return member.has_value() ? member : retry_at_;
  return std::min(*member, *retry_at_);
}

// ---- Unary calls ----

absl::StatusOr<std::string> Coordinator::SubmitPlan(const v1::SubmitPlanRequest& request,
                                                    absl::Time now) {
  RETURN_IF_ERROR(CheckKey(request.idempotency_key()));
  RETURN_IF_ERROR(journal_->Settle());
  if (std::string id = state().PlanOfKey(request.idempotency_key()); !id.empty()) return id;
  Update update;
  v1::PlanSubmitted* submitted = update.mutable_plan_submitted();
  ASSIGN_OR_RETURN(*submitted->mutable_plan(), options_.resolve_plan(request.plan()));
  submitted->set_idempotency_key(request.idempotency_key());
  submitted->set_plan_id(absl::StrCat(request.plan().name(), "-", journal_->last_sequence() + 1));
  RETURN_IF_ERROR(journal_->Write({update}));
  volatile_.clear();
  assignment_.clear();
  for (auto& [id, session] : sessions_) session.stop = false;
  Drive(now);
  return state().plan_id();
}

absl::StatusOr<v1::ScheduleVersion> Coordinator::UpdateSchedule(
    const v1::UpdateScheduleRequest& request, absl::Time now) {
  RETURN_IF_ERROR(CheckKey(request.idempotency_key()));
  RETURN_IF_ERROR(journal_->Settle());
  const v1::ScheduleVersion* earlier =
      state().ScheduleOfKey(request.run_id(), request.idempotency_key());
  if (earlier != nullptr) return *earlier;
  Update update;
  v1::ScheduleVersionAdded* added = update.mutable_schedule_version_added();
  added->set_run_id(request.run_id());
  added->set_idempotency_key(request.idempotency_key());
  added->mutable_version()->set_from_step(request.from_step());
  if (const Run* run = state().FindRun(request.run_id()); run != nullptr) {
    RETURN_IF_ERROR(CheckNewSchedules(run->config, request.schedules()));
    added->mutable_version()->set_version(run->schedules.back().version() + 1);
    *added->mutable_version()->mutable_schedules() =
        Overlay(run->schedules.back().schedules(), request.schedules());
  }
  RETURN_IF_ERROR(journal_->Write({update}));
  Drive(now);
  return added->version();
}

absl::StatusOr<v1::CommitCheckpointResponse> Coordinator::CommitCheckpoint(
    const v1::CommitCheckpointRequest& request, absl::Time now) {
  RETURN_IF_ERROR(journal_->Settle());
  if (!state().IsCommitted(request.checkpoint())) {
    Update update;
    update.mutable_checkpoint_committed()->set_fence(request.fence());
    *update.mutable_checkpoint_committed()->mutable_checkpoint() = request.checkpoint();
    RETURN_IF_ERROR(journal_->Write({update}));
  }
  v1::CommitCheckpointResponse response;
  for (const std::string& path : state().FindRun(request.checkpoint().run_id())->obsolete_paths) {
    response.add_obsolete_paths(path);
  }
  Drive(now);
  return response;
}

absl::Status Coordinator::FinishRun(const v1::FinishRunRequest& request, absl::Time now) {
  RETURN_IF_ERROR(journal_->Settle());
  const Run* run = state().FindRun(request.run_id());
  if (run != nullptr && run->state == RunStatus::DONE && run->generation == request.generation() &&
      run->fingerprint == request.fingerprint()) {
    return absl::OkStatus();
  }
  if (request.fence() != state().fence()) {
    return absl::AbortedError(absl::StrCat("end of run \"", request.run_id(), "\": fence ",
                                           request.fence(), " is not the current ",
                                           state().fence()));
  }
  Update update;
  v1::RunFinished* finished = update.mutable_run_finished();
  finished->set_run_id(request.run_id());
  finished->set_generation(request.generation());
  finished->set_export_path(request.export_path());
  finished->set_fingerprint(request.fingerprint());
  RETURN_IF_ERROR(journal_->Write({update}));
  Drive(now);
  return absl::OkStatus();
}

absl::Status Coordinator::FailRun(const v1::FailRunRequest& request, absl::Time now) {
  RETURN_IF_ERROR(journal_->Settle());
  const Run* run = state().FindRun(request.run_id());
  if (run == nullptr) {
    return absl::NotFoundError(absl::StrCat("the plan has no run \"", request.run_id(), "\""));
  }
  // Every rank reports the end of one world: the first report decides.
  if (run->state != RunStatus::ACTIVE || run->generation != request.generation()) {
    return absl::OkStatus();
  }
  Update update;
  if (request.retryable()) {
    v1::WorldBroken* broken = update.mutable_world_broken();
    broken->set_run_id(request.run_id());
    broken->set_generation(request.generation());
    broken->set_reason(absl::StrCat(request.worker(), ": ", request.message()));
  } else {
    v1::RunFailed* failed = update.mutable_run_failed();
    failed->set_run_id(request.run_id());
    failed->set_generation(request.generation());
    failed->set_worker(request.worker());
    failed->set_code(request.code());
    failed->set_message(request.message());
  }
  RETURN_IF_ERROR(journal_->Write({update}));
  // The old world is left before a new one is formed, even by the same members.
  Tell();
  Drive(now);
  return absl::OkStatus();
}

absl::Status Coordinator::StopPlan(const std::string& idempotency_key, const std::string& reason,
                                   absl::Time now) {
  RETURN_IF_ERROR(CheckKey(idempotency_key));
  RETURN_IF_ERROR(journal_->Settle());
  if (state().has_plan() && !state().plan_running()) return absl::OkStatus();  // ended already
  if (state().IsStopKey(idempotency_key)) return absl::OkStatus();             // resumed since
  Update update;
  update.mutable_plan_stopped()->set_idempotency_key(idempotency_key);
  update.mutable_plan_stopped()->set_reason(reason);
  RETURN_IF_ERROR(journal_->Write({update}));
  Drive(now);
  return absl::OkStatus();
}

absl::Status Coordinator::ResumePlan(const std::string& idempotency_key, absl::Time now) {
  RETURN_IF_ERROR(CheckKey(idempotency_key));
  RETURN_IF_ERROR(journal_->Settle());
  if (state().plan_running() || state().plan_state() == v1::PlanStatus::FINISHED) {
    return absl::OkStatus();
  }
  if (state().IsResumeKey(idempotency_key)) return absl::OkStatus();  // ended again since
  Update update;
  update.mutable_plan_resumed()->set_idempotency_key(idempotency_key);
  RETURN_IF_ERROR(journal_->Write({update}));
  Drive(now);
  return absl::OkStatus();
}

absl::StatusOr<v1::PlanStatus> Coordinator::GetPlan() const {
  if (!state().has_plan()) {
    return WithErrorId(absl::NotFoundError("no plan was submitted"), ErrorId::kNoPlanSubmitted);
  }
  v1::PlanStatus status = state().Status();
  for (v1::MemberStatus& member : membership_.Status()) *status.add_members() = std::move(member);
  for (v1::RunStatus& run : *status.mutable_runs()) {
    const auto it = volatile_.find(run.run_id());
    if (it == volatile_.end()) continue;
    if (it->second.generation == run.generation()) {
      *run.mutable_progress() = it->second.progress;
      if (run.state() == RunStatus::ACTIVE) AddRanks(run.run_id(), it->second.progress_of, status);
    }
    if (run.state() == RunStatus::WAITING && !it->second.waits_for.empty()) {
      run.set_message(run.message().empty()
                          ? it->second.waits_for
                          : absl::StrCat(run.message(), "; ", it->second.waits_for));
    }
  }
  return status;
}

// ---- Sessions ----

v1::Directive& Coordinator::Send(SessionId id, Session& session, const WorldId& world) {
  Output& output = outputs_.emplace_back();
  output.session = id;
  v1::Directive& directive = output.directive.emplace();
  directive.set_fence(state().fence());
  directive.set_sequence(++session.sequence);
  directive.set_run_id(world.first);
  directive.set_generation(world.second);
  return directive;
}

void Coordinator::End(SessionId id, const absl::Status& status) {
  const auto it = sessions_.find(id);
  if (it == sessions_.end()) return;
  if (const auto of = session_of_.find(it->second.worker);
      of != session_of_.end() && of->second == id) {
    session_of_.erase(of);
  }
  sessions_.erase(it);
  Output& output = outputs_.emplace_back();
  output.session = id;
  output.end = status;
}

bool Coordinator::IsStopping(const std::string& worker) const {
  const auto it = session_of_.find(worker);
  return it != session_of_.end() && sessions_.at(it->second).stop;
}

const Coordinator::Run* Coordinator::WorldOfMember(const std::string& worker,
                                                   uint64_t incarnation) const {
  for (const Run& run : state().runs()) {
    if (run.state != RunStatus::ACTIVE) continue;
    for (const auto& member : run.members) {
      if (member.worker() == worker && member.incarnation() == incarnation) return &run;
    }
  }
  return nullptr;
}

Coordinator::Volatile& Coordinator::VolatileOf(const Run& run) {
  Volatile& memory = volatile_[run.config.name()];
  if (memory.generation != run.generation) {
    const std::map<std::string, std::string> numerics = std::move(memory.numerics);
    memory = Volatile();
    memory.generation = run.generation;
    memory.numerics = numerics;
    memory.step = run.last_checkpoint() != nullptr ? run.last_checkpoint()->step() : 0;
  }
  return memory;
}

}  // namespace distill
