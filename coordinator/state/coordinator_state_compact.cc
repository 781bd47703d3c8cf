#include <utility>

#include "coordinator/state/coordinator_state.h"

namespace distill {
namespace {

using v1::RunStatus;
using v1::Update;

void AppendSchedules(const CoordinatorState::Run& run, std::vector<Update>& out) {
  for (size_t i = 1; i < run.schedules.size(); ++i) {
    v1::ScheduleVersionAdded* added = out.emplace_back().mutable_schedule_version_added();
    added->set_run_id(run.config.name());
    *added->mutable_version() = run.schedules[i];
    for (const auto& [key, version] : run.schedule_keys) {
      if (version == run.schedules[i].version()) added->set_idempotency_key(key);
    }
  }
}

void AppendCheckpoints(const CoordinatorState::Run& run, uint64_t fence, std::vector<Update>& out) {
  // Dropped checkpoints come first with their paths only: applying the kept ones
  // after them drops them again, in the same order.
  auto append = [&](const v1::CheckpointRef& checkpoint) {
    v1::CheckpointCommitted* committed = out.emplace_back().mutable_checkpoint_committed();
    committed->set_fence(fence);
    *committed->mutable_checkpoint() = checkpoint;
  };
  for (const std::string& path : run.obsolete_paths) {
    v1::CheckpointRef dropped;
    dropped.set_run_id(run.config.name());
    dropped.set_path(path);
    append(dropped);
  }
  for (const v1::CheckpointRef& checkpoint : run.checkpoints) append(checkpoint);
}

// `floor`: the first_generation that submitting the plan gives.
void AppendRun(const CoordinatorState::Run& run, uint64_t fence, uint64_t floor,
               std::vector<Update>& out) {
  const std::string& id = run.config.name();
  if (run.first_generation != floor) {
    v1::WorldFormed* first = out.emplace_back().mutable_world_formed();
    first->set_run_id(id);
    first->set_generation(run.first_generation);
  }
  AppendSchedules(run, out);
  if (run.members.empty()) return;
  v1::WorldFormed* formed = out.emplace_back().mutable_world_formed();
  formed->set_run_id(id);
  formed->set_generation(run.generation);
  for (const auto& member : run.members) *formed->add_members() = member;
  if (run.granted_through > 0) {
    v1::GrantExtended* grant = out.emplace_back().mutable_grant_extended();
    grant->set_run_id(id);
    grant->set_generation(run.generation);
    grant->set_through_step(run.granted_through);
  }
  AppendCheckpoints(run, fence, out);
  if (run.state == RunStatus::DONE) {
    v1::RunFinished* finished = out.emplace_back().mutable_run_finished();
    finished->set_run_id(id);
    finished->set_generation(run.generation);
    finished->set_export_path(run.export_path);
    finished->set_fingerprint(run.fingerprint);
  } else if (run.world_broken) {
    v1::WorldBroken* broken = out.emplace_back().mutable_world_broken();
    broken->set_run_id(id);
    broken->set_generation(run.generation);
    broken->set_reason(run.message);
  }
}

}  // namespace

std::vector<Update> CoordinatorState::Compact() const {
  std::vector<Update> out;
  if (fence_ > 0) out.emplace_back().mutable_fence_taken()->set_fence(fence_);
  if (generation_floor_ > 0) {
    out.emplace_back().mutable_world_formed()->set_generation(generation_floor_);
  }
  if (!has_plan()) return out;
  v1::PlanSubmitted* submitted = out.emplace_back().mutable_plan_submitted();
  submitted->set_plan_id(plan_id_);
  submitted->set_idempotency_key(plan_key_);
  *submitted->mutable_plan() = plan_;
  // For their keys: with no world yet they change nothing else that lasts.
  if (!resume_.idempotency_key().empty()) {
    *out.emplace_back().mutable_plan_stopped() = stop_;
    *out.emplace_back().mutable_plan_resumed() = resume_;
  }
  for (const Run& run : runs_) AppendRun(run, fence_, generation_floor_, out);
  for (const Run& run : runs_) {
    if (run.state == RunStatus::BROKEN) *out.emplace_back().mutable_run_failed() = run.failure;
  }
  if (stopped_) *out.emplace_back().mutable_plan_stopped() = stop_;
  return out;
}

}  // namespace distill
