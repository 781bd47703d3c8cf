#include "student_worker/student_process.h"

#include <unistd.h>

#include <memory>
#include <utility>

#include "absl/cleanup/cleanup.h"
#include "absl/strings/str_cat.h"
#include "cli/process/process_runtime.h"
#include "common/executor/thread_executor.h"
#include "common/files/file_system.h"
#include "common/files/posix_file_system.h"
#include "common/rpc/transport.h"
#include "common/status/error_id.h"
#include "common/status/status_macros.h"
#include "coordinator/client/attendance.h"
#include "coordinator/client/coordinator_client.h"
#include "distillation/models/model_directory.h"
#include "distillation/models/threads.h"
#include "student_worker/student_metrics.h"
#include "student_worker/worker/run_session.h"
#include "student_worker/worker/student_worker.h"

namespace distill {
namespace {

// All but what lives in RunStudentWorker.
SessionTools ToolsOf(const ProcessFlags& flags, ProcessRuntime& runtime, FileSystem* files) {
  SessionTools tools;
  tools.worker = flags.name;
  tools.incarnation = runtime.incarnation();
  tools.run_dir = flags.run_dir;
  tools.bind_host = flags.bind_host;
  tools.transport = runtime.transport();
  tools.clock = &runtime.clock();
  tools.timers = &runtime.timers();
  tools.random = runtime.random();
  tools.files = files;
  tools.programs = ModelDirectory(
      files, {.path = flags.models.dir,
              .allow_executable = flags.models.allow_executable,
              .log = [&](const std::string& line) { LogLine(runtime.clock(), flags.name, line); }});
  return tools;
}

AttendanceOptions OptionsOf(const ProcessFlags& flags, const ProcessRuntime& runtime) {
  AttendanceOptions options;
  options.coordinator = flags.coordinator;
  options.transport = runtime.transport();
  options.hello.set_role(v1::STUDENT_WORKER);
  options.hello.set_worker(flags.name);
  options.hello.set_incarnation(runtime.incarnation());
  options.hello.set_address(flags.bind_host);
  options.hello.set_process_id(getpid());
  options.hello.set_ops_address(runtime.ops_address());
  return options;
}

absl::StatusOr<std::unique_ptr<ProcessRuntime>> StartRuntime(const ProcessFlags& flags) {
  ASSIGN_OR_RETURN(auto runtime, ProcessRuntime::Start(ProcessKind::kStudentWorker, flags));
  // Gradients travel unencrypted too.
  RETURN_IF_ERROR(ValidateTransport(runtime->transport(), absl::StrCat(flags.bind_host, ":0")));
  RETURN_IF_ERROR(SetComputeThreads(flags.threads));
  return runtime;
}

}  // namespace

absl::Status RunStudentWorker(const ProcessFlags& flags, ShutdownSignal& shutdown) {
  ASSIGN_OR_RETURN(const std::unique_ptr<ProcessRuntime> runtime, StartRuntime(flags));
  PosixFileSystem files;
  CoordinatorClientOptions client_options;
  client_options.coordinator = flags.coordinator;
  client_options.transport = runtime->transport();
  ASSIGN_OR_RETURN(const std::unique_ptr<CoordinatorClient> client,
                   CoordinatorClient::Create(client_options, {&runtime->clock(), runtime->random(),
                                                              [&](absl::Duration wait) {
                                                                return !shutdown.WaitFor(wait);
                                                              }}));
  StudentMetrics metrics(&runtime->metrics(), &runtime->clock(), [&](const std::string& line) {
    LogLine(runtime->clock(), flags.name, line);
  });
  ThreadExecutor labels({.name = "labels", .threads = 1, .max_queued = 4096});
  ThreadExecutor label_sets({.name = "label sets", .threads = 1, .max_queued = 64});
  std::shared_ptr<Attendance> attendance;

  SessionTools tools = ToolsOf(flags, *runtime, &files);
  tools.label_executor = &labels;
  tools.reading_executor = &label_sets;
  tools.coordinator = client.get();
  tools.observer = &metrics;
  tools.report = [&](const v1::Progress& progress, const std::string& run_id) {
    v1::AttendReport report;
    report.set_run_id(run_id);
    *report.mutable_progress() = progress;
    attendance->Report(std::move(report));
  };
  StudentWorker worker(flags.name, client.get(), Sessions(tools));

  AttendanceEvents events;
  events.on_directive = [&](const v1::Directive& directive) {
    if (directive.has_stop()) LogLine(runtime->clock(), flags.name, directive.stop().reason());
    worker.OnDirective(directive);
  };
  events.on_welcome = [&] {
    runtime->SetState(ProcessRuntime::State::kReady, "");
    LogLine(runtime->clock(), flags.name, "attends the coordinator at " + flags.coordinator);
  };
  events.on_alone = [&](const absl::Status& status) {
    LogLine(runtime->clock(), flags.name, MessageWithId(status));
  };
  events.on_given_up = [&](const absl::Status& status) { worker.Stop(status); };
  // Before attending: the first directive may already lead to a step.
  // The coordinator says when there is nothing left to do; a signal comes before that, and who
  // started this process must not take its end for the run's.
  shutdown.OnRequest([&] {
    worker.Stop(WithErrorId(absl::CancelledError("stopped by a signal; the runs go on from their "
                                                 "last checkpoints once they have a worker "
                                                 "again"),
                            ErrorId::kStoppedResumable));
  });
  const absl::Cleanup forget = [&] { shutdown.OnRequest(nullptr); };
  ASSIGN_OR_RETURN(attendance,
                   Attendance::Start(OptionsOf(flags, *runtime), events, &runtime->timers(),
                                     &runtime->clock(), runtime->random()));
  absl::Status status = runtime->NotifyStarted(flags.bind_host);
  if (status.ok()) status = worker.Run();
  runtime->SetState(ProcessRuntime::State::kDraining, "stopping");
  LogLine(runtime->clock(), flags.name,
          status.ok() ? "stops" : "stops: " + std::string(status.message()));
  attendance->Leave(status.ok() ? "stopping" : std::string(status.message()));
  labels.Stop();
  label_sets.Stop();
  runtime->StopTimers();
  return status;
}

}  // namespace distill
