#include "cli/commands/show_logs.h"

#include <memory>

#include "absl/base/thread_annotations.h"
#include "absl/cleanup/cleanup.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "cli/logs/folder_watch.h"
#include "cli/logs/inotify_folder_watch.h"
#include "cli/logs/process_logs.h"
#include "common/rpc/transport.h"
#include "common/status/status_macros.h"
#include "coordinator/client/plan_watch.h"
#include "proto/coordinator.pb.h"

namespace distill {
namespace {

// From the plan's end to that of its processes, which drain.
constexpr absl::Duration kDrainGrace = absl::Minutes(1);
// Between two looks at what nobody woke us for.
constexpr absl::Duration kLook = absl::Seconds(10);

// When there is nothing to follow any more. Thread-safe.
class End {
 public:
  End(Clock* clock, const ShutdownSignal* shutdown, const RunDirectory* directory)
      : clock_(clock), shutdown_(shutdown), directory_(directory) {}

  void OnPlanEnd(const absl::Status& status) ABSL_LOCKS_EXCLUDED(mu_) {
    absl::MutexLock lock(&mu_);
    // Without its coordinator nothing goes on here.
    deadline_ = clock_->MonotonicNow() + (status.ok() ? kDrainGrace : absl::ZeroDuration());
  }

  bool Reached() ABSL_LOCKS_EXCLUDED(mu_) {
    if (shutdown_->requested()) return true;
    const auto processes = directory_->ReadProcesses();
    if (!processes.ok() || processes->empty()) return true;
    absl::MutexLock lock(&mu_);
    return clock_->MonotonicNow() >= deadline_;
  }

 private:
  Clock* const clock_;
  const ShutdownSignal* const shutdown_;
  const RunDirectory* const directory_;
  absl::Mutex mu_;
  absl::Duration deadline_ ABSL_GUARDED_BY(mu_) = absl::InfiniteDuration();
};

absl::Status Follow(Clock& clock, ShutdownSignal& shutdown, const RunDirectory& directory,
                    ProcessLogs& logs) {
  ASSIGN_OR_RETURN(const std::unique_ptr<FolderWatch> changes,
                   WatchFolders({directory.path(), directory.FilePath("logs")}));
  End end(&clock, &shutdown, &directory);
  shutdown.OnRequest([&] { changes->Wake(); });
  const absl::Cleanup forget = [&] { shutdown.OnRequest(nullptr); };
  std::unique_ptr<PlanWatch> plan;
  if (const auto coordinator = directory.CoordinatorAddress(); coordinator.ok()) {
    TransportOptions transport;
    transport.allow_plaintext_off_loopback = true;  // as the plan has it
    ASSIGN_OR_RETURN(plan, PlanWatch::Start(
                               *coordinator, transport, [](const v1::PlanStatus&) {},
                               [&](const absl::Status& status) {
                                 end.OnPlanEnd(status);
                                 changes->Wake();
                               }));
  }
  RETURN_IF_ERROR(FollowLogs(logs, *changes, kLook, [&] { return end.Reached(); }));
  return shutdown.requested() ? absl::CancelledError("interrupted") : absl::OkStatus();
}

}  // namespace

absl::Status ShowLogs(FileSystem& files, Clock& clock, ShutdownSignal& shutdown,
                      const RunDirectory& directory, const ShowLogsRequest& request,
                      const std::function<void(const std::string&)>& print) {
  ProcessLogsOptions options;
  options.folder = directory.FilePath("logs");
  options.process = request.process;
  options.tail = request.tail;
  ProcessLogs logs(&files, options, print);
  RETURN_IF_ERROR(logs.PrintFirst());
  return request.follow ? Follow(clock, shutdown, directory, logs) : logs.PrintMore(/*last=*/true);
}

}  // namespace distill
