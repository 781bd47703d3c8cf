// The folder of one plan: what lies where, and which processes run now.
//
//   config.resolved.yaml   the plan with every default
//   coordinator.sqlite     the coordinator's journal
//   submitted_to.txt       the coordinator elsewhere that has the plan, and its journal
//   processes.json         what runs now on this machine
//   metrics_targets.json   of these, what Prometheus can scrape
//   last_status.json       how the plan stood when its processes left before its end
//   logs/<process>.log     what each process said
//   <run>/                 metrics, checkpoints, export
//   report.{json,md,html}  the outcome
#ifndef CLI_RUN_DIRECTORY_RUN_DIRECTORY_H_
#define CLI_RUN_DIRECTORY_RUN_DIRECTORY_H_

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "common/files/file_system.h"
#include "proto/report.pb.h"
#include "proto/run_config.pb.h"

namespace distill {

struct ProcessEntry {
  // "distillctl", "coordinator", "teacher_server" or "student_worker".
  std::string role;
  std::string name;
  // Which of its role: 0, 1, ...; of a student worker its rank in a full world.
  int rank = 0;
  int64_t pid = 0;
  // Where it serves; empty where it does not.
  std::string address;
  std::string ops_address;
};

// Of a plan to a coordinator that was started by hand.
struct Submission {
  // host:port.
  std::string coordinator;
  // What that calls the plan, and no other plan of its journal. Empty where it is not known.
  std::string plan_id;
};

// Thread-compatible. Does not own the file system.
class RunDirectory {
 public:
  RunDirectory(FileSystem* files, std::string path) : files_(files), path_(std::move(path)) {}

  const std::string& path() const { return path_; }
  std::string LogPath(const std::string& process) const;
  std::string FilePath(const std::string& name) const { return JoinPath(path_, name); }

  // Whether Create would find the folder new or empty; ALREADY_EXISTS as there.
  absl::Status CheckNew() const;
  // Makes the folder and writes the plan. ALREADY_EXISTS: it is there and not empty; the
  // message says what to do.
  absl::Status Create(const v1::PlanConfig& plan);
  // Whether Adopt would take the plan; errors as there.
  absl::Status CheckAdoptable(const v1::PlanConfig& plan) const;
  // Writes the plan, and which coordinator has it, into a folder that this coordinator's workers
  // may use already. ALREADY_EXISTS: there is another plan in it.
  absl::Status Adopt(const v1::PlanConfig& plan, const Submission& submission);
  // Of the last Adopt; nothing: there was none.
  absl::StatusOr<std::optional<Submission>> FindSubmission() const;
  // Whether a coordinator that is started here can go on with the plan. FAILED_PRECONDITION:
  // another has it. DATA_LOSS: the journal of what is there is missing.
  absl::Status CheckResumable(const v1::PlanConfig& plan) const;
  // The plan as it was created. NOT_FOUND: no plan was ever started here.
  absl::StatusOr<v1::PlanConfig> ReadPlan() const;

  // processes.json: a list, with "port" and "ops_port" beside the addresses.
  absl::Status WriteProcesses(const std::vector<ProcessEntry>& processes);
  // metrics_targets.json, in the form of Prometheus' file_sd: the ops ports, each with the
  // labels `plan` and `process`.
  absl::Status WriteMetricsTargets(const std::string& plan,
                                   const std::vector<ProcessEntry>& processes);
  // Empty where there is no such file.
  absl::StatusOr<std::vector<ProcessEntry>> ReadProcesses() const;
  // How the plan was left, for whoever asks when nothing runs; forgotten once its processes run.
  absl::Status WriteLastStatus(const v1::LastStatus& status);
  absl::Status ForgetLastStatus();
  // NOT_FOUND: something runs, or nothing was written. DATA_LOSS: the file is damaged; remove it.
  absl::StatusOr<v1::LastStatus> ReadLastStatus() const;
  // Whether the plan was run here to its end: it has a report, and nothing runs.
  bool IsDone() const;
  // Where the coordinator of these serves. UNAVAILABLE: none runs here; the message says what
  // to do.
  absl::StatusOr<std::string> CoordinatorAddress() const;

 private:
  FileSystem* const files_;
  const std::string path_;
};

}  // namespace distill

#endif  // CLI_RUN_DIRECTORY_RUN_DIRECTORY_H_
