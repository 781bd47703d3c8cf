#include "cli/run_directory/run_directory.h"

#include <google/protobuf/util/json_util.h>

#include <nlohmann/json.hpp>
#include <optional>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "common/config/config_reader.h"
#include "common/config/config_writer.h"
#include "common/status/error_id.h"
#include "common/status/status_macros.h"

namespace distill {
namespace {

constexpr char kJournalFile[] = "coordinator.sqlite";
constexpr char kSubmittedFile[] = "submitted_to.txt";
constexpr char kPlanFile[] = "config.resolved.yaml";
constexpr char kProcessesFile[] = "processes.json";
constexpr char kTargetsFile[] = "metrics_targets.json";
constexpr char kLastStatusFile[] = "last_status.json";
constexpr size_t kMaxFileBytes = size_t{1} << 20;

using Json = nlohmann::ordered_json;

// The number behind the last colon; null where there is none.
Json PortOf(const std::string& address) {
  const size_t colon = address.rfind(':');
  int port = 0;
  if (colon == std::string::npos || !absl::SimpleAtoi(address.substr(colon + 1), &port)) return {};
  return port;
}

// Fields of what people may have edited: empty and 0 for another type.
std::string TextOf(const Json& entry, const char* field) {
  const auto it = entry.find(field);
  return it != entry.end() && it->is_string() ? it->get<std::string>() : "";
}
int64_t NumberOf(const Json& entry, const char* field) {
  const auto it = entry.find(field);
  return it != entry.end() && it->is_number_integer() ? it->get<int64_t>() : 0;
}

}  // namespace

std::string RunDirectory::LogPath(const std::string& process) const {
  return JoinPath(JoinPath(path_, "logs"), process + ".log");
}

absl::Status RunDirectory::CheckNew() const {
  ASSIGN_OR_RETURN(const bool exists, files_->Exists(path_));
  if (exists) {
    ASSIGN_OR_RETURN(const std::vector<std::string> names, files_->List(path_));
    if (!names.empty()) {
      return WithErrorId(
          absl::AlreadyExistsError(
              absl::StrCat(path_, " is not empty; continue what is there with 'distillctl resume ",
                           path_, "', or choose another --run-dir")),
          ErrorId::kRunDirectoryNotEmpty);
    }
  }
  return absl::OkStatus();
}

absl::Status RunDirectory::Create(const v1::PlanConfig& plan) {
  RETURN_IF_ERROR(CheckNew());
  RETURN_IF_ERROR(files_->MakeDirectories(JoinPath(path_, "logs")));
  return WriteFileAtomically(*files_, FilePath(kPlanFile), RenderYaml(plan));
}

absl::Status RunDirectory::CheckAdoptable(const v1::PlanConfig& plan) const {
  const auto former = ReadPlan();
  if (former.ok() && RenderYaml(*former) != RenderYaml(plan)) {
    return WithErrorId(absl::AlreadyExistsError(absl::StrCat(
                           path_, " holds another plan; give this one a --run-dir of its own")),
                       ErrorId::kAnotherPlanHere);
  }
  if (!former.ok() && !absl::IsNotFound(former.status())) return former.status();
  return absl::OkStatus();
}

absl::Status RunDirectory::Adopt(const v1::PlanConfig& plan, const Submission& submission) {
  RETURN_IF_ERROR(CheckAdoptable(plan));
  RETURN_IF_ERROR(files_->MakeDirectories(JoinPath(path_, "logs")));
  RETURN_IF_ERROR(
      WriteFileAtomically(*files_, FilePath(kSubmittedFile),
                          absl::StrCat(submission.coordinator, "\n", submission.plan_id, "\n")));
  return WriteFileAtomically(*files_, FilePath(kPlanFile), RenderYaml(plan));
}

absl::StatusOr<std::optional<Submission>> RunDirectory::FindSubmission() const {
  const auto text = files_->Read(FilePath(kSubmittedFile), kMaxFileBytes);
  if (absl::IsNotFound(text.status())) return std::nullopt;
  if (!text.ok()) return text.status();
  const std::vector<std::string> lines = absl::StrSplit(*text, '\n');
  Submission submission;
  submission.coordinator = lines[0];
  if (lines.size() > 1) submission.plan_id = lines[1];
  return submission;
}

absl::Status RunDirectory::CheckResumable(const v1::PlanConfig& plan) const {
  ASSIGN_OR_RETURN(const std::optional<Submission> submission, FindSubmission());
  if (submission.has_value()) {
    const std::string& coordinator = submission->coordinator;
    return WithErrorId(absl::FailedPreconditionError(absl::StrCat(
                           "the plan in ", path_, " was submitted to the coordinator at ",
                           coordinator, ", which alone can go on with it: distillctl resume ",
                           path_, " --coordinator ", coordinator)),
                       ErrorId::kPlanRunsElsewhere);
  }
  ASSIGN_OR_RETURN(const bool has_journal, files_->Exists(FilePath(kJournalFile)));
  if (has_journal) return absl::OkStatus();
  for (const v1::RunConfig& run : plan.runs()) {
    const std::string folder = FilePath(run.name());
    for (const char* part : {"checkpoints", "export"}) {
      ASSIGN_OR_RETURN(const bool exists, files_->Exists(JoinPath(folder, part)));
      if (!exists) continue;
      return WithErrorId(
          absl::DataLossError(absl::StrCat(
              FilePath(kJournalFile), ", the journal of what was committed, is missing, and ",
              JoinPath(folder, part), " is there: to resume would be to begin again over it. Put ",
              "the journal back, or run the plan in a new --run-dir")),
          ErrorId::kJournalMissing);
    }
  }
  return absl::OkStatus();
}

absl::StatusOr<v1::PlanConfig> RunDirectory::ReadPlan() const {
  const std::string path = FilePath(kPlanFile);
  const auto text = files_->Read(path, kMaxFileBytes);
  if (absl::IsNotFound(text.status())) {
    return WithErrorId(
        absl::NotFoundError(absl::StrCat(path_, " holds no plan (", kPlanFile,
                                         " is missing); start one with 'distillctl run'")),
        ErrorId::kNoPlanHere);
  }
  if (!text.ok()) return text.status();
  v1::PlanConfig plan;
  PositionMap positions;
  RETURN_IF_ERROR(ParseConfig(*text, path, &plan, &positions));
  return plan;
}

absl::Status RunDirectory::WriteProcesses(const std::vector<ProcessEntry>& processes) {
  Json list = Json::array();
  for (const ProcessEntry& process : processes) {
    list.push_back(Json{{"role", process.role},
                        {"name", process.name},
                        {"rank", process.rank},
                        {"pid", process.pid},
                        {"address", process.address},
                        {"port", PortOf(process.address)},
                        {"ops_address", process.ops_address},
                        {"ops_port", PortOf(process.ops_address)}});
  }
  return WriteFileAtomically(*files_, FilePath(kProcessesFile), list.dump(2) + "\n");
}

absl::Status RunDirectory::WriteMetricsTargets(const std::string& plan,
                                               const std::vector<ProcessEntry>& processes) {
  Json list = Json::array();
  for (const ProcessEntry& process : processes) {
    if (process.ops_address.empty()) continue;
    list.push_back(Json{{"targets", Json::array({process.ops_address})},
                        {"labels", Json{{"plan", plan}, {"process", process.name}}}});
  }
  return WriteFileAtomically(*files_, FilePath(kTargetsFile), list.dump(2) + "\n");
}

absl::StatusOr<std::vector<ProcessEntry>> RunDirectory::ReadProcesses() const {
  const std::string path = FilePath(kProcessesFile);
  const auto text = files_->Read(path, kMaxFileBytes);
  std::vector<ProcessEntry> processes;
  if (absl::IsNotFound(text.status())) return processes;
  if (!text.ok()) return text.status();
  const Json list = Json::parse(*text, nullptr, /*allow_exceptions=*/false);
  if (!list.is_array()) {
    return WithErrorId(absl::DataLossError(absl::StrCat(path, " is damaged; remove it")),
                       ErrorId::kProcessListDamaged);
  }
  for (const Json& entry : list) {
    if (!entry.is_object()) continue;
    ProcessEntry process;
    process.role = TextOf(entry, "role");
    process.name = TextOf(entry, "name");
    process.rank = static_cast<int>(NumberOf(entry, "rank"));
    process.pid = NumberOf(entry, "pid");
    process.address = TextOf(entry, "address");
    process.ops_address = TextOf(entry, "ops_address");
    processes.push_back(std::move(process));
  }
  return processes;
}

absl::Status RunDirectory::WriteLastStatus(const v1::LastStatus& status) {
  google::protobuf::util::JsonPrintOptions options;
  options.add_whitespace = true;
  options.preserve_proto_field_names = true;
  std::string json;
  const auto printed = google::protobuf::util::MessageToJsonString(status, &json, options);
  if (!printed.ok()) return absl::InternalError(printed.ToString());
  return WriteFileAtomically(*files_, FilePath(kLastStatusFile), json);
}

absl::Status RunDirectory::ForgetLastStatus() {
  return files_->RemoveTree(FilePath(kLastStatusFile));
}

absl::StatusOr<v1::LastStatus> RunDirectory::ReadLastStatus() const {
  ASSIGN_OR_RETURN(const std::vector<ProcessEntry> processes, ReadProcesses());
  if (!processes.empty()) return absl::NotFoundError(absl::StrCat("processes run in ", path_));
  const std::string path = FilePath(kLastStatusFile);
  ASSIGN_OR_RETURN(const std::string text, files_->Read(path, kMaxFileBytes));
  google::protobuf::util::JsonParseOptions options;
  options.ignore_unknown_fields = true;
  v1::LastStatus status;
  const auto parsed = google::protobuf::util::JsonStringToMessage(text, &status, options);
  if (!parsed.ok()) return absl::DataLossError(absl::StrCat(path, " is damaged; remove it"));
  return status;
}

bool RunDirectory::IsDone() const {
  const auto report = files_->Exists(FilePath("report.md"));
  const auto processes = ReadProcesses();
  return report.ok() && *report && processes.ok() && processes->empty();
}

absl::StatusOr<std::string> RunDirectory::CoordinatorAddress() const {
  ASSIGN_OR_RETURN(const std::vector<ProcessEntry> processes, ReadProcesses());
  for (const ProcessEntry& process : processes) {
    if (process.role == "coordinator") return process.address;
  }
  return WithErrorId(
      absl::UnavailableError(absl::StrCat(
          "nothing that distillctl started runs in ", path_,
          " on this machine. Continue with: distillctl resume ", path_,
          "; or name the coordinator that was started by hand: --coordinator HOST:PORT")),
      ErrorId::kNothingRunsHere);
}

}  // namespace distill
