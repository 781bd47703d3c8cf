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
#include "common/build_info/build_info.h"
#include "common/status/error_id.h"
#include "distillation/data/data_set.h"
#include "distillation/label_sets/format.h"
#include "distillation/label_sets/reader.h"
#include "distillation/run_config/teachers.h"
#include "proto/run_config.pb.h"

namespace distill {
namespace {

constexpr char kLoopback[] = "127.0.0.1";

Finding Failed(const std::string& check, const absl::Status& status, const std::string& fix) {
  // On one line: without the lines of a plan that stand below its problems.
  std::vector<std::string> lines;
  for (const std::string& line :
       std::vector<std::string>(absl::StrSplit(MessageWithId(status), '\n'))) {
    if (line.rfind("    ", 0) != 0) lines.emplace_back(absl::StripAsciiWhitespace(line));
  }
  return {Verdict::kFail, check, absl::StrJoin(lines, " | "), fix};
}

using Stopped = std::function<bool()>;

// Stopped, it says nothing true, and nobody reads it.
Finding CheckDataSet(FileSystem& files, const v1::DataSetConfig& config, const Stopped& stopped) {
  const std::string check = "data " + config.name();
  std::vector<std::string> counts;
  for (const auto which : {DataSet::Files::kTraining, DataSet::Files::kTest}) {
    if (stopped()) break;
    const auto data = DataSet::Load(files, config, which);
    if (!data.ok()) return Failed(check, data.status(), "correct data_sets, or get the file anew");
    for (const auto& [split, name] :
         {std::pair(v1::TRAIN, "training"), std::pair(v1::VALIDATION, "validation"),
          std::pair(v1::TEST, "test")}) {
      if (const uint64_t size = (*data)->size(split); size > 0) {
        counts.push_back(absl::StrCat(size, " ", name));
      }
    }
  }
  return {Verdict::kOk, check, absl::StrCat(absl::StrJoin(counts, ", "), " examples"), ""};
}

// Its manifest and the headers of its parts; what each block holds is checked when it is read.
Finding CheckLabelSet(FileSystem& files, const v1::RunConfig& run,
                      const v1::TeacherConfig& teacher) {
  const std::string check = absl::StrCat("labels ", run.name(), "/", teacher.role());
  const std::string fix = "record it again with distillctl label, which keeps the sound parts";
  const auto manifest = ReadLabelSetManifest(files, teacher.recorded_labels());
  if (!manifest.ok()) return Failed(check, manifest.status(), fix);
  const auto set = LabelSetReader::Open(&files, teacher.recorded_labels(), manifest->identity, {});
  if (!set.ok()) return Failed(check, set.status(), fix);
  return {Verdict::kOk, check,
          absl::StrCat((*set)->identity().rows(), " rows of ", (*set)->identity().classes,
                       " classes in ", teacher.recorded_labels()),
          ""};
}

void CheckPlanFiles(FileSystem& files, const v1::PlanConfig& plan, const Stopped& stopped,
                    std::vector<Finding>& findings) {
  for (const v1::DataSetConfig& data_set : plan.data_sets()) {
    findings.push_back(CheckDataSet(files, data_set, stopped));
  }
  for (const v1::RunConfig& run : plan.runs()) {
    for (const v1::TeacherConfig& teacher : run.teachers()) {
      if (IsRecorded(teacher) && !stopped()) findings.push_back(CheckLabelSet(files, run, teacher));
    }
  }
}

PlannedLoad LoadOf(const v1::PlanConfig& plan) {
  const v1::ProcessConfig& processes = plan.processes();
  PlannedLoad load;
  load.processes = static_cast<int>(processes.student_workers() +
                                    (AsksTeacherServers(plan) ? processes.teacher_servers() : 0));
  load.threads_each = static_cast<int>(processes.threads());
  return load;
}

std::vector<Finding> ProgramFindings(Machine& machine, FileSystem& files, const std::string& self) {
  const auto programs = FindPrograms(files, self);
  if (!programs.ok()) {
    return {Failed("programs", programs.status(), "keep the programs beside distillctl")};
  }
  return CheckPrograms(machine,
                       {programs->coordinator, programs->teacher_server, programs->student_worker,
                        programs->evaluate},
                       kVersion, BuildCommit());
}

}  // namespace

absl::StatusOr<std::vector<Finding>> Examine(Machine& machine, FileSystem& files,
                                             const DoctorRequest& request) {
  const Stopped stopped = request.stopped ? request.stopped : [] { return false; };
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
      CheckPlanFiles(files, *read, stopped, plan_findings);
      if (stopped()) return absl::CancelledError("stopped while it read the plan's files");
      plan = *std::move(read);
    } else {
      plan_findings.push_back(
          Failed("plan", read.status(), "correct it; distillctl config explain FIELD helps"));
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
