#include "cli/progress/progress_log.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "cli/progress/live_table.h"
#include "cli/progress/progress.h"
#include "cli/progress/state_names.h"
#include "cli/terminal/styled_text.h"

namespace distill {
namespace {

constexpr absl::Duration kEvery = absl::Seconds(30);
// Of a run's steps: a twentieth.
constexpr int64_t kParts = 20;

std::string Plan(const v1::PlanStatus& status) {
  return absl::StrCat("plan ", Printable(status.plan_id()), ": ", PlanStateName(status.state()));
}

}  // namespace

std::vector<std::string> ProgressLog::OnStatus(const v1::PlanStatus& status, absl::Duration now) {
  std::vector<std::string> lines;
  trends_.Add(status);
  last_ = status;
  if (!begun_) {
    begun_ = true;
    began_ = now;
    lines.push_back(absl::StrCat(
        Plan(status), ", ", status.runs_size(), status.runs_size() == 1 ? " run: " : " runs: ",
        absl::StrJoin(status.runs(), ", ", [](std::string* out, const v1::RunStatus& run) {
          absl::StrAppend(out, Printable(run.run_id()), " (", run.steps(), " steps)");
        })));
  }
  for (const v1::RunStatus& run : status.runs()) AddRun(run, now, lines);
  for (const v1::MemberStatus& member : status.members()) AddFault(member, lines);
  return lines;
}

void ProgressLog::AddRun(const v1::RunStatus& run, absl::Duration now,
                         std::vector<std::string>& lines) {
  const std::string state = absl::StrCat(RunStateName(run.state()), " ", run.message());
  const bool trains = run.state() == v1::RunStatus::ACTIVE;
  const auto [it, first] = said_.emplace(run.run_id(), Said{});
  Said& said = it->second;
  // That a run has not started goes without saying.
  const bool changed = first ? run.state() != v1::RunStatus::PENDING : said.state != state;
  const int64_t part = std::max<int64_t>(1, run.steps() / kParts);
  const bool due = trains && now - said.at >= kEvery && run.progress().step() - said.step >= part;
  if (first || changed) said.state = state;
  if (!changed && !due) return;
  said.at = now;
  said.step = run.progress().step();
  lines.push_back(ProgressLine(run, trends_.Find(run.run_id())));
}

void ProgressLog::AddFault(const v1::MemberStatus& member, std::vector<std::string>& lines) {
  const v1::TeacherState& state = member.teacher_state();
  if (member.state() == v1::MemberStatus::GONE || state.state() != v1::TeacherState::FAILED) return;
  std::string& told = faults_[member.worker()];
  std::string line =
      absl::StrCat(Printable(member.worker()), "  does not serve ", Printable(state.model()),
                   " any more: ", Printable(state.message()));
  if (told == line) return;
  told = line;
  lines.push_back(std::move(line));
}

std::vector<std::string> ProgressLog::OnEnd(absl::Duration now) const {
  if (!begun_) return {};
  const int64_t done =
      std::count_if(last_.runs().begin(), last_.runs().end(),
                    [](const v1::RunStatus& run) { return run.state() == v1::RunStatus::DONE; });
  return {absl::StrCat(Plan(last_), ", ", done, " of ", last_.runs_size(),
                       last_.runs_size() == 1 ? " run done, " : " runs done, ",
                       ElapsedText(now - began_))};
}

}  // namespace distill
