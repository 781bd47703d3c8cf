// What should hold, compared with what does; see coordinator.h.
#include <algorithm>

#include "absl/strings/str_cat.h"
#include "common/status/status_macros.h"
#include "coordinator/service/decisions/coordinator.h"
#include "coordinator/service/decisions/teacher_assignment.h"
#include "distillation/run_config/teachers.h"

namespace distill {
namespace {

using v1::MemberStatus;
using v1::RunStatus;
using v1::TeacherState;
using v1::Update;

// The models that `run` asks teacher servers for, each once.
std::vector<std::string> ModelsOf(const v1::RunConfig& run) {
  std::vector<std::string> models;
  for (const v1::TeacherConfig& teacher : run.teachers()) {
    if (IsRecorded(teacher)) continue;
    if (std::find(models.begin(), models.end(), teacher.run()) == models.end()) {
      models.push_back(teacher.run());
    }
  }
  return models;
}

const v1::DataSetConfig& DataSetOf(const v1::PlanConfig& plan, const v1::RunConfig& run) {
  for (const v1::DataSetConfig& data_set : plan.data_sets()) {
    if (data_set.name() == run.data_set()) return data_set;
  }
  return v1::DataSetConfig::default_instance();  // CheckPlanEdges rules it out
}

v1::StepGrant GrantOf(const CoordinatorState::Run& run) {
  v1::StepGrant grant;
  grant.set_run_id(run.config.name());
  grant.set_generation(run.generation);
  grant.set_through_step(run.granted_through);
  return grant;
}

}  // namespace

void Coordinator::Drive(absl::Time now) {
  for (const Membership::Change& change : membership_.Advance(now)) {
    if (change.to != MemberStatus::GONE) continue;
    const auto it = session_of_.find(change.worker);
    if (it == session_of_.end()) continue;
    End(it->second, absl::UnavailableError("silent for too long: attend again with a hello"));
  }
  health_ = journal_->Settle();
  if (health_.ok() && state().plan_running()) health_ = Decide();
  retry_at_.reset();
  if (!health_.ok()) retry_at_ = now + options_.retry_delay;
  Tell();
}

absl::Status Coordinator::Decide() {
  RETURN_IF_ERROR(BreakWorldsOfTheGone());
  // Whoever lived through the break leaves the old world before the next is formed.
  Tell();
  Assign();
  RETURN_IF_ERROR(StartRuns());
  return ExtendGrants();
}

absl::Status Coordinator::BreakWorldsOfTheGone() {
  std::vector<Update> updates;
  for (const Run& run : state().runs()) {
    if (run.state != RunStatus::ACTIVE) continue;
    for (const auto& member : run.members) {
      if (membership_.IsPresent(member.worker(), member.incarnation())) continue;
      const Membership::Member* known = membership_.Find(member.worker());
      v1::WorldBroken* broken = updates.emplace_back().mutable_world_broken();
      broken->set_run_id(run.config.name());
      broken->set_generation(run.generation);
      broken->set_reason(absl::StrCat(
          member.worker(), " (rank ", member.rank(), ") is gone",
          known == nullptr || known->reason.empty() ? "" : absl::StrCat(": ", known->reason)));
      break;
    }
  }
  return updates.empty() ? absl::OkStatus() : journal_->Write(updates);
}

absl::Status Coordinator::StartRuns() {
  // Strictly in order: a run that lacks members is not overtaken.
  for (size_t i = 0; i < state().runs().size(); ++i) {
    const Run* next = state().NextRunToStart();
    if (next == nullptr) return absl::OkStatus();
    ASSIGN_OR_RETURN(const bool started, TryStart(*next));
    if (!started) return absl::OkStatus();
    Assign();
  }
  return absl::OkStatus();
}

absl::StatusOr<bool> Coordinator::TryStart(const Run& run) {
  Volatile& memory = VolatileOf(run);
  if (run.WorldsWithoutCommit() >= options_.max_worlds_without_commit) {
    RETURN_IF_ERROR(Fail(
        run, "", absl::StatusCode::kUnavailable,
        absl::StrCat(run.WorldsWithoutCommit(),
                     " worlds broke without a new checkpoint, the last because: ", run.message)));
    return false;
  }
  if (const absl::Status failed = FailedTeacher(run); !failed.ok()) {
    RETURN_IF_ERROR(Fail(run, "", failed.code(), std::string(failed.message())));
    return false;
  }
  memory.waits_for = MissingTeacher(run);
  if (!memory.waits_for.empty()) return false;
  std::set<std::string> busy;
  for (const Run& other : state().runs()) {
    if (other.state != RunStatus::ACTIVE) continue;
    for (const auto& member : other.members) busy.insert(member.worker());
  }
  for (const auto& [worker, member] : membership_.members()) {
    if (!session_of_.count(worker) || IsStopping(worker)) busy.insert(worker);
  }
  const size_t size = run.config.training().world_size();
  const std::vector<const Membership::Member*> members = membership_.ProposeWorld(size, busy);
  if (members.empty()) {
    memory.waits_for = absl::StrCat("waits for ", size, " idle student workers");
    return false;
  }
  RETURN_IF_ERROR(FormWorld(run, members));
  return true;
}

absl::Status Coordinator::FormWorld(const Run& run,
                                    const std::vector<const Membership::Member*>& members) {
  const std::string id = run.config.name();
  std::vector<Update> updates(1);
  v1::WorldFormed* formed = updates[0].mutable_world_formed();
  formed->set_run_id(id);
  formed->set_generation(state().NextGeneration(run));
  for (size_t rank = 0; rank < members.size(); ++rank) {
    v1::WorldFormed::Member* member = formed->add_members();
    member->set_worker(members[rank]->hello.worker());
    member->set_incarnation(members[rank]->hello.incarnation());
    member->set_rank(static_cast<uint32_t>(rank));
  }
  const int64_t start = run.last_checkpoint() != nullptr ? run.last_checkpoint()->step() : 0;
  const int64_t through =
      std::min<int64_t>(run.config.training().steps(), start + 2 * options_.grant_steps);
  if (through > run.granted_through) {
    v1::GrantExtended* grant = updates.emplace_back().mutable_grant_extended();
    grant->set_run_id(id);
    grant->set_generation(formed->generation());
    grant->set_through_step(through);
  }
  RETURN_IF_ERROR(journal_->Write(updates));
  const Run& started = *state().FindRun(id);
  Volatile& memory = VolatileOf(started);
  for (const std::string& model : ModelsOf(started.config)) {
    if (!started.config.labels().exact() || memory.numerics.count(model)) continue;
    memory.numerics[model] = EndpointsOf(started, model).endpoints(0).numerics_class().text();
  }
  return absl::OkStatus();
}

absl::Status Coordinator::ExtendGrants() {
  std::vector<Update> updates;
  for (const Run& run : state().runs()) {
    if (run.state != RunStatus::ACTIVE) continue;
    const Volatile& memory = VolatileOf(run);
    const double timed = memory.steps_per_second * absl::ToDoubleSeconds(options_.grant_time);
    const int64_t ahead = std::max(options_.grant_steps, static_cast<int64_t>(timed));
    if (run.granted_through - memory.step >= ahead) continue;
    // Twice as far as needed, so that not every report writes to the journal.
    const int64_t through =
        std::min<int64_t>(run.config.training().steps(), memory.step + 2 * ahead);
    if (through <= run.granted_through) continue;
    v1::GrantExtended* grant = updates.emplace_back().mutable_grant_extended();
    grant->set_run_id(run.config.name());
    grant->set_generation(run.generation);
    grant->set_through_step(through);
  }
  return updates.empty() ? absl::OkStatus() : journal_->Write(updates);
}

absl::Status Coordinator::Fail(const Run& run, const std::string& worker, absl::StatusCode code,
                               const std::string& message) {
  Update update;
  v1::RunFailed* failed = update.mutable_run_failed();
  failed->set_run_id(run.config.name());
  failed->set_generation(run.generation);
  failed->set_worker(worker);
  failed->set_code(static_cast<int32_t>(code));
  failed->set_message(message);
  return journal_->Write({update});
}

// ---- Teachers ----

void Coordinator::Assign() {
  std::vector<std::string> needed;
  const Run* next = state().NextRunToStart();
  for (const Run& run : state().runs()) {
    if (run.state != RunStatus::ACTIVE && &run != next) continue;
    for (const std::string& model : ModelsOf(run.config)) {
      if (std::find(needed.begin(), needed.end(), model) == needed.end()) needed.push_back(model);
    }
  }
  std::vector<TeacherServer> servers;
  for (const auto& [worker, member] : membership_.members()) {
    if (member.hello.role() != v1::TEACHER_SERVER || member.state == MemberStatus::GONE) continue;
    if (IsStopping(worker)) continue;
    servers.push_back({worker,
                       {member.hello.models().begin(), member.hello.models().end()},
                       member.teacher_state.model()});
  }
  assignment_ = AssignTeachers(servers, needed, assignment_);
}

std::string Coordinator::MissingTeacher(const Run& run) const {
  for (const std::string& model : ModelsOf(run.config)) {
    if (EndpointsOf(run, model).endpoints_size() > 0) continue;
    return absl::StrCat("waits for a teacher server that is ready with \"", model, "\"");
  }
  return "";
}

absl::Status Coordinator::FailedTeacher(const Run& run) const {
  for (const std::string& model : ModelsOf(run.config)) {
    absl::Status why;
    bool hope = false;
    for (const auto& [worker, assigned] : assignment_) {
      if (assigned != model) continue;
      const TeacherState& teacher = membership_.Find(worker)->teacher_state;
      const bool failed = teacher.state() == TeacherState::FAILED && teacher.model() == model;
      hope = hope || !failed;
      if (failed) {
        // A teacher server may be of a version that tells no code.
        const auto code = teacher.code() < 1 || teacher.code() > 16
                              ? absl::StatusCode::kFailedPrecondition
                              : static_cast<absl::StatusCode>(teacher.code());
        why = absl::Status(code, absl::StrCat("teacher server \"", worker, "\" cannot serve \"",
                                              model, "\": ", teacher.message()));
      }
    }
    if (!hope && !why.ok()) return why;
  }
  return absl::OkStatus();
}

v1::TeacherEndpoints Coordinator::EndpointsOf(const Run& run, const std::string& model) const {
  const auto memory = volatile_.find(run.config.name());
  const std::string* text = nullptr;
  if (memory != volatile_.end() && memory->second.numerics.count(model)) {
    text = &memory->second.numerics.at(model);
  }
  v1::TeacherEndpoints usable;
  usable.set_model(model);
  const v1::TeacherEndpoints ready =
      membership_.ReadyTeachers(model, state().FindRun(model)->fingerprint);
  for (const auto& endpoint : ready.endpoints()) {
    if (IsStopping(endpoint.worker())) continue;
    if (text != nullptr && endpoint.numerics_class().text() != *text) continue;
    *usable.add_endpoints() = endpoint;
  }
  return usable;
}

// ---- Tell ----

void Coordinator::Tell() {
  std::set<WorldId> worlds;
  for (const Run& run : state().runs()) {
    if (run.state == RunStatus::ACTIVE) worlds.emplace(run.config.name(), run.generation);
  }
  rendezvous_->SetWorlds(worlds);
  const bool ended =
      state().has_plan() && !state().plan_running() && options_.stop_processes_with_plan;
  for (auto& [id, session] : sessions_) {
    if (session.role == v1::STUDENT_WORKER) TellStudent(id, session);
    if (session.role == v1::TEACHER_SERVER) TellTeacher(id, session);
    if (!ended || session.stop) continue;
    session.stop = true;
    Send(id, session, {})
        .mutable_stop()
        ->set_reason(absl::StrCat("plan ", state().plan_id(), " has ended (",
                                  v1::PlanStatus::PlanState_Name(state().plan_state()),
                                  "); for another one, start this process once it is submitted"));
  }
}

void Coordinator::TellStudent(SessionId id, Session& session) {
  const Run* run = WorldOfMember(session.worker, session.incarnation);
  const WorldId world = run == nullptr ? WorldId() : WorldId(run->config.name(), run->generation);
  if (session.world != world) {
    if (!session.world.first.empty()) {
      const Run* left = state().FindRun(session.world.first);
      const bool done = left == nullptr || left->state == RunStatus::DONE;
      Send(id, session, session.world)
          .mutable_leave_world()
          ->set_reason(done ? "the run has ended" : left->message);
    }
    session.world = world;
    session.endpoints.clear();
    if (run != nullptr) {
      *Send(id, session, world).mutable_world() = WorldOf(*run);
      session.granted = run->granted_through;
      session.schedules = run->schedules.size();
    }
  }
  if (run == nullptr) return;
  for (; session.schedules < run->schedules.size(); ++session.schedules) {
    *Send(id, session, world).mutable_schedule_version() = run->schedules[session.schedules];
  }
  if (run->granted_through > session.granted) {
    session.granted = run->granted_through;
    *Send(id, session, world).mutable_step_grant() = GrantOf(*run);
  }
  TellEndpoints(id, session, *run);
}

void Coordinator::TellEndpoints(SessionId id, Session& session, const Run& run) {
  for (const std::string& model : ModelsOf(run.config)) {
    const v1::TeacherEndpoints endpoints = EndpointsOf(run, model);
    std::string bytes = endpoints.SerializeAsString();
    std::string& told = session.endpoints[model];
    if (told == bytes) continue;
    told = std::move(bytes);
    *Send(id, session, session.world).mutable_teacher_endpoints() = endpoints;
  }
}

void Coordinator::TellTeacher(SessionId id, Session& session) {
  const auto it = assignment_.find(session.worker);
  if (it == assignment_.end() || !state().plan_running()) return;
  const v1::Serve serve = ServeOf(it->second);
  std::string bytes = serve.SerializeAsString();
  if (session.serve == bytes) return;
  session.serve = std::move(bytes);
  *Send(id, session, {}).mutable_serve() = serve;
}

v1::Serve Coordinator::ServeOf(const std::string& model) const {
  v1::Serve serve;
  serve.set_model(model);
  serve.set_fingerprint(state().FindRun(model)->fingerprint);
  *serve.mutable_serving() = state().plan().serving();
  // The examples that are asked for are those of the students.
  const Run* next = state().NextRunToStart();
  for (const Run& run : state().runs()) {
    if (run.state != RunStatus::ACTIVE && &run != next) continue;
    const std::vector<std::string> models = ModelsOf(run.config);
    if (std::find(models.begin(), models.end(), model) == models.end()) continue;
    *serve.mutable_data_set() = DataSetOf(state().plan(), run.config);
    serve.set_data_set_digest(options_.data_set_digest(serve.data_set()));
    break;
  }
  return serve;
}

v1::World Coordinator::WorldOf(const Run& run) const {
  v1::World world;
  world.set_run_id(run.config.name());
  world.set_generation(run.generation);
  for (const auto& formed : run.members) {
    v1::World::Member* member = world.add_members();
    member->set_worker(formed.worker());
    member->set_incarnation(formed.incarnation());
    member->set_rank(formed.rank());
    if (const Membership::Member* known = membership_.Find(formed.worker()); known != nullptr) {
      member->set_address(known->hello.address());
    }
  }
  *world.mutable_run() = run.config;
  *world.mutable_data_set() = DataSetOf(state().plan(), run.config);
  world.set_seed(state().plan().seed());
  for (const v1::ScheduleVersion& version : run.schedules) *world.add_schedules() = version;
  *world.mutable_grant() = GrantOf(run);
  if (run.last_checkpoint() != nullptr) *world.mutable_resume_from() = *run.last_checkpoint();
  for (const v1::TeacherConfig& teacher : run.config.teachers()) {
    v1::TeacherFleet* fleet = world.add_teachers();
    fleet->set_role(teacher.role());
    if (teacher.run().empty()) {
      fleet->set_classes(world.data_set().classes());
      continue;
    }
    const Run& trained = *state().FindRun(teacher.run());
    fleet->set_model(teacher.run());
    fleet->set_fingerprint(trained.fingerprint);
    fleet->set_classes(DataSetOf(state().plan(), trained.config).classes());
  }
  return world;
}

}  // namespace distill
