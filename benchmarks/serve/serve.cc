// What serving costs over computing: rows a second of the real service around a real
// network, saturated by 1, 8 and 64 students, over the best that the same runner gives when
// it is driven directly with batches from memory.
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <iostream>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/synchronization/mutex.h"
#include "benchmarks/support/bench_report.h"
#include "benchmarks/support/interleaved.h"
#include "benchmarks/support/load.h"
#include "benchmarks/support/open_loop.h"
#include "benchmarks/support/teacher.h"
#include "common/clock/clock.h"
#include "common/executor/thread_executor.h"
#include "common/status/status_macros.h"
#include "common/tensor_view/tensor_view.h"
#include "distillation/models/model.h"
#include "proto/run_config.pb.h"
#include "teacher_server/runner/interface.h"
#include "teacher_server/runner/model_runner.h"

namespace distill {
namespace {

const std::vector<int64_t> kDims = {28, 28};
constexpr int64_t kPixels = 784;
constexpr int64_t kClasses = 10;
constexpr int64_t kRows = 64;
constexpr int64_t kMostRows = 256;
// What all students together have asked for at least, so that batches are full.
constexpr int64_t kBatchesAsked = 8;

struct Net {
  std::string name;
  absl::Duration batch;
  // Of its convolutions.
  std::vector<uint32_t> widths;
  std::vector<uint32_t> strides;
};

// Keeps as many batches of `rows` in flight as the runner takes.
class DirectDrive {
 public:
  DirectDrive(Runner* runner, int64_t rows) : runner_(runner) {
    batch_.examples = MakeTensorView(ElementType::kFloat32, {rows, kDims[0], kDims[1]},
                                     std::vector<float>(rows * kPixels, 0.5f));
    batch_.outputs = {"logits"};
  }

  absl::Status Run(int64_t batches) {
    for (int64_t i = 0; i < batches; ++i) {
      {
        absl::MutexLock lock(&mu_);
        const auto room = [this]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) {
          return in_flight_ < runner_->max_in_flight();
        };
        mu_.Await(absl::Condition(&room));
        ++in_flight_;
      }
      runner_->Start(batch_, [this](const absl::StatusOr<InferenceResult>& result) {
        absl::MutexLock lock(&mu_);
        failure_.Update(result.status());
        --in_flight_;
      });
    }
    absl::MutexLock lock(&mu_);
    const auto idle = [this]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) { return in_flight_ == 0; };
    mu_.Await(absl::Condition(&idle));
    return failure_;
  }

 private:
  Runner* const runner_;
  InferenceBatch batch_;
  absl::Mutex mu_;
  int in_flight_ ABSL_GUARDED_BY(mu_) = 0;
  absl::Status failure_ ABSL_GUARDED_BY(mu_);
};

absl::StatusOr<std::shared_ptr<Runner>> MakeRunner(const Net& net, uint32_t times, Executor* device,
                                                   Clock* clock) {
  v1::ModelConfig config;
  config.set_architecture("conv_net");
  for (const uint32_t width : net.widths) config.add_widths(width * times);
  for (const uint32_t stride : net.strides) config.add_strides(stride);
  config.set_global_average_pool(true);
  ASSIGN_OR_RETURN(auto model, Model::Create(config, kDims, kClasses, /*seed=*/1));
  ModelRunnerOptions options;
  options.fingerprint = "f00d";
  options.example_dims = kDims;
  options.classes = kClasses;
  return MakeModelRunner(std::move(model), options, device, clock);
}

// The fastest of some batches, as few disturb it.
absl::StatusOr<absl::Duration> BatchTime(Runner* runner, int64_t rows, Clock* clock) {
  DirectDrive drive(runner, rows);
  RETURN_IF_ERROR(drive.Run(2));
  absl::Duration best = absl::InfiniteDuration();
  for (int i = 0; i < 20; ++i) {
    const absl::Duration start = clock->MonotonicNow();
    RETURN_IF_ERROR(drive.Run(1));
    best = std::min(best, clock->MonotonicNow() - start);
  }
  return best;
}

struct Chosen {
  std::shared_ptr<Runner> runner;
  int64_t rows = 0;
};

// The net, doubled in width until 64 rows take most of net.batch on this machine, and the rows
// that take about all of it.
absl::StatusOr<Chosen> Calibrate(const Net& net, Executor* device, Clock* clock) {
  for (uint32_t times = 1;; times *= 2) {
    Chosen chosen;
    ASSIGN_OR_RETURN(chosen.runner, MakeRunner(net, times, device, clock));
    ASSIGN_OR_RETURN(const absl::Duration took, BatchTime(chosen.runner.get(), kRows, clock));
    if (took < net.batch * 0.7 && times < 64) continue;
    const double rows = kRows * absl::FDivDuration(net.batch, took);
    chosen.rows = std::clamp<int64_t>(std::lround(rows / 16) * 16, 16, kMostRows);
    ASSIGN_OR_RETURN(const absl::Duration takes,
                     BatchTime(chosen.runner.get(), chosen.rows, clock));
    std::cout << net.name << ": " << chosen.rows << " rows a batch take "
              << absl::ToDoubleMilliseconds(takes) << " ms; convolutions of";
    for (const uint32_t width : net.widths) std::cout << " " << width * times;
    std::cout << " channels" << std::endl;
    return chosen;
  }
}

using Loads = std::vector<std::unique_ptr<Load>>;

LoadOptions LoadFor(const BenchTeacher& teacher, const ModelDescription& model, int64_t rows) {
  LoadOptions load;
  load.address = teacher.address();
  load.open = BenchTeacher::OpenFor(model, "dense_fp16");
  load.ask = [rows](uint64_t request) { return BenchTeacher::Ask(request, rows); };
  return load;
}

absl::StatusOr<Loads> OpenLoads(const BenchTeacher& teacher, const ModelDescription& model,
                                int students, int64_t rows_asked, int64_t rows) {
  Loads loads;
  for (int i = 0; i < students; ++i) {
    LoadOptions load = LoadFor(teacher, model, rows);
    load.window = static_cast<int>(std::max<int64_t>(2, rows_asked / (students * rows)));
    ASSIGN_OR_RETURN(loads.emplace_back(), Load::Open(load));
  }
  return loads;
}

// "<net>_p99_ms_at80" and so on: eight students whose requests come at random, at a share of
// what the server gives when it is saturated.
absl::Status MeasureLatency(const Net& net, const Chosen& chosen, const BenchTeacher& teacher,
                            double saturated, const BenchOptions& options, Clock* clock,
                            BenchReport* report) {
  constexpr int kStudents = 8;
  const int64_t rows = chosen.rows / 4;
  LoadOptions load = LoadFor(teacher, chosen.runner->description(), rows);
  load.window = 8;
  ASSIGN_OR_RETURN(auto loop, OpenLoop::Open(load, kStudents, clock));
  for (const int percent : {50, 80}) {
    const double per_second = saturated * percent / 100 / static_cast<double>(rows);
    std::vector<absl::Duration> all;
    for (int round = 0; round < options.rounds; ++round) {
      ASSIGN_OR_RETURN(const std::vector<absl::Duration> took,
                       loop->Run(PoissonArrivals(round, per_second, options.turn)));
      all.insert(all.end(), took.begin(), took.end());
      for (const int quantile : {50, 99}) {
        if (took.empty()) continue;
        report->samples[absl::StrCat(net.name, "_p", quantile, "_ms_at", percent)].push_back(
            absl::ToDoubleMilliseconds(Quantile(took, quantile / 100.0)));
      }
    }
    if (all.empty()) return absl::InternalError("no request in the time of a turn");
    for (const int quantile : {50, 99}) {
      report->values[absl::StrCat(net.name, "_p", quantile, "_ms_at", percent)] =
          absl::ToDoubleMilliseconds(Quantile(all, quantile / 100.0));
    }
  }
  return absl::OkStatus();
}

absl::Status MeasureNet(const Net& net, const BenchOptions& options, Clock* clock,
                        BenchReport* report) {
  ThreadExecutor device({.name = "device", .threads = 1, .max_queued = 64});
  ASSIGN_OR_RETURN(const Chosen chosen, Calibrate(net, &device, clock));
  ASSIGN_OR_RETURN(auto teacher, BenchTeacher::Start(chosen.runner, chosen.rows, clock));

  std::vector<Variant> variants;
  const auto add = [&](const std::string& name, std::function<absl::Status(int64_t)> work,
                       int64_t rows) {
    auto sized = Sized(std::move(work), options.turn, clock);
    variants.push_back({name, [sized, rows]() mutable -> absl::StatusOr<double> {
                          ASSIGN_OR_RETURN(const double count, sized());
                          return count * static_cast<double>(rows);
                        }});
  };
  const std::vector<int> students = {1, 8, 64};
  std::vector<Loads> loads;
  for (const int n : students) {
    // The server joins four requests to a batch.
    const int64_t rows = chosen.rows / 4;
    ASSIGN_OR_RETURN(loads.emplace_back(), OpenLoads(*teacher, chosen.runner->description(), n,
                                                     kBatchesAsked * chosen.rows, rows));
    add(
        absl::StrCat("n", n),
        [i = loads.size() - 1, &loads](int64_t requests) { return RunLoads(loads[i], requests); },
        n * rows);
  }
  std::vector<std::unique_ptr<DirectDrive>> direct;
  std::vector<int64_t> sizes = {16, 32, 64, 128, kMostRows, chosen.rows, chosen.rows};
  for (size_t i = 0; i < sizes.size(); ++i) {
    direct.push_back(std::make_unique<DirectDrive>(chosen.runner.get(), sizes[i]));
    const char* const which = i + 2 < sizes.size() ? "" : i + 1 < sizes.size() ? "_own" : "_again";
    add(
        absl::StrCat("direct", sizes[i], which),
        [drive = direct.back().get()](int64_t batches) { return drive->Run(batches); }, sizes[i]);
  }
  ASSIGN_OR_RETURN(const std::vector<Series> series,
                   MeasureInterleaved(variants, options.rounds, clock, UsageOfThisProcess));
  report->Add(net.name + "/", series);
  const auto best = std::max_element(
      series.begin() + students.size(), series.end() - 1,
      [](const Series& a, const Series& b) { return Median(a.rate) < Median(b.rate); });
  for (size_t i = 0; i < students.size(); ++i) {
    const std::string name = absl::StrCat(net.name, "_n", students[i]);
    report->AddRatio(name, series[i], *best);
    // Of students, server and inference together: what a machine that is not quiet shows too.
    report->values[name + "_processor_time"] =
        RatioOf(series[i].cpu_seconds_per_thousand, best->cpu_seconds_per_thousand).median;
  }
  report->AddNoise(*(series.end() - 2), series.back());
  loads.clear();
  RETURN_IF_ERROR(
      MeasureLatency(net, chosen, *teacher, Median(series[1].rate), options, clock, report));
  teacher.reset();
  return absl::OkStatus();
}

absl::StatusOr<BenchReport> Run(const BenchOptions& options) {
  SystemClock clock;
  RETURN_IF_ERROR(SetInferenceThreads(1));
  BenchReport report;
  report.name = "serve";
  report.limits =
      "Students, server and yardstick share one process and the loopback. The server reads the\n"
      "examples and answers on the processor that the one inference thread leaves free; with one\n"
      "processor only it would cost more. A turn begins with an idle server and ends when all is\n"
      "answered, which costs about one batch. Latencies count from when a request should have been "
      "made, and\n"
      "made, a timer's 0.1 ms included; their rate is a share of what the same run saturated at,\n"
      "which whoever else uses the machine lowers. Units are\n"
      "rows of 28 x 28 pixels in and 10 classes out; there is no cache. The yardstick is the "
      "batch\n"
      "size with the best median.";
  const std::vector<Net> nets = {
      {"net20ms", absl::Milliseconds(20), {24, 48, 48, 96}, {2, 1, 2, 1}},
      {"net1ms", absl::Milliseconds(1), {8, 16}, {2, 2}}};
  for (const Net& net : nets) RETURN_IF_ERROR(MeasureNet(net, options, &clock, &report));
  return report;
}

}  // namespace
}  // namespace distill

int main(int argc, char** argv) {
  return distill::BenchMain(
      argc, argv, "What the service costs over the forward passes that it serves.", distill::Run);
}
