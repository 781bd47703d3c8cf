#include "cli/progress/progress.h"

#include <google/protobuf/descriptor.h>
#include <google/protobuf/util/json_util.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <optional>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/time/time.h"
#include "cli/progress/live_table.h"
#include "cli/progress/state_names.h"
#include "cli/terminal/styled_text.h"

namespace distill {
namespace {

using google::protobuf::FieldDescriptor;
using nlohmann::ordered_json;
using v1::RunStatus;

// protobuf writes integers of 64 bits as text, which scripts compare as text: 65 > 100000.
void MakeNumbers(const FieldDescriptor& field, ordered_json& value) {
  const bool wide = field.cpp_type() == FieldDescriptor::CPPTYPE_INT64 ||
                    field.cpp_type() == FieldDescriptor::CPPTYPE_UINT64;
  if (value.is_array()) {
    for (ordered_json& entry : value) MakeNumbers(field, entry);
  } else if (field.is_map()) {
    for (ordered_json& entry : value) MakeNumbers(*field.message_type()->map_value(), entry);
  } else if (wide && value.is_string()) {
    value = ordered_json::parse(value.get<std::string>(), nullptr, /*allow_exceptions=*/false);
  } else if (field.cpp_type() == FieldDescriptor::CPPTYPE_MESSAGE) {
    for (auto& [name, part] : value.items()) {
      const FieldDescriptor* const of = field.message_type()->FindFieldByName(name);
      if (of != nullptr) MakeNumbers(*of, part);
    }
  }
}

ordered_json JsonOf(const v1::PlanStatus& status) {
  google::protobuf::util::JsonPrintOptions options;
  options.always_print_primitive_fields = true;
  options.preserve_proto_field_names = true;
  std::string text;
  if (!google::protobuf::util::MessageToJsonString(status, &text, options).ok()) text = "{}";
  ordered_json json = ordered_json::parse(text, nullptr, /*allow_exceptions=*/false);
  for (auto& [name, part] : json.items()) {
    const FieldDescriptor* const field = status.GetDescriptor()->FindFieldByName(name);
    if (field != nullptr) MakeNumbers(*field, part);
  }
  return json;
}

// Before the fields, so that a script sees when their meaning changes.
ordered_json Versioned(const v1::PlanStatus& status) {
  ordered_json versioned = {{"version", 1}};
  versioned.update(JsonOf(status));
  return versioned;
}

ordered_json Update(const v1::PlanStatus& status, const RunTrends& trends) {
  ordered_json estimates = ordered_json::object();
  for (const RunStatus& run : status.runs()) {
    const RunTrend* trend = trends.Find(run.run_id());
    if (run.state() != RunStatus::ACTIVE || trend == nullptr) continue;
    ordered_json& estimate = estimates[run.run_id()];
    estimate["steps_per_second"] = trend->steps_per_second();
    estimate["loss_terms"] = trend->loss_terms();
    if (const auto left = trend->time_left(); left.has_value()) {
      estimate["seconds_left_low"] = absl::ToDoubleSeconds(left->low);
      estimate["seconds_left_high"] = absl::ToDoubleSeconds(left->high);
    }
  }
  return ordered_json{{"version", 1}, {"status", JsonOf(status)}, {"estimates", estimates}};
}

std::string Line(const ordered_json& json) {
  return json.dump(-1, ' ', /*ensure_ascii=*/true, ordered_json::error_handler_t::replace);
}

}  // namespace

std::string ProgressLine(const v1::RunStatus& run, const RunTrend* trend) {
  const v1::Progress& progress = run.progress();
  std::string line = Printable(run.run_id());
  if (run.state() != RunStatus::ACTIVE) {
    absl::StrAppend(&line, "  ", RunStateName(run.state()));
    if (!run.message().empty()) absl::StrAppend(&line, ": ", Printable(run.message()));
    return line;
  }
  if (progress.step() == 0) return absl::StrCat(line, "  starting");
  RunTrend only_this;
  only_this.Add(run);
  if (trend == nullptr) trend = &only_this;
  absl::StrAppendFormat(&line, "  step %d/%d  %.1f/s ", progress.step(), run.steps(),
                        trend->steps_per_second());
  for (const auto& [term, value] : trend->loss_terms()) {
    absl::StrAppendFormat(&line, " %s %.3f", Printable(term), value);
  }
  absl::StrAppendFormat(&line, "  waiting for teacher %.0f%%",
                        100 * std::min(1.0, progress.teacher_wait_ratio()));
  if (const std::optional<TimeLeft> left = trend->time_left(); left.has_value()) {
    absl::StrAppend(&line, "  ETA ", TimeLeftText(*left));
  }
  // A run that stands still says whom it waits for.
  if (progress.steps_per_second() == 0 && !progress.note().empty()) {
    absl::StrAppend(&line, "  ", Printable(progress.note()));
  }
  return line;
}

std::string StatusNames(const v1::PlanStatus& status) {
  std::string text;
  for (const RunStatus& run : status.runs()) {
    absl::StrAppend(&text, "run/", Printable(run.run_id()), "\n");
  }
  for (const v1::MemberStatus& member : status.members()) {
    if (member.state() == v1::MemberStatus::GONE) continue;
    absl::StrAppend(&text,
                    member.role() == v1::TEACHER_SERVER ? "teacher_server/" : "student_worker/",
                    Printable(member.worker()), "\n");
  }
  return text;
}

std::string StatusJson(const v1::PlanStatus& status) { return Versioned(status).dump(1) + "\n"; }

std::string DoneText(const std::string& plan, const std::string& report) {
  return absl::StrCat("plan ", plan, " is done; see ", report);
}

v1::PlanStatus DoneStatus(const v1::PlanConfig& plan) {
  v1::PlanStatus status;
  status.set_plan_id(plan.name());
  status.set_state(v1::PlanStatus::FINISHED);
  for (const v1::RunConfig& run : plan.runs()) {
    RunStatus* done = status.add_runs();
    done->set_run_id(run.name());
    done->set_state(RunStatus::DONE);
    done->set_steps(run.training().steps());
    done->mutable_progress()->set_step(run.training().steps());
  }
  return status;
}

std::string DoneJson(const v1::PlanConfig& plan, const std::string& report) {
  ordered_json done = Versioned(DoneStatus(plan));
  done["report"] = report;
  return done.dump(1) + "\n";
}

std::string DoneUpdateJson(const v1::PlanConfig& plan, const std::string& report) {
  ordered_json update = Update(DoneStatus(plan), {});
  update["report"] = report;
  return Line(update);
}

std::string UpdateJson(const v1::PlanStatus& status, const RunTrends& trends) {
  return Line(Update(status, trends));
}

}  // namespace distill
