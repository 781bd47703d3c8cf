// What the coordinator knows for certain: the plan, its runs, their worlds,
// grants, schedules and committed checkpoints. A pure function of the journal.
//
// Usage (journal/ does exactly this):
//   RETURN_IF_ERROR(state.Validate(update));
//   ... make `update` durable ...
//   state.Apply(update);                      // cannot fail
//
// Thread-compatible. Copyable, so that a group of updates can be tried on a copy.
// Pure: no clock, files, threads or network.
#ifndef COORDINATOR_STATE_COORDINATOR_STATE_H_
#define COORDINATOR_STATE_COORDINATOR_STATE_H_

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "coordinator/state/run_states.h"
#include "proto/coordinator.pb.h"
#include "proto/journal.pb.h"
#include "proto/run_config.pb.h"
#include "proto/types.pb.h"

namespace distill {

class CoordinatorState {
 public:
  // Paths of dropped checkpoints that are still told after later commits, so
  // that a lost answer leaks no folder. Deleting one twice is harmless.
  static constexpr size_t kMaxObsoletePaths = 16;

  struct Run {
    v1::RunConfig config;
    RunState state = v1::RunStatus::PENDING;
    // Of the newest world; the next one takes a larger number. 0: none yet.
    uint64_t generation = 0;
    // Generation that the run's worlds count from (see WorldsWithoutCommit): that
    // of the plan's submission or newest resumption.
    uint64_t first_generation = 0;
    // The newest world, also after it broke or ended.
    std::vector<v1::WorldFormed::Member> members;
    bool world_broken = false;
    // Steps < granted_through may be taken. Never shrinks, over generations too.
    int64_t granted_through = 0;
    // Versions 1, 2, ...; the newest whose from_step is reached holds.
    std::vector<v1::ScheduleVersion> schedules;
    // Idempotency key -> version.
    std::map<std::string, uint64_t> schedule_keys;
    // The kept ones, oldest first.
    std::vector<v1::CheckpointRef> checkpoints;
    std::vector<std::string> obsolete_paths;
    std::string export_path;
    std::string fingerprint;
    // For people: why the run waits, failed or halted.
    std::string message;
    v1::RunFailed failure;

    const v1::CheckpointRef* last_checkpoint() const {
      return checkpoints.empty() ? nullptr : &checkpoints.back();
    }
    // First step that a schedule update may name.
    int64_t FirstFreeStep() const;
    // Worlds formed since the last commit or resumption: bounds restarts without
    // progress.
    uint64_t WorldsWithoutCommit() const;
  };

  // OK exactly when Apply(update) is meaningful now. Codes:
  //   INVALID_ARGUMENT     the record itself is wrong (lists all problems)
  //   ALREADY_EXISTS       another plan runs, or this very thing was done before
  //   NOT_FOUND            no plan, or no such run
  //   ABORTED              fence or generation is not the current one
  //   FAILED_PRECONDITION  the run's state, grant or checkpoints forbid it
  absl::Status Validate(const v1::Update& update) const;

  // Precondition: Validate(update) was OK, or `update` is from Compact().
  void Apply(const v1::Update& update);

  // Fewest updates that, applied to an empty state, give this state. They are
  // to be applied without Validate, because intermediate steps are left out.
  std::vector<v1::Update> Compact() const;

  uint64_t fence() const { return fence_; }
  bool has_plan() const { return !plan_id_.empty(); }
  const std::string& plan_id() const { return plan_id_; }
  const v1::PlanConfig& plan() const { return plan_; }
  v1::PlanStatus::PlanState plan_state() const { return plan_state_; }
  bool plan_running() const { return plan_state_ == v1::PlanStatus::RUNNING; }

  const std::vector<Run>& runs() const { return runs_; }
  // Null when the plan has no such run. Valid until the next Apply.
  const Run* FindRun(std::string_view run_id) const;
  // Null when the plan does not run, or no run waits: the first WAITING run in
  // the plan's order (runs whose teachers are not trained yet are PENDING).
  const Run* NextRunToStart() const;
  // What the next world of `run` is numbered.
  uint64_t NextGeneration(const Run& run) const;

  // Answers of earlier requests; keys live as long as their plan. Null / empty
  // when the key is new.
  std::string PlanOfKey(std::string_view key) const;
  const v1::ScheduleVersion* ScheduleOfKey(std::string_view run_id, std::string_view key) const;
  // Of the newest stop and resumption; true also after the other has followed.
  bool IsStopKey(std::string_view key) const { return stop_.idempotency_key() == key; }
  bool IsResumeKey(std::string_view key) const { return resume_.idempotency_key() == key; }
  // The very same checkpoint is committed already.
  bool IsCommitted(const v1::CheckpointRef& checkpoint) const;

  // Everything but members and progress, which are not journaled.
  v1::PlanStatus Status() const;

 private:
  Run* MutableRun(std::string_view run_id);
  // The run, which must be ACTIVE in exactly this generation.
  absl::Status CheckActive(std::string_view run_id, uint64_t generation, const Run** run) const;
  absl::Status Validate(const v1::PlanSubmitted& record) const;
  absl::Status Validate(const v1::WorldFormed& record) const;
  absl::Status Validate(const v1::GrantExtended& record) const;
  absl::Status Validate(const v1::ScheduleVersionAdded& record) const;
  absl::Status Validate(const v1::CheckpointCommitted& record) const;
  absl::Status Validate(const v1::RunFinished& record) const;
  absl::Status Validate(const v1::RunFailed& record) const;
  absl::Status Validate(const v1::PlanStopped& record) const;
  absl::Status Validate(const v1::PlanResumed& record) const;
  void Apply(const v1::PlanSubmitted& record);
  void Apply(const v1::WorldFormed& record);
  void Apply(const v1::ScheduleVersionAdded& record);
  void Apply(const v1::CheckpointCommitted& record);
  void Apply(const v1::RunFinished& record);
  void Apply(const v1::RunFailed& record);
  void Apply(const v1::PlanStopped& record);
  void Apply(const v1::PlanResumed& record);
  void PromotePendingRuns();
  void HaltUnfinishedRuns(const std::string& reason);

  uint64_t fence_ = 0;
  // Largest generation of earlier plans: a late word from their worlds, under
  // the same run name, is thereby out of date.
  uint64_t generation_floor_ = 0;
  std::string plan_id_;
  std::string plan_key_;
  v1::PlanConfig plan_;
  v1::PlanStatus::PlanState plan_state_ = v1::PlanStatus::PLAN_STATE_UNSPECIFIED;
  std::string plan_message_;
  bool stopped_ = false;
  // The newest of each, also when it holds no longer.
  v1::PlanStopped stop_;
  v1::PlanResumed resume_;
  std::vector<Run> runs_;
};

}  // namespace distill

#endif  // COORDINATOR_STATE_COORDINATOR_STATE_H_
