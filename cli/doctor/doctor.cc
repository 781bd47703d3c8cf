#include "cli/doctor/doctor.h"

#include <functional>
#include <optional>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "cli/doctor/machine_checks.h"
#include "cli/local_run/model_comparison.h"
#include "cli/plan_file/plan_file.h"
#include "cli/plan_inputs/plan_inputs.h"
#include "common/build_info/build_info.h"
#include "common/status/error_id.h"
#include "distillation/models/model_directory.h"
#include "distillation/run_config/teachers.h"
#include "proto/run_config.pb.h"

namespace distill {
namespace {

constexpr char kLoopback[] = "127.0.0.1";

PlannedLoad LoadOf(const v1::PlanConfig& plan) {
  const v1::ProcessConfig& processes = plan.processes();
  PlannedLoad load;
  load.processes = static_cast<int>(processes.student_workers() +
                                    (AsksTeacherServers(plan) ? processes.teacher_servers() : 0));
  load.threads_each = static_cast<int>(processes.threads());
  return load;
}

// What failed and why, on one line: without the lines of a plan that stand below its problems.
Finding FailedCheck(const std::string& check, const absl::Status& status, const std::string& fix) {
  std::vector<std::string> lines;
  for (const std::string& line :
       std::vector<std::string>(absl::StrSplit(MessageWithId(status), '\n'))) {
    if (line.rfind("    ", 0) != 0) lines.emplace_back(absl::StripAsciiWhitespace(line));
  }
  return {Verdict::kFail, check, absl::StrJoin(lines, " | "), fix};
}

Finding FindingOf(const PlanInput& input) {
  if (!input.status.ok()) return FailedCheck(input.name, input.status, input.fix);
  return {Verdict::kOk, input.name, input.found, ""};
}

std::vector<Finding> ProgramFindings(Machine& machine, FileSystem& files, const std::string& self) {
  const auto programs = FindPrograms(files, self);
  if (!programs.ok()) {
    return {FailedCheck("programs", programs.status(), "keep the programs beside distillctl")};
  }
  return CheckPrograms(machine,
                       {programs->coordinator, programs->teacher_server, programs->student_worker,
                        programs->evaluate},
                       kVersion, BuildCommit());
}

}  // namespace

absl::StatusOr<std::vector<Finding>> Examine(Machine& machine, FileSystem& files,
                                             const DoctorRequest& request) {
  const std::function<bool()> stopped = request.stopped ? request.stopped : [] { return false; };
  const absl::Time wall = machine.WallNow();
  const absl::Duration monotonic = machine.MonotonicNow();
  std::optional<v1::PlanConfig> plan;
  std::vector<Finding> plan_findings;
  if (!request.config.empty()) {
    auto read =
        ReadPlan(files, request.config, request.settings, std::nullopt, request.working_directory);
    if (read.ok()) {
      plan_findings.push_back(
          {Verdict::kOk, "plan",
           absl::StrCat(request.config, " is valid: ", read->runs_size(), " runs"), ""});
      const ModelDirectory models(&files, {request.models.dir, request.models.allow_executable});
      for (const PlanInput& input : ReadPlanInputs(files, *read, models, stopped)) {
        plan_findings.push_back(FindingOf(input));
      }
      if (stopped()) return absl::CancelledError("stopped while it read the plan's files");
      plan = *std::move(read);
    } else {
      plan_findings.push_back(
          FailedCheck("plan", read.status(), "correct it; distillctl config explain FIELD helps"));
    }
  }
  const PlannedLoad load = plan.has_value() ? LoadOf(*plan) : PlannedLoad();
  std::vector<Finding> findings = ProgramFindings(machine, files, request.self);
  findings.push_back(CheckCpu(machine));
  findings.push_back(CheckThreads(machine, load));
  findings.push_back(CheckMemory(machine, load));
  findings.push_back(CheckOpenFiles(machine));
  findings.push_back(
      CheckPorts(machine, plan.has_value() ? plan->processes().bind_host() : kLoopback));
  findings.push_back(CheckDisk(machine, request.run_dir));
  findings.push_back(CheckClock(machine, wall, monotonic));
  findings.insert(findings.end(), plan_findings.begin(), plan_findings.end());
  return findings;
}

}  // namespace distill
