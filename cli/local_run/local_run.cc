#include "cli/local_run/local_run.h"

#include <unistd.h>

#include <algorithm>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/cleanup/cleanup.h"
#include "absl/strings/str_cat.h"
#include "absl/synchronization/mutex.h"
#include "cli/command_line/model_flags.h"
#include "cli/errors/failure_text.h"
#include "cli/launcher/supervisor.h"
#include "cli/local_run/lost_process.h"
#include "cli/local_run/plan_outcome.h"
#include "cli/process/process_flags.h"
#include "cli/progress/plan_view.h"
#include "common/status/status_macros.h"
#include "coordinator/client/coordinator_client.h"
#include "coordinator/client/plan_watch.h"
#include "distillation/run_config/digests.h"
#include "distillation/run_config/teachers.h"

namespace distill {
namespace {

constexpr absl::Duration kStartTimeout = absl::Seconds(60);
constexpr absl::Duration kStopGrace = absl::Seconds(25);
// Between two looks at what nobody woke us for.
constexpr absl::Duration kLook = absl::Seconds(5);

// For the answer of a coordinator that may hang.
constexpr absl::Duration kLastQuestion = absl::Seconds(1);

constexpr char kCoordinator[] = "coordinator";

// What the watch heard last. Thread-safe.
class Latest {
 public:
  void Set(const v1::PlanStatus& status) {
    absl::MutexLock lock(&mu_);
    status_ = status;
  }
  std::optional<v1::PlanStatus> Get() const {
    absl::MutexLock lock(&mu_);
    return status_;
  }

 private:
  mutable absl::Mutex mu_;
  std::optional<v1::PlanStatus> status_ ABSL_GUARDED_BY(mu_);
};

class LocalRun {
 public:
  LocalRun(const LocalRunTools& tools, RunDirectory& directory, const v1::PlanConfig& plan,
           PlanView& view)
      : tools_(tools),
        view_(view),
        directory_(directory),
        plan_(plan),
        supervisor_(tools.clock),
        began_(tools.clock->MonotonicNow()) {}

  Outcome Run() {
    tools_.shutdown->OnRequest([this] {
      view_.OnInterrupt();
      supervisor_.Interrupt();
    });
    const absl::Cleanup forget = [this] { tools_.shutdown->OnRequest(nullptr); };
    Outcome outcome = Begin();
    const bool was_done = Finished();
    if (outcome.code == ExitCode::kDone) outcome = Watch();
    view_.Close();
    if (tools_.shutdown->requested()) {
      tools_.say("stopping what runs here; a second signal ends it at once");
    }
    if (outcome.code != ExitCode::kDone) AskOnceMore();
    // Whoever looks while the models are compared asks the coordinator.
    StopProcesses(outcome.code == ExitCode::kDone ? kCoordinator : "");
    if (outcome.code == ExitCode::kDone && !(was_done && SayFormerReport(tools_, directory_))) {
      outcome = CompareModels(tools_, directory_, plan_, began_, HowToGoOn());
    }
    StopProcesses();
    // Without a coordinator of its own the list may be that of another distillctl.
    if (coordinator_address_.empty()) return outcome;
    processes_.clear();
    if (const absl::Status status = WriteWhatIsLeft(outcome); !status.ok()) {
      tools_.say(std::string(status.message()));
    }
    return outcome;
  }

 private:
  bool Finished() const {
    const std::optional<v1::PlanStatus> status = latest_.Get();
    return status.has_value() && status->state() == v1::PlanStatus::FINISHED;
  }
  Outcome Failure(const absl::Status& status) {
    const ExitCode code = ExitCodeOf(status);
    return {code,
            absl::StrCat(WithSomeId(status, code), "\nOnce the cause is gone, ", HowToGoOn())};
  }
  std::string HowToGoOn() const {
    return absl::StrCat("continue with: ", ResumeText(directory_.path(), /*coordinator=*/""));
  }
  Outcome Interrupted() {
    const std::string reason = tools_.shutdown->reason();
    const ExitCode code = ExitCodeOfInterruption(reason);
    return {code, absl::StrCat(WithSomeId("stopped by " + reason, code), "; ", HowToGoOn())};
  }

  Outcome Begin() {
    const absl::Status status = StartAll();
    if (status.ok()) return {};
    return tools_.shutdown->requested() ? Interrupted() : Failure(status);
  }

  absl::Status StartAll() {
    RETURN_IF_ERROR(StartCoordinator());
    ASSIGN_OR_RETURN(const v1::PlanStatus plan_status, SubmitAndGet());
    Hear(plan_status);
    if (plan_status.state() != v1::PlanStatus::RUNNING) return absl::OkStatus();
    RETURN_IF_ERROR(StartWorkers());
    ASSIGN_OR_RETURN(watch_, PlanWatch::Start(
                                 coordinator_address_, {},
                                 [this](const v1::PlanStatus& status) {
                                   Hear(status);
                                   if (status.state() != v1::PlanStatus::RUNNING) {
                                     supervisor_.Wake();
                                   }
                                 },
                                 [](const absl::Status&) {}));
    return absl::OkStatus();
  }

  // For what is told of the plan later: a watch is up to a second behind. Without a retry, since
  // the processes are to stop.
  void AskOnceMore() {
    watch_.reset();
    if (!supervisor_.Running().contains(kCoordinator)) return;
    CoordinatorClientOptions options;
    options.coordinator = coordinator_address_;
    options.retry.budget = kLastQuestion;
    const auto client = CoordinatorClient::Create(
        options, {tools_.clock, tools_.random, [](absl::Duration) { return false; }});
    if (!client.ok()) return;
    if (const auto status = (*client)->GetPlan(); status.ok()) latest_.Set(*status);
  }

  void Hear(const v1::PlanStatus& status) {
    latest_.Set(status);
    view_.OnStatus(status);
  }

  absl::Status Start(const std::string& role, const std::string& name, int rank,
                     std::vector<std::string> argv) {
    ProcessSpec spec;
    spec.name = name;
    spec.argv = std::move(argv);
    spec.log_path = directory_.LogPath(name);
    spec.reports_ready = true;
    ASSIGN_OR_RETURN(const std::string line, supervisor_.Start(spec, kStartTimeout));
    ProcessEntry entry;
    entry.role = role;
    entry.name = name;
    entry.rank = rank;
    entry.pid = supervisor_.Running()[name];
    const auto json = nlohmann::json::parse(line, nullptr, /*allow_exceptions=*/false);
    if (json.is_object()) {
      entry.address = json.value("address", "");
      entry.ops_address = json.value("ops_address", "");
    }
    processes_.push_back(entry);
    return WriteLists();
  }

  absl::Status WriteWhatIsLeft(const Outcome& outcome) {
    const std::optional<v1::PlanStatus> last = latest_.Get();
    absl::Status written;
    if (outcome.code != ExitCode::kDone && last.has_value()) {
      written = directory_.WriteLastStatus(StatusWhenLeft(*last, outcome, tools_.clock->WallNow()));
    }
    // Whatever became of the other: nothing runs.
    written.Update(WriteLists());
    return written;
  }

  // Of what runs now, for people and for Prometheus.
  absl::Status WriteLists() {
    RETURN_IF_ERROR(directory_.WriteProcesses(processes_));
    return directory_.WriteMetricsTargets(plan_.name(), processes_);
  }

  // An address of plan_.processes.bind_host with a free port.
  std::string AnyPort() const { return absl::StrCat(plan_.processes().bind_host(), ":0"); }

  absl::Status StartCoordinator() {
    processes_.push_back({"distillctl", "distillctl", 0, getpid(), "", ""});
    RETURN_IF_ERROR(Start(kCoordinator, kCoordinator, 0,
                          {tools_.programs.coordinator, "--run-dir", directory_.path(), "--name",
                           kCoordinator, "--listen", AnyPort(), "--ops-listen", AnyPort()}));
    coordinator_address_ = processes_.back().address;
    RETURN_IF_ERROR(directory_.ForgetLastStatus());
    CoordinatorClientOptions options;
    options.coordinator = coordinator_address_;
    options.retry.budget = absl::Seconds(10);
    ASSIGN_OR_RETURN(client_, CoordinatorClient::Create(
                                  options, {tools_.clock, tools_.random, [this](absl::Duration d) {
                                              return !tools_.shutdown->WaitFor(d);
                                            }}));
    return absl::OkStatus();
  }

  // The same key for the same plan: what runs here already is found again.
  absl::StatusOr<v1::PlanStatus> SubmitAndGet() {
    v1::SubmitPlanRequest request;
    request.set_idempotency_key(PlanDigest(plan_));
    *request.mutable_plan() = plan_;
    RETURN_IF_ERROR(client_->SubmitPlan(request).status());
    ASSIGN_OR_RETURN(v1::PlanStatus status, client_->GetPlan());
    if (status.state() == v1::PlanStatus::FAILED || status.state() == v1::PlanStatus::STOPPED) {
      RETURN_IF_ERROR(
          client_->ResumePlan(absl::StrCat("resume-", absl::FormatTime(tools_.clock->WallNow()))));
      ASSIGN_OR_RETURN(status, client_->GetPlan());
    }
    return status;
  }

  // Of a process that computes models.
  std::vector<std::string> WithModelFlags(std::vector<std::string> argv) const {
    for (std::string& argument : ArgumentsOf(tools_.models)) argv.push_back(std::move(argument));
    return argv;
  }

  absl::Status StartWorkers() {
    const v1::ProcessConfig& processes = plan_.processes();
    const std::string threads = absl::StrCat(processes.threads());
    for (int i = 0; i < static_cast<int>(processes.student_workers()); ++i) {
      const std::string name = absl::StrCat("student-", i);
      RETURN_IF_ERROR(
          Start("student_worker", name, i,
                WithModelFlags({tools_.programs.student_worker, "--run-dir", directory_.path(),
                                "--name", name, "--coordinator", coordinator_address_,
                                "--bind-host", processes.bind_host(), "--ops-listen", AnyPort(),
                                "--threads", threads})));
    }
    const int teachers =
        AsksTeacherServers(plan_) ? static_cast<int>(processes.teacher_servers()) : 0;
    for (int i = 0; i < teachers; ++i) {
      const std::string name = absl::StrCat("teacher-", i);
      RETURN_IF_ERROR(
          Start("teacher_server", name, i,
                WithModelFlags({tools_.programs.teacher_server, "--run-dir", directory_.path(),
                                "--name", name, "--coordinator", coordinator_address_, "--listen",
                                AnyPort(), "--ops-listen", AnyPort(), "--threads", threads})));
    }
    return absl::OkStatus();
  }

  Outcome Watch() {
    while (true) {
      const std::optional<v1::PlanStatus> status = latest_.Get();
      if (status.has_value() && status->state() != v1::PlanStatus::RUNNING) {
        return OutcomeOfPlan(*status, directory_.path(), /*coordinator=*/"");
      }
      if (tools_.shutdown->requested()) return Interrupted();
      const std::optional<ProcessExit> exit = supervisor_.WaitForExit(kLook);
      if (!exit.has_value()) continue;
      if (const std::optional<Outcome> outcome = OnExit(*exit); outcome.has_value()) {
        return *outcome;
      }
    }
  }

  // Nothing: go on. Any teacher may go as long as one is left; a run without its
  // coordinator or a rank cannot go on here.
  std::optional<Outcome> OnExit(const ProcessExit& exit) {
    const auto entry =
        std::find_if(processes_.begin(), processes_.end(),
                     [&](const ProcessEntry& process) { return process.name == exit.name; });
    if (entry == processes_.end()) return std::nullopt;
    const std::string role = entry->role;
    processes_.erase(entry);
    const absl::Status written = WriteLists();
    if (!written.ok()) view_.Say(std::string(written.message()));
    if (role != kCoordinator) {
      // With the plan's end processes leave by themselves.
      const auto status = client_->GetPlan();
      if (status.ok() && status->state() != v1::PlanStatus::RUNNING) {
        Hear(*status);
        return std::nullopt;
      }
    }
    const bool teacher = role == "teacher_server";
    const bool others =
        std::any_of(processes_.begin(), processes_.end(),
                    [](const ProcessEntry& process) { return process.role == "teacher_server"; });
    if (teacher && others) {
      view_.Say(absl::StrCat(exit.Describe(), "; the other teacher servers go on"));
      return std::nullopt;
    }
    return Outcome{ExitCode::kRunFailed,
                   absl::StrCat(WhyLost(exit, directory_.LogPath(exit.name)), "\n", HowToGoOn())};
  }

  void StopProcesses(const std::string& but = "") {
    watch_.reset();
    for (const std::string& name : supervisor_.StopAll(kStopGrace, but)) {
      tools_.say(absl::StrCat(name, " did not stop in time and was killed"));
    }
  }

  const LocalRunTools& tools_;
  PlanView& view_;
  RunDirectory& directory_;
  const v1::PlanConfig& plan_;
  Supervisor supervisor_;
  const absl::Duration began_;
  std::vector<ProcessEntry> processes_;
  std::string coordinator_address_;
  std::unique_ptr<CoordinatorClient> client_;
  Latest latest_;
  std::unique_ptr<PlanWatch> watch_;
};

}  // namespace

Outcome RunLocally(const LocalRunTools& tools, RunDirectory& directory, const v1::PlanConfig& plan,
                   PlanView& view) {
  return LocalRun(tools, directory, plan, view).Run();
}

}  // namespace distill
