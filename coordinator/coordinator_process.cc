#include "coordinator/coordinator_process.h"

#include <memory>
#include <utility>

#include "absl/cleanup/cleanup.h"
#include "cli/plan_file/plan_file.h"
#include "cli/process/process_runtime.h"
#include "common/executor/thread_executor.h"
#include "common/files/posix_file_system.h"
#include "common/rpc/server.h"
#include "common/status/annotate.h"
#include "common/status/error_id.h"
#include "common/status/status_macros.h"
#include "coordinator/coordinator_metrics.h"
#include "coordinator/service/coordinator_service.h"
#include "coordinator/service/driver.h"
#include "coordinator/store/sqlite_store.h"
#include "distillation/run_config/digests.h"

namespace distill {
namespace {

constexpr absl::Duration kShutdownGrace = absl::Seconds(2);

CoordinatorOptions Options() {
  CoordinatorOptions options;
  options.resolve_plan = [](const v1::PlanConfig& plan) { return ResolveAndCheckPlan(plan); };
  options.data_set_digest = [](const v1::DataSetConfig& data_set) {
    return DataSetDigest(data_set);
  };
  return options;
}

}  // namespace

absl::Status RunCoordinator(const ProcessFlags& flags, ShutdownSignal& shutdown) {
  ASSIGN_OR_RETURN(const std::unique_ptr<ProcessRuntime> runtime,
                   ProcessRuntime::Start(ProcessKind::kCoordinator, flags));
  PosixFileSystem files;
  RETURN_IF_ERROR(files.MakeDirectories(flags.run_dir));
  ASSIGN_OR_RETURN(const std::unique_ptr<Store> store,
                   OpenSqliteStore(JoinPath(flags.run_dir, "coordinator.sqlite")));
  Rendezvous rendezvous;
  ASSIGN_OR_RETURN(std::unique_ptr<Coordinator> coordinator,
                   Coordinator::Start(store.get(), &rendezvous, Options(),
                                      absl::UnixEpoch() + runtime->clock().MonotonicNow()));
  const auto metrics =
      std::make_shared<CoordinatorMetrics>(&runtime->metrics(), coordinator->state().fence());

  ThreadExecutor executor({.name = "coordinator", .threads = 1, .max_queued = 16384});
  Driver driver(std::move(coordinator), &executor, &runtime->timers(), &runtime->clock(),
                [&](const absl::Status& status) {
                  shutdown.Request("another coordinator took over", status);
                });
  // Nothing runs in the driver when it goes, however this function ends.
  const absl::Cleanup stop = [&] {
    executor.Stop();
    runtime->StopTimers();
  };
  CoordinatorServiceImpl service(&driver, &rendezvous);
  AdminServiceImpl admin(&driver);
  ASSIGN_OR_RETURN(const std::unique_ptr<RpcServer> server,
                   RpcServer::Start({.listen = flags.listen,
                                     .transport = runtime->transport(),
                                     .services = {&service, &admin}}));
  RETURN_IF_ERROR(driver.Begin());
  RETURN_IF_ERROR(driver.Watch(metrics));
  server->SetServing(true);
  runtime->SetState(ProcessRuntime::State::kReady, "");
  RETURN_IF_ERROR(runtime->NotifyStarted(server->address()));
  LogLine(runtime->clock(), flags.name, "serves on " + server->address());

  shutdown.Wait();
  LogLine(runtime->clock(), flags.name, "stops: " + shutdown.reason());
  runtime->SetState(ProcessRuntime::State::kDraining, shutdown.reason());
  server->SetServing(false);
  // Who watches can tell a goodbye from a death.
  driver.EndAll(
      WithErrorId(absl::UnavailableError("the coordinator stops"), ErrorId::kStoppedResumable));
  rendezvous.SetWorlds({});  // ends the calls that wait there
  server->Shutdown(kShutdownGrace);
  return Annotate(shutdown.failure(), "coordinator");
}

}  // namespace distill
