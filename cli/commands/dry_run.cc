#include "cli/commands/dry_run.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "cli/local_run/plan_outcome.h"
#include "common/files/file_system.h"
#include "distillation/label_sets/identity.h"
#include "distillation/models/model_directory.h"
#include "distillation/run_config/teachers.h"

namespace distill {
namespace {

constexpr char kNothingDone[] = "nothing was started, contacted or written\n";

// "would start     ..." in a column.
void Line(std::string* text, std::string verb, const std::string& what) {
  verb.resize(std::max<size_t>(verb.size(), 16), ' ');
  absl::StrAppend(text, "would ", verb, what, "\n");
}

// One line for `count` alike: how many of which program, with what flags.
std::string Started(uint32_t count, const std::string& program, uint32_t threads) {
  return absl::StrCat(count, " x ", program,
                      threads > 0 ? absl::StrCat(" --threads ", threads) : "");
}

std::string Runs(const v1::PlanConfig& plan) {
  return absl::StrJoin(plan.runs(), ", ", [](std::string* out, const v1::RunConfig& run) {
    absl::StrAppend(out, run.name(), " (", run.training().steps(), " steps)");
  });
}

std::string Evaluation(const v1::PlanConfig& plan, const Programs& programs) {
  return Started(1, programs.evaluate, plan.processes().threads()) + ", once all runs are done";
}

void StartLines(const v1::PlanConfig& plan, const Programs& programs, std::string* text) {
  const v1::ProcessConfig& processes = plan.processes();
  Line(text, "start", Started(1, programs.coordinator, 0));
  Line(text, "start",
       Started(processes.student_workers(), programs.student_worker, processes.threads()));
  if (AsksTeacherServers(plan)) {
    Line(text, "start",
         Started(processes.teacher_servers(), programs.teacher_server, processes.threads()));
  }
  Line(text, "start", Evaluation(plan, programs));
  Line(text, "contact", absl::StrCat("these, on free ports of ", processes.bind_host()));
}

void ReadLines(const v1::PlanConfig& plan, std::string* text) {
  for (const v1::DataSetConfig& data_set : plan.data_sets()) {
    Line(text, "read", "the files of data set " + data_set.name());
  }
  for (const v1::RunConfig& run : plan.runs()) {
    for (const v1::TeacherConfig& teacher : run.teachers()) {
      if (IsRecorded(teacher)) Line(text, "read", "the label set " + teacher.recorded_labels());
    }
  }
}

std::string Results(const std::string& run_dir) {
  return absl::StrCat("checkpoints, exports, metrics, logs and the report below ", run_dir);
}

}  // namespace

std::string DryRunHere(const v1::PlanConfig& plan, const Programs& programs,
                       const std::string& run_dir) {
  std::string text;
  Line(&text, "make", run_dir + " with config.resolved.yaml");
  StartLines(plan, programs, &text);
  ReadLines(plan, &text);
  Line(&text, "train", Runs(plan));
  Line(&text, "write", Results(run_dir));
  return text + kNothingDone;
}

std::string DryRunElsewhere(const v1::PlanConfig& plan, const Programs& programs,
                            const std::string& coordinator, const std::string& run_dir) {
  std::string text;
  Line(&text, "contact",
       absl::StrCat("the coordinator at ", coordinator, ", and submit plan ", plan.name(),
                    " to it"));
  Line(&text, "write", run_dir + "/config.resolved.yaml");
  Line(&text, "train", Runs(plan) + ", by the workers that attend there");
  Line(&text, "start", Evaluation(plan, programs));
  Line(&text, "write", "at the end the report, below " + run_dir);
  return text + kNothingDone;
}

std::string DryResume(const v1::PlanConfig& plan, const Programs& programs,
                      const std::string& run_dir, bool done) {
  std::string text;
  if (done) {
    // Only it knows for sure that there is nothing left to do.
    Line(&text, "start", Started(1, programs.coordinator, 0));
    Line(&text, "contact",
         absl::StrCat("it, on a free port of ", plan.processes().bind_host(), ", which finds plan ",
                      plan.name(), " done"));
    Line(&text, "say", absl::StrCat("the report that is there: ", run_dir, "/report.md"));
    return text + kNothingDone;
  }
  StartLines(plan, programs, &text);
  ReadLines(plan, &text);
  Line(&text, "train", Runs(plan) + ", each from its last committed checkpoint");
  Line(&text, "write", Results(run_dir));
  return text + kNothingDone;
}

std::string DryResumeElsewhere(const v1::PlanConfig& plan, const Programs& programs,
                               const std::string& coordinator, const std::string& run_dir) {
  std::string text;
  Line(&text, "contact",
       absl::StrCat("the coordinator at ", coordinator, ", and have it go on with plan ",
                    plan.name(), " where that was stopped or has failed"));
  Line(&text, "train",
       Runs(plan) + ", each from its last committed checkpoint, by the workers that attend there");
  Line(&text, "start", Evaluation(plan, programs));
  Line(&text, "write", "at the end the report, below " + run_dir);
  return text + kNothingDone;
}

std::string DryStop(const v1::PlanConfig& plan, const std::vector<ProcessEntry>& processes,
                    const std::string& coordinator, const std::string& run_dir) {
  std::string text;
  std::string address = coordinator;
  for (const ProcessEntry& process : processes) {
    if (process.role == "coordinator" && address.empty()) address = process.address;
  }
  if (address.empty()) {
    return absl::StrCat("nothing that distillctl started runs in ", run_dir,
                        " on this machine: there is nothing to stop\n");
  }
  Line(&text, "contact", "the coordinator at " + address);
  Line(&text, "stop", absl::StrCat("plan ", plan.name(), ": ", Runs(plan)));
  for (const ProcessEntry& process : processes) {
    if (!coordinator.empty()) break;
    Line(&text, process.role == "distillctl" ? "signal" : "end",
         absl::StrCat(process.name, " (pid ", process.pid, ")"));
  }
  Line(&text, "keep",
       absl::StrCat("everything below ", run_dir,
                    "; to continue: ", ResumeText(run_dir, coordinator)));
  return text + kNothingDone;
}

std::string DryLabel(const LabelCommand& command, const v1::PlanConfig& plan,
                     const RecordingPlan& recording, const Programs& programs) {
  std::string text;
  const LabelSetIdentity& identity = recording.identity;
  if (command.teachers.empty()) {
    const v1::ProcessConfig& processes = plan.processes();
    const auto chosen = [](int asked, uint32_t planned) {
      return asked > 0 ? static_cast<uint32_t>(asked) : std::max<uint32_t>(1, planned);
    };
    Line(&text, "start",
         Started(chosen(command.teacher_servers, processes.teacher_servers()),
                 programs.teacher_server, chosen(command.threads, processes.threads())));
    Line(&text, "contact", absl::StrCat("these, on free ports of ", processes.bind_host()));
  } else {
    Line(&text, "contact", "the teacher servers at " + absl::StrJoin(command.teachers, ", "));
  }
  Line(&text, "read",
       absl::StrCat("the model of ", recording.order.model(), " below ", command.run_dir,
                    " and its data"));
  Line(&text, "record",
       absl::StrCat(identity.rows(), " rows of ", identity.classes, " classes as ", identity.codec,
                    ", ", identity.blocks(), " blocks of ", identity.block_rows));
  Line(&text, "write", absl::StrCat(command.out, ", and logs in ", command.out, ".recording"));
  return text + kNothingDone;
}

std::string DryManifest(const std::string& folder) {
  std::string text;
  Line(&text, "write", JoinPath(folder, kModelManifestFile));
  return text + kNothingDone;
}

}  // namespace distill
