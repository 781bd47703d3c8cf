#include "distillation/schedules/schedule_timeline.h"

#include <set>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/status/annotate.h"
#include "common/status/status_macros.h"

namespace distill {
namespace {

void AppendProblems(const v1::Schedule& schedule, ScheduleKind kind, const std::string& path,
                    std::vector<FieldProblem>* problems) {
  for (FieldProblem& problem : FindScheduleProblems(schedule, kind)) {
    problems->push_back({absl::StrCat(path, ".", problem.path), std::move(problem.message)});
  }
}

std::set<std::string> TermNames(const v1::ScheduleVersion& version) {
  std::set<std::string> names;
  for (const auto& [name, unused] : version.schedules().term_weights()) names.insert(name);
  return names;
}

}  // namespace

std::vector<FieldProblem> FindScheduleSetProblems(const v1::ScheduleSet& schedules) {
  v1::ScheduleSet all = schedules;
  all.mutable_temperature();
  all.mutable_soft_weight();
  all.mutable_hard_weight();
  all.mutable_learning_rate();
  return FindGivenScheduleProblems(all);
}

std::vector<FieldProblem> FindGivenScheduleProblems(const v1::ScheduleSet& schedules) {
  std::vector<FieldProblem> problems;
  const auto append = [&](bool given, const v1::Schedule& schedule, ScheduleKind kind,
                          const std::string& path) {
    if (given) AppendProblems(schedule, kind, path, &problems);
  };
  using Kind = ScheduleKind;
  append(schedules.has_temperature(), schedules.temperature(), Kind::kTemperature, "temperature");
  append(schedules.has_soft_weight(), schedules.soft_weight(), Kind::kMixWeight, "soft_weight");
  append(schedules.has_hard_weight(), schedules.hard_weight(), Kind::kMixWeight, "hard_weight");
  append(schedules.has_learning_rate(), schedules.learning_rate(), Kind::kLearningRate,
         "learning_rate");
  // Sorted: the order of a proto map is not defined, messages should be.
  const std::map<std::string, v1::Schedule> terms(schedules.term_weights().begin(),
                                                  schedules.term_weights().end());
  for (const auto& [name, schedule] : terms) {
    AppendProblems(schedule, ScheduleKind::kTermWeight, "term_weights." + name, &problems);
  }
  return problems;
}

absl::StatusOr<ScheduleTimeline::Version> ScheduleTimeline::CreateVersion(
    const v1::ScheduleVersion& version) {
  const v1::ScheduleSet& set = version.schedules();
  RETURN_IF_ERROR(ProblemsToStatus(FindScheduleSetProblems(set), {}));
  using Kind = ScheduleKind;
  ASSIGN_OR_RETURN(auto temperature,
                   ScheduleFunction::Create(set.temperature(), Kind::kTemperature));
  ASSIGN_OR_RETURN(auto soft, ScheduleFunction::Create(set.soft_weight(), Kind::kMixWeight));
  ASSIGN_OR_RETURN(auto hard, ScheduleFunction::Create(set.hard_weight(), Kind::kMixWeight));
  ASSIGN_OR_RETURN(auto rate, ScheduleFunction::Create(set.learning_rate(), Kind::kLearningRate));
  Version result{version.version(),
                 version.from_step(),
                 std::move(temperature),
                 std::move(soft),
                 std::move(hard),
                 std::move(rate),
                 {}};
  for (const auto& [name, schedule] : set.term_weights()) {
    ASSIGN_OR_RETURN(auto weight, ScheduleFunction::Create(schedule, Kind::kTermWeight));
    result.term_weights.emplace(name, std::move(weight));
  }
  return result;
}

absl::StatusOr<ScheduleTimeline> ScheduleTimeline::Create(
    std::span<const v1::ScheduleVersion> versions) {
  if (versions.empty()) return absl::InvalidArgumentError("a run needs one schedule version");
  if (versions[0].from_step() != 0) {
    return absl::InvalidArgumentError(absl::StrCat("the first schedule version holds from step ",
                                                   versions[0].from_step(),
                                                   "; it must hold from step 0"));
  }
  ScheduleTimeline timeline;
  for (const v1::ScheduleVersion& version : versions) {
    const std::string context = absl::StrCat("schedule version ", version.version());
    if (!timeline.versions_.empty() && version.version() <= timeline.versions_.back().version) {
      return absl::InvalidArgumentError(absl::StrCat(
          context, " follows version ", timeline.versions_.back().version, "; versions must rise"));
    }
    if (version.from_step() < 0) {
      return absl::InvalidArgumentError(
          absl::StrCat(context, ": from_step is ", version.from_step(), "; steps count from 0"));
    }
    if (TermNames(version) != TermNames(versions[0])) {
      return absl::InvalidArgumentError(
          absl::StrCat(context, ": term_weights names other terms than the first version"));
    }
    absl::StatusOr<Version> checked = CreateVersion(version);
    if (!checked.ok()) return Annotate(checked.status(), context);
    timeline.versions_.push_back(*std::move(checked));
  }
  return timeline;
}

StepValues ScheduleTimeline::At(int64_t step) const {
  size_t i = versions_.size() - 1;
  while (i > 0 && versions_[i].from_step > step) --i;
  const Version& version = versions_[i];
  StepValues values{version.version,
                    version.temperature.At(step),
                    version.soft_weight.At(step),
                    version.hard_weight.At(step),
                    version.learning_rate.At(step),
                    {}};
  for (const auto& [name, weight] : version.term_weights) {
    values.term_weights[name] = weight.At(step);
  }
  return values;
}

}  // namespace distill
