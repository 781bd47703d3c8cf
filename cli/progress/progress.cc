#include "cli/progress/progress.h"

#include <google/protobuf/util/json_util.h>

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"

namespace distill {
namespace {

using v1::RunStatus;

const char* StateName(RunStatus::RunState state) {
  switch (state) {
    case RunStatus::PENDING:
      return "not started";
    case RunStatus::WAITING:
      return "waiting";
    case RunStatus::ACTIVE:
      return "running";
    case RunStatus::DONE:
      return "done";
    case RunStatus::BROKEN:
      return "failed";
    case RunStatus::HALTED:
      return "halted";
    default:
      return "unknown";
  }
}

int64_t StepsOf(const v1::PlanConfig& plan, const std::string& run_id) {
  for (const v1::RunConfig& run : plan.runs()) {
    if (run.name() == run_id) return run.training().steps();
  }
  return 0;
}

std::string Eta(double seconds) {
  if (seconds < 90) return absl::StrFormat("%.0f s", seconds);
  return absl::StrFormat("%.0f min", seconds / 60);
}

bool HasFailed(const v1::MemberStatus& member) {
  return member.state() != v1::MemberStatus::GONE &&
         member.teacher_state().state() == v1::TeacherState::FAILED;
}

}  // namespace

std::string ProgressLine(const v1::RunStatus& run, int64_t steps) {
  const v1::Progress& progress = run.progress();
  std::string line = absl::StrFormat("%s", run.run_id());
  if (run.state() != RunStatus::ACTIVE) {
    absl::StrAppend(&line, "  ", StateName(run.state()));
    if (!run.message().empty()) absl::StrAppend(&line, ": ", run.message());
    return line;
  }
  if (progress.step() == 0) return absl::StrCat(line, "  starting");
  absl::StrAppendFormat(&line, "  step %d/%d  %.1f/s ", progress.step(), steps,
                        progress.steps_per_second());
  const std::map<std::string, double> terms(progress.loss_terms().begin(),
                                            progress.loss_terms().end());
  for (const auto& [term, value] : terms) absl::StrAppendFormat(&line, " %s %.3f", term, value);
  absl::StrAppendFormat(&line, "  waiting for teacher %.0f%%",
                        100 * std::min(1.0, progress.teacher_wait_ratio()));
  if (progress.steps_per_second() > 0) {
    const double left = static_cast<double>(std::max<int64_t>(0, steps - progress.step()));
    absl::StrAppend(&line, "  ETA ", Eta(left / progress.steps_per_second()));
  }
  return line;
}

std::vector<std::string> ProgressLines(const v1::PlanStatus& status, const v1::PlanConfig& plan) {
  bool any_active = false;
  for (const RunStatus& run : status.runs()) {
    any_active = any_active || run.state() == RunStatus::ACTIVE;
  }
  std::vector<std::string> lines;
  for (const RunStatus& run : status.runs()) {
    if (run.state() == (any_active ? RunStatus::ACTIVE : RunStatus::WAITING)) {
      lines.push_back(ProgressLine(run, StepsOf(plan, run.run_id())));
    }
  }
  for (const v1::MemberStatus& member : status.members()) {
    if (!any_active || !HasFailed(member)) continue;
    lines.push_back(absl::StrCat(member.worker(), "  does not serve ",
                                 member.teacher_state().model(),
                                 " any more: ", member.teacher_state().message()));
  }
  return lines;
}

std::string StatusText(const v1::PlanStatus& status, const v1::PlanConfig& plan) {
  std::string text = absl::StrCat("plan ", status.plan_id(), ": ",
                                  v1::PlanStatus::PlanState_Name(status.state()), "\n");
  if (!status.message().empty()) absl::StrAppend(&text, "  ", status.message(), "\n");
  for (const v1::RunStatus& run : status.runs()) {
    absl::StrAppend(&text, "  ", ProgressLine(run, StepsOf(plan, run.run_id())), "\n");
    if (run.has_last_checkpoint() && run.state() != RunStatus::DONE) {
      absl::StrAppend(&text, "    last checkpoint: step ", run.last_checkpoint().step(), "\n");
    }
  }
  for (const v1::MemberStatus& member : status.members()) {
    absl::StrAppend(&text, "  ", member.worker(), "  ",
                    v1::MemberStatus::MemberState_Name(member.state()), "  pid ",
                    member.process_id());
    if (member.role() == v1::TEACHER_SERVER) {
      absl::StrAppend(&text, "  ", v1::TeacherState::State_Name(member.teacher_state().state()),
                      " ", member.teacher_state().model());
      if (HasFailed(member)) absl::StrAppend(&text, ": ", member.teacher_state().message());
    }
    absl::StrAppend(&text, "\n");
  }
  return text;
}

std::string StatusJson(const v1::PlanStatus& status) {
  google::protobuf::util::JsonPrintOptions options;
  options.add_whitespace = true;
  options.always_print_primitive_fields = true;
  options.preserve_proto_field_names = true;
  std::string json;
  if (!google::protobuf::util::MessageToJsonString(status, &json, options).ok()) return "{}\n";
  return json;
}

}  // namespace distill
