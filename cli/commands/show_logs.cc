#include "cli/commands/show_logs.h"

#include <memory>

#include "absl/cleanup/cleanup.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "cli/commands/end_of_logs.h"
#include "cli/logs/folder_watch.h"
#include "cli/logs/inotify_folder_watch.h"
#include "cli/logs/process_logs.h"
#include "common/rpc/transport.h"
#include "common/status/status_macros.h"
#include "coordinator/client/plan_watch.h"
#include "proto/coordinator.pb.h"

namespace distill {
namespace {

// Between two looks at what nobody woke us for.
constexpr absl::Duration kLook = absl::Seconds(10);

absl::Status Follow(Clock& clock, ShutdownSignal& shutdown, const RunDirectory& directory,
                    ProcessLogs& logs) {
  ASSIGN_OR_RETURN(const std::unique_ptr<FolderWatch> changes,
                   WatchFolders({directory.path(), directory.FilePath("logs")}));
  EndOfLogs end(&clock, &shutdown, &directory);
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
