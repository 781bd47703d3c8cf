#include "coordinator/state/plan_checks.h"

#include <set>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/config/position_map.h"
#include "common/status/annotate.h"
#include "common/status/status_macros.h"
#include "distillation/labels/codec.h"
#include "distillation/labels/label_codec.h"
#include "distillation/run_config/plan_checks.h"
#include "distillation/run_config/teachers.h"
#include "distillation/schedules/schedule.h"
#include "distillation/schedules/schedule_timeline.h"

namespace distill {
absl::Status CheckPlanEdges(const v1::PlanConfig& plan) {
  std::vector<std::string> problems;
  std::set<std::string> data_sets, names;
  for (const v1::DataSetConfig& data_set : plan.data_sets()) data_sets.insert(data_set.name());
  if (plan.runs().empty()) problems.push_back("the plan has no run");
  for (const v1::RunConfig& run : plan.runs()) {
    if (run.name().empty()) problems.push_back("a run has no name");
    if (!names.insert(run.name()).second) {
      problems.push_back(absl::StrCat("two runs are named \"", run.name(), "\""));
    }
  }
  bool edges_known = true;
  for (const v1::RunConfig& run : plan.runs()) {
    const std::string where = absl::StrCat("run \"", run.name(), "\": ");
    if (!data_sets.count(run.data_set())) {
      problems.push_back(absl::StrCat(where, "no data set \"", run.data_set(), "\""));
    }
    if (run.training().steps() < 1 && !run.export_only())
      problems.push_back(where + "training.steps is below 1");
    if (run.training().world_size() < 1) {
      problems.push_back(where + "training.world_size is below 1");
    }
    for (const v1::TeacherConfig& teacher : run.teachers()) {
      if (names.count(teacher.run())) continue;
      if (IsRecorded(teacher) && teacher.run().empty()) continue;
      edges_known = false;
      problems.push_back(absl::StrCat(where, "teacher \"", teacher.role(), "\" names the run \"",
                                      teacher.run(), "\", which the plan does not have"));
    }
  }
  if (edges_known) {
    const auto order = RunOrder(plan);
    if (!order.ok()) problems.push_back(std::string(order.status().message()));
  }
  if (problems.empty()) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrJoin(problems, "; "));
}

namespace {

absl::Status CheckNewTemperatures(const v1::RunConfig& run, const v1::Schedule& temperature) {
  if (!AsksTeacherServers(run)) return absl::OkStatus();
  for (const std::string& name : run.labels().codecs()) {
    const auto codec = FindCodec(name);
    if (!codec.ok() || (*codec)->layout() != LabelLayout::kSparse) continue;
    ASSIGN_OR_RETURN(
        const ScheduleFunction asked,
        ScheduleFunction::Create(run.schedules().temperature(), ScheduleKind::kTemperature));
    ASSIGN_OR_RETURN(const ScheduleFunction now,
                     ScheduleFunction::Create(temperature, ScheduleKind::kTemperature));
    const auto [low, high] = asked.Bounds(run.training().steps());
    const auto [least, most] = now.Bounds(run.training().steps());
    if (least >= low && most <= high) return absl::OkStatus();
    return absl::InvalidArgumentError(absl::StrCat(
        "schedule of run \"", run.name(), "\": temperatures from ", least, " to ", most,
        " leave the range ", low, " to ", high, " that its labels in the codec ", name,
        " are asked for; stay within it, or start the run anew with a wider schedules.temperature",
        " or with dense codecs only"));
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status CheckNewSchedules(const v1::RunConfig& run, const v1::ScheduleSet& given) {
  const std::string where = absl::StrCat("schedules of run \"", run.name(), "\"");
  RETURN_IF_ERROR(Annotate(ProblemsToStatus(FindGivenScheduleProblems(given), {}), where));
  for (const auto& [term, unused] : given.term_weights()) {
    if (run.schedules().term_weights().contains(term)) continue;
    return absl::InvalidArgumentError(
        absl::StrCat(where, ": term_weights.", term, ": the run weighs no such term"));
  }
  return given.has_temperature() ? CheckNewTemperatures(run, given.temperature())
                                 : absl::OkStatus();
}

}  // namespace distill
