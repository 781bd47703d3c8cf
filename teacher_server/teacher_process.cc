#include "teacher_server/teacher_process.h"

#include <unistd.h>

#include <memory>
#include <optional>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/cleanup/cleanup.h"
#include "absl/synchronization/mutex.h"
#include "absl/synchronization/notification.h"
#include "cli/process/process_runtime.h"
#include "common/config/config_reader.h"
#include "common/config/position_map.h"
#include "common/executor/thread_executor.h"
#include "common/files/file_system.h"
#include "common/files/posix_file_system.h"
#include "common/rpc/server.h"
#include "common/status/error_id.h"
#include "common/status/status_macros.h"
#include "coordinator/client/attendance.h"
#include "distillation/models/model_directory.h"
#include "teacher_server/cache/cache_disk.h"
#include "teacher_server/cache/disk_tier.h"
#include "teacher_server/cache/label_cache.h"
#include "teacher_server/load_meter.h"
#include "teacher_server/model_loader.h"
#include "teacher_server/runner/model_runner.h"
#include "teacher_server/service/teacher_service.h"
#include "teacher_server/teacher_metrics.h"

namespace distill {
namespace {

// Answers in flight when the process is told to stop.
constexpr absl::Duration kDrainTimeout = absl::Seconds(20);
constexpr size_t kMaxOrderBytes = size_t{1} << 20;
// The cache's disk, to write what waits; and again for searches that it has not answered.
constexpr absl::Duration kCacheTimeout = absl::Seconds(5);

// Between the coordinator's orders and the label server: one load at a time, and what
// became of it. Thread-safe.
class Serves {
 public:
  Serves(const ProcessFlags& flags, ProcessRuntime* runtime, Executor* loader, Executor* device,
         LabelServer* server)
      : flags_(flags), runtime_(runtime), loader_(loader), device_(device), server_(server) {
    state_.set_state(v1::TeacherState::IDLE);
  }

  // Until then nothing is reported.
  void set_attendance(std::shared_ptr<Attendance> attendance) {
    absl::MutexLock lock(&mu_);
    attendance_ = std::move(attendance);
  }

  void OnOrder(const v1::Serve& order) {
    {
      absl::MutexLock lock(&mu_);
      // Told again after a reconnection: what is loading or loaded stays.
      if (order_.has_value() && order_->SerializeAsString() == order.SerializeAsString()) return;
      order_ = order;
    }
    SetState(v1::TeacherState::LOADING, order, absl::OkStatus());
    const absl::Status posted = loader_->Schedule([this, order] { (void)Load(order); });
    if (!posted.ok()) SetState(v1::TeacherState::FAILED, order, posted);
  }

  // Of a server that nobody tells more: loads it here and now.
  absl::Status ServeOnly(const v1::Serve& order) {
    {
      absl::MutexLock lock(&mu_);
      order_ = order;
    }
    return Load(order);
  }

  // Says again how things stand.
  void Report() {
    std::shared_ptr<Attendance> attendance;
    v1::AttendReport report;
    {
      absl::MutexLock lock(&mu_);
      attendance = attendance_;
      *report.mutable_teacher_state() = state_;
    }
    if (attendance != nullptr) attendance->Report(std::move(report));
  }

  void Draining() {
    v1::Serve order;
    {
      absl::MutexLock lock(&mu_);
      if (order_.has_value()) order = *order_;
    }
    SetState(v1::TeacherState::DRAINING, order, absl::UnavailableError("shutting down"));
  }

 private:
  // Whether no newer order has come.
  bool IsCurrent(const v1::Serve& order) {
    absl::MutexLock lock(&mu_);
    return Holds(order);
  }
  bool Holds(const v1::Serve& order) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) {
    return order.SerializeAsString() == order_.value_or(v1::Serve()).SerializeAsString();
  }

  absl::Status Load(const v1::Serve& order) {
    if (!IsCurrent(order)) return absl::OkStatus();
    server_->StopServing(absl::UnavailableError("another model is being loaded"));
    PosixFileSystem files;
    const ModelDirectory programs(&files, {.path = flags_.models.dir,
                                           .allow_executable = flags_.models.allow_executable,
                                           .log = [this](const std::string& line) {
                                             LogLine(runtime_->clock(), flags_.name, line);
                                           }});
    absl::StatusOr<Serving> serving =
        LoadServing(files, flags_.run_dir, order, runtime_->incarnation(), device_,
                    &runtime_->clock(), programs);
    if (!IsCurrent(order)) return absl::OkStatus();  // the next load is queued
    if (!serving.ok()) {
      server_->StopServing(absl::UnavailableError("the model could not be loaded"));
      SetState(v1::TeacherState::FAILED, order, serving.status());
      return serving.status();
    }
    if (serving->canary.ids.empty()) {
      LogLine(runtime_->clock(), flags_.name,
              order.model() + " was exported without examples: nothing proves its answers");
    }
    serving->told = [this, order,
                     numerics_class = serving->model.numerics_class](const absl::Status& status) {
      SetState(status.ok() ? v1::TeacherState::READY : v1::TeacherState::FAILED, order, status,
               numerics_class);
    };
    server_->Serve(*std::move(serving));
    return absl::OkStatus();
  }

  // Of an order that a newer one has replaced: nothing.
  void SetState(v1::TeacherState::State state, const v1::Serve& order, const absl::Status& why,
                const std::string& numerics_class = "") {
    const std::string message = MessageWithId(why);
    {
      absl::MutexLock lock(&mu_);
      if (state_.state() == v1::TeacherState::DRAINING || !Holds(order)) return;
      state_.set_state(state);
      state_.set_model(order.model());
      state_.set_fingerprint(order.fingerprint());
      state_.mutable_numerics_class()->set_text(numerics_class);
      state_.set_message(message);
      state_.set_code(static_cast<int32_t>(why.code()));
    }
    const std::string text = v1::TeacherState::State_Name(state) + " " + order.model() +
                             (message.empty() ? "" : ": " + message);
    LogLine(runtime_->clock(), flags_.name, text);
    runtime_->SetState(state == v1::TeacherState::READY      ? ProcessRuntime::State::kReady
                       : state == v1::TeacherState::FAILED   ? ProcessRuntime::State::kFailed
                       : state == v1::TeacherState::DRAINING ? ProcessRuntime::State::kDraining
                                                             : ProcessRuntime::State::kStarting,
                       text);
    Report();
  }

  const ProcessFlags& flags_;
  ProcessRuntime* const runtime_;
  Executor* const loader_;
  Executor* const device_;
  LabelServer* const server_;

  absl::Mutex mu_;
  std::shared_ptr<Attendance> attendance_ ABSL_GUARDED_BY(mu_);
  std::optional<v1::Serve> order_ ABSL_GUARDED_BY(mu_);
  v1::TeacherState state_ ABSL_GUARDED_BY(mu_);
};

// Null where none is asked for. Servers that share the directory have one each in it.
std::unique_ptr<CacheDisk> CacheOnDisk(const ProcessFlags& flags, ProcessRuntime* runtime) {
  if (flags.cache_dir.empty()) return nullptr;
  DiskTierOptions options;
  options.directory = JoinPath(flags.cache_dir, flags.name);
  options.log.max_bytes = uint64_t{flags.cache_disk_mib} << 20;
  return std::make_unique<CacheDisk>(
      std::make_unique<PosixFileSystem>(), options, [&flags, runtime](const absl::Status& status) {
        LogLine(runtime->clock(), flags.name, "label cache: " + MessageWithId(status));
      });
}

absl::StatusOr<v1::Serve> ReadOrder(const std::string& path) {
  PosixFileSystem files;
  ASSIGN_OR_RETURN(const std::string text, files.Read(path, kMaxOrderBytes));
  v1::Serve order;
  PositionMap positions;
  RETURN_IF_ERROR(ParseConfig(text, path, &order, &positions));
  return order;
}

// Afterwards nothing comes from there.
void StopCache(CacheDisk* disk, const ProcessFlags& flags, ProcessRuntime* runtime) {
  const absl::Status stopped = disk == nullptr ? absl::OkStatus() : disk->Stop(kCacheTimeout);
  if (!stopped.ok()) LogLine(runtime->clock(), flags.name, MessageWithId(stopped));
}

AttendanceOptions OptionsOf(const ProcessFlags& flags, const ProcessRuntime& runtime,
                            const std::string& address) {
  AttendanceOptions options;
  options.coordinator = flags.coordinator;
  options.transport = runtime.transport();
  options.hello.set_role(v1::TEACHER_SERVER);
  options.hello.set_worker(flags.name);
  options.hello.set_incarnation(runtime.incarnation());
  options.hello.set_address(flags.advertise.empty() ? address : flags.advertise);
  options.hello.set_process_id(getpid());
  options.hello.set_ops_address(runtime.ops_address());
  return options;
}

AttendanceEvents EventsOf(const ProcessFlags& flags, ProcessRuntime* runtime, Serves* serves,
                          LoadMeter* load, ShutdownSignal* shutdown) {
  const auto log = [runtime, &flags](const std::string& line) {
    LogLine(runtime->clock(), flags.name, line);
  };
  AttendanceEvents events;
  events.on_directive = [serves, shutdown](const v1::Directive& directive) {
    if (directive.has_serve()) serves->OnOrder(directive.serve());
    if (directive.has_stop()) shutdown->Request(directive.stop().reason());
  };
  events.on_welcome = [log, serves, &flags] {
    log("attends the coordinator at " + flags.coordinator);
    serves->Report();
  };
  events.on_heartbeat = [load](v1::Heartbeat& heartbeat) {
    *heartbeat.mutable_teacher_load() = load->Take();
  };
  events.on_alone = [log](const absl::Status& status) { log(MessageWithId(status)); };
  events.on_given_up = [shutdown](const absl::Status& status) {
    shutdown->Request("no coordinator", status);
  };
  return events;
}

}  // namespace

absl::Status RunTeacherServer(const ProcessFlags& flags, ShutdownSignal& shutdown) {
  ASSIGN_OR_RETURN(const std::unique_ptr<ProcessRuntime> runtime,
                   ProcessRuntime::Start(ProcessKind::kTeacherServer, flags));
  RETURN_IF_ERROR(SetInferenceThreads(flags.threads));
  TeacherMetrics metrics(&runtime->metrics());
  LoadMeter load(&metrics, &runtime->clock());
  ThreadExecutor device({.name = "device", .threads = 1, .max_queued = 64});
  ThreadExecutor control({.name = "control", .threads = 1, .max_queued = 16384});
  ThreadExecutor loader({.name = "loader", .threads = 1, .max_queued = 16});
  const std::unique_ptr<CacheDisk> cache_disk = CacheOnDisk(flags, runtime.get());
  LabelCache cache(uint64_t{flags.cache_mib} << 20,
                   cache_disk == nullptr ? nullptr : cache_disk->tier());
  const bool caches = flags.cache_mib > 0 || cache_disk != nullptr;
  LabelServer labels({}, &control, &runtime->timers(), &runtime->clock(), &load,
                     caches ? &cache : nullptr);
  labels.StopServing(absl::UnavailableError("no model has been assigned to this server yet"));
  // Nothing runs in the label server when it goes, however this function ends.
  const absl::Cleanup stop = [&] {
    device.Stop();
    StopCache(cache_disk.get(), flags, runtime.get());
    control.Stop();
    runtime->StopTimers();
  };
  TeacherServiceImpl service(&labels);
  ASSIGN_OR_RETURN(
      const std::unique_ptr<RpcServer> server,
      RpcServer::Start(
          {.listen = flags.listen, .transport = runtime->transport(), .services = {&service}}));
  server->SetServing(true);

  Serves serves(flags, runtime.get(), &loader, &device, &labels);
  std::shared_ptr<Attendance> attendance;
  if (flags.serve.empty()) {
    ASSIGN_OR_RETURN(attendance,
                     Attendance::Start(OptionsOf(flags, *runtime, server->address()),
                                       EventsOf(flags, runtime.get(), &serves, &load, &shutdown),
                                       &runtime->timers(), &runtime->clock(), runtime->random()));
    serves.set_attendance(attendance);
    serves.Report();
  } else {
    ASSIGN_OR_RETURN(const v1::Serve order, ReadOrder(flags.serve));
    RETURN_IF_ERROR(serves.ServeOnly(order));
  }
  if (const absl::Status status = runtime->NotifyStarted(server->address()); !status.ok()) {
    shutdown.Request("nobody hears that this server has started", status);
  }
  LogLine(runtime->clock(), flags.name,
          "serves on " + server->address() +
              (flags.advertise.empty() ? "" : ", and tells students " + flags.advertise));

  shutdown.Wait();
  LogLine(runtime->clock(), flags.name, "drains: " + shutdown.reason());
  server->SetServing(false);
  serves.Draining();
  absl::Notification drained;
  labels.Drain(shutdown.reason(), [&] { drained.Notify(); });
  drained.WaitForNotificationWithTimeout(kDrainTimeout);
  if (attendance != nullptr) attendance->Leave(shutdown.reason());
  server->Shutdown(absl::ZeroDuration());
  loader.Stop();
  device.Stop();
  StopCache(cache_disk.get(), flags, runtime.get());
  control.Stop();
  return shutdown.failure();
}

}  // namespace distill
