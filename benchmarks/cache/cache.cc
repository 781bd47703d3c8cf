// What the label cache of a teacher server gives and costs: labels that are in memory or on
// disk, labels that are looked for in vain, and a teacher without a cache.
#include <stdlib.h>

#include <atomic>
#include <cerrno>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/notification.h"
#include "benchmarks/support/bench_report.h"
#include "benchmarks/support/interleaved.h"
#include "benchmarks/support/load.h"
#include "benchmarks/support/teacher.h"
#include "common/clock/clock.h"
#include "common/executor/thread_executor.h"
#include "common/files/posix_file_system.h"
#include "common/status/status_macros.h"
#include "distillation/run_config/digests.h"
#include "proto/teacher.pb.h"
#include "teacher_server/cache/disk_tier.h"
#include "teacher_server/cache/label_cache.h"

namespace distill {
namespace {

constexpr int kClients = 4;
constexpr int kWindow = 4;
constexpr int64_t kRows = 64;
constexpr int64_t kClasses = 1000;  // 4,000 bytes a row in dense_fp32.
constexpr int64_t kMaxBatch = 256;
constexpr int64_t kRequestsOfAll = BenchTeacher::kExamples / kRows;
constexpr uint64_t kMemory = uint64_t{256} << 20;
// A network whose batch of 64 rows takes 20 ms.
constexpr absl::Duration kPerRow = absl::Nanoseconds(20'000'000 / 64);

using AskFor = std::function<v1::Ask(uint64_t request)>;

// Examples in views that nobody has asked for before.
v1::Ask AskAnew(uint64_t request) {
  static std::atomic<uint64_t> seed = 0;
  v1::Ask ask = BenchTeacher::Ask(request, kRows);
  v1::ExampleRefs& refs = *ask.mutable_examples();
  refs.set_view_spec_digest(ViewSpecDigest(refs.view_spec()));
  const uint64_t view = ++seed;
  for (int64_t row = 0; row < kRows; ++row) refs.add_view_seeds(view);
  return ask;
}
v1::Ask AskAgain(uint64_t request) { return BenchTeacher::Ask(request, kRows); }

// A teacher and its students.
class Service {
 public:
  static absl::StatusOr<std::unique_ptr<Service>> Start(std::shared_ptr<Runner> runner,
                                                        LabelCache* cache, AskFor ask,
                                                        Clock* clock) {
    auto service = std::make_unique<Service>();
    ASSIGN_OR_RETURN(service->teacher_, BenchTeacher::Start(std::move(runner), kMaxBatch, clock,
                                                            /*observer=*/nullptr, cache));
    for (int i = 0; i < kClients; ++i) {
      LoadOptions load;
      load.address = service->teacher_->address();
      load.open = BenchTeacher::OpenFor(BenchModel(kClasses), "dense_fp32");
      load.window = kWindow;
      load.ask = ask;
      ASSIGN_OR_RETURN(service->loads_.emplace_back(), Load::Open(load));
    }
    return service;
  }

  absl::Status Run(int64_t requests) { return RunLoads(loads_, requests); }
  // Every example once.
  absl::Status Warm() {
    loads_[0]->Start(kRequestsOfAll);
    return loads_[0]->Wait(absl::Minutes(1));
  }

 private:
  std::unique_ptr<BenchTeacher> teacher_;
  std::vector<std::unique_ptr<Load>> loads_;
};

// A disk tier in a folder of its own, which goes with it.
class Disk {
 public:
  static absl::StatusOr<std::unique_ptr<Disk>> Open() {
    char folder[] = "/tmp/distill-cache-bench-XXXXXX";
    if (mkdtemp(folder) == nullptr) return absl::ErrnoToStatus(errno, "no folder in /tmp");
    return std::make_unique<Disk>(folder);
  }
  explicit Disk(std::string folder)
      : folder_(std::move(folder)),
        tier_(&files_, {.directory = folder_, .log = {}}, &reads_, &writes_, nullptr) {}
  ~Disk() {
    reads_.Stop();
    writes_.Stop();
    files_.RemoveTree(folder_).IgnoreError();
  }

  DiskTier* tier() { return &tier_; }
  // Until all that was added is written.
  absl::Status Await() {
    tier_.Flush();
    absl::Notification written;
    RETURN_IF_ERROR(writes_.Schedule([&] { written.Notify(); }));
    written.WaitForNotification();
    return absl::OkStatus();
  }

 private:
  const std::string folder_;
  PosixFileSystem files_;
  ThreadExecutor reads_{{.name = "reads", .threads = 1, .max_queued = 4096}};
  ThreadExecutor writes_{{.name = "writes", .threads = 1, .max_queued = 4096}};
  DiskTier tier_;
};

absl::StatusOr<BenchReport> Run(const BenchOptions& options) {
  SystemClock clock;
  const auto nop = std::make_shared<NopRunner>(BenchModel(kClasses), kMaxBatch);
  const auto network =
      std::make_shared<WaitingRunner>(BenchModel(kClasses), kMaxBatch, kPerRow, &clock);
  ASSIGN_OR_RETURN(const auto folder, Disk::Open());
  LabelCache warm(kMemory, nullptr), cold(kMemory, nullptr), on_disk(0, folder->tier());
  RETURN_IF_ERROR(folder->Await());  // it is open

  ASSIGN_OR_RETURN(const auto memory, Service::Start(nop, &warm, AskAgain, &clock));
  ASSIGN_OR_RETURN(const auto disk, Service::Start(nop, &on_disk, AskAgain, &clock));
  ASSIGN_OR_RETURN(const auto miss, Service::Start(nop, &cold, AskAnew, &clock));
  ASSIGN_OR_RETURN(const auto none, Service::Start(nop, nullptr, AskAnew, &clock));
  ASSIGN_OR_RETURN(const auto recompute, Service::Start(network, nullptr, AskAgain, &clock));
  RETURN_IF_ERROR(memory->Warm());
  RETURN_IF_ERROR(disk->Warm());
  RETURN_IF_ERROR(folder->Await());

  const auto variant = [&](const std::string& name, Service* service) -> Variant {
    auto requests =
        Sized([service](int64_t count) { return service->Run(count); }, options.turn, &clock);
    return {name, [requests]() mutable -> absl::StatusOr<double> {
              ASSIGN_OR_RETURN(const double count, requests());
              return count * kClients * static_cast<double>(kRows);
            }};
  };
  ASSIGN_OR_RETURN(
      const std::vector<Series> series,
      MeasureInterleaved({variant("memory", memory.get()), variant("disk", disk.get()),
                          variant("miss", miss.get()), variant("none", none.get()),
                          variant("recompute", recompute.get()), variant("none_again", none.get())},
                         options.rounds, &clock, UsageOfThisProcess));
  // A row that was not found would have made it another measurement.
  if (warm.stats().memory.misses > BenchTeacher::kExamples ||
      on_disk.stats().disk.misses > BenchTeacher::kExamples) {
    return absl::InternalError("labels that should have been there were not");
  }
  BenchReport report;
  report.name = "cache";
  report.limits =
      "Students, server and disk share one process and its processors; the disk is /tmp, and what\n"
      "was just written is in the kernel's page cache. Units are rows of 1,000 float32 classes,\n"
      "asked for by id, 64 a request; `recompute` waits as long as a network of 20 ms a batch, "
      "the\n"
      "others compute nothing, so that `miss` over `none` shows all that looking in vain costs.";
  report.Add("", series);
  report.AddRatio("memory_over_recompute", series[0], series[4]);
  report.AddRatio("disk_over_recompute", series[1], series[4]);
  report.AddRatio("memory_over_none", series[0], series[3]);
  report.AddRatio("miss_over_none", series[2], series[3]);
  report.AddNoise(series[3], series[5]);
  return report;
}

}  // namespace
}  // namespace distill

int main(int argc, char** argv) {
  return distill::BenchMain(argc, argv, "What the label cache gives and costs.", distill::Run);
}
