#include "coordinator/coordinator_metrics.h"

#include <algorithm>
#include <utility>

#include "absl/strings/ascii.h"
#include "common/metrics/catalogue.h"

namespace distill {
namespace {

using v1::MemberStatus;
using v1::RunStatus;

}  // namespace

CoordinatorMetrics::CoordinatorMetrics(MetricRegistry* registry, uint64_t fence)
    : registry_(registry) {
  registry->AddGauge(Metric::kCoordinatorGeneration)->Set(static_cast<double>(fence));
  for (const v1::Role role : {v1::STUDENT_WORKER, v1::TEACHER_SERVER}) {
    for (const auto state : {MemberStatus::ALIVE, MemberStatus::SUSPECT, MemberStatus::GONE}) {
      members_[{role, state}] = registry->AddGauge(
          Metric::kCoordinatorMembers,
          {{"role", absl::AsciiStrToLower(v1::Role_Name(role))},
           {"state", absl::AsciiStrToLower(MemberStatus::MemberState_Name(state))}});
    }
  }
}

CoordinatorMetrics::RunSeries::RunSeries(MetricRegistry* registry, const std::string& run_id)
    : generation(registry->AddGauge(Metric::kCoordinatorRunGeneration, {{"run", run_id}})),
      planned_steps(registry->AddGauge(Metric::kCoordinatorRunPlannedSteps, {{"run", run_id}})),
      reached_steps(registry->AddGauge(Metric::kCoordinatorRunReachedSteps, {{"run", run_id}})) {
  for (const auto state : {RunStatus::PENDING, RunStatus::WAITING, RunStatus::ACTIVE,
                           RunStatus::DONE, RunStatus::BROKEN, RunStatus::HALTED}) {
    states[state] = registry->AddGauge(
        Metric::kCoordinatorRunState,
        {{"run", run_id}, {"state", absl::AsciiStrToLower(RunStatus::RunState_Name(state))}});
  }
}

void CoordinatorMetrics::RunSeries::Tell(const RunStatus& run) {
  for (const auto& [state, gauge] : states) gauge->Set(state == run.state() ? 1 : 0);
  generation->Set(static_cast<double>(run.generation()));
  planned_steps->Set(static_cast<double>(run.steps()));
  // A new world has reported nothing yet, and the last report may be older than the end.
  const int64_t reached = std::max<int64_t>(run.progress().step(), run.last_checkpoint().step());
  reached_steps->Set(static_cast<double>(run.state() == RunStatus::DONE ? run.steps() : reached));
}

bool CoordinatorMetrics::Offer(const v1::PlanStatus& status) {
  std::map<std::pair<v1::Role, MemberStatus::MemberState>, int> members;
  for (const MemberStatus& member : status.members()) ++members[{member.role(), member.state()}];
  for (const auto& [key, gauge] : members_) gauge->Set(members[key]);

  std::map<std::string, RunStatus> told;
  for (const auto& [run_id, series] : runs_) told[run_id];
  for (const RunStatus& run : status.runs()) told[run.run_id()] = run;
  for (const auto& [run_id, run] : told) {
    runs_.try_emplace(run_id, registry_, run_id).first->second.Tell(run);
  }
  return true;
}

}  // namespace distill
