// What accounting costs: the throughput of a saturated teacher server and of a training loop
// with their metrics, phases and step records, against the same without.
#include <stdlib.h>

#include <algorithm>
#include <atomic>
#include <cmath>
#include <filesystem>
#include <functional>
#include <iterator>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "benchmarks/support/bench_report.h"
#include "benchmarks/support/interleaved.h"
#include "benchmarks/support/load.h"
#include "benchmarks/support/student.h"
#include "benchmarks/support/teacher.h"
#include "common/clock/clock.h"
#include "common/files/posix_file_system.h"
#include "common/metrics/metric_registry.h"
#include "common/status/annotate.h"
#include "common/status/status_macros.h"
#include "common/tensor_view/tensor_view.h"
#include "distillation/schedules/schedule_timeline.h"
#include "student_worker/accounting/phase_clock.h"
#include "student_worker/accounting/step_record.h"
#include "student_worker/student_metrics.h"
#include "student_worker/training/trainer.h"
#include "student_worker/worker/event_log.h"
#include "student_worker/worker/step_log.h"
#include "teacher_server/teacher_metrics.h"

namespace distill {
namespace {

// Turns so short that what disturbs the machine disturbs neighbours alike, and so many that
// the median of their ratios is known to a part of one per cent.
constexpr int kTurnsPerRound = 40;
constexpr double kShorter = 20;

constexpr int kStudents = 8;
constexpr int64_t kRows = 64;
constexpr int64_t kClasses = 1000;
constexpr int64_t kMaxBatch = 256;

// The paired turns of all rounds.
struct Losses {
  Series off{"off", {}, {}, {}};
  Series on{"on", {}, {}, {}};
  Series again{"off_again", {}, {}, {}};

  void Append(const std::vector<Series>& round) {
    Series* const all[] = {&off, &on, &again};
    for (size_t i = 0; i < std::size(all); ++i) {
      const auto append = [](std::vector<double>& to, const std::vector<double>& from) {
        to.insert(to.end(), from.begin(), from.end());
      };
      append(all[i]->rate, round[i].rate);
      append(all[i]->cpu_seconds_per_thousand, round[i].cpu_seconds_per_thousand);
      append(all[i]->page_faults_per_thousand, round[i].page_faults_per_thousand);
    }
  }
};

// 1 - on / off of each turn, `off` being the mean of the two beside it.
std::vector<double> Lost(const std::vector<double>& off, const std::vector<double>& on,
                         const std::vector<double>& again) {
  std::vector<double> lost;
  for (size_t i = 0; i < on.size(); ++i) lost.push_back(1 - on[i] / ((off[i] + again[i]) / 2));
  return lost;
}

// "<name>_fraction" and "<name>_fraction_processor", each with its interval, and the noise.
void Report(const std::string& name, const Losses& losses, BenchReport* report) {
  const auto add = [&](const std::string& what, std::vector<double> lost) {
    const Ratio interval = MedianInterval(lost);
    report->values[what] = interval.median;
    report->values[what + "_low"] = interval.least;
    report->values[what + "_high"] = interval.most;
    report->samples[what] = std::move(lost);
  };
  add(name + "_fraction", Lost(losses.off.rate, losses.on.rate, losses.again.rate));
  // Of processor seconds per unit, "lost" is what is used in addition.
  std::vector<double> used =
      Lost(losses.off.cpu_seconds_per_thousand, losses.on.cpu_seconds_per_thousand,
           losses.again.cpu_seconds_per_thousand);
  for (double& one : used) one = -one;
  add(name + "_fraction_processor", std::move(used));
  report->Add(name + "/", {losses.off, losses.on, losses.again});
  const Ratio same = MedianInterval(Lost(losses.off.rate, losses.again.rate, losses.off.rate));
  report->noise = std::max({report->noise, std::abs(same.least), std::abs(same.most)});
}

using Work = std::function<absl::Status(int64_t units)>;

absl::StatusOr<std::vector<Series>> MeasureTurns(const Work& off, const Work& on, const Work& again,
                                                 int turns, const BenchOptions& options,
                                                 Clock* clock) {
  const absl::Duration turn = options.turn / kShorter;
  return MeasureInterleaved({{"off", Sized(off, turn, clock)},
                             {"on", Sized(on, turn, clock)},
                             {"off_again", Sized(again, turn, clock)}},
                            turns, clock, UsageOfThisProcess);
}

// The machine's clock, which says how often it was read.
class CountingClock final : public Clock {
 public:
  absl::Time WallNow() override { return clock_.WallNow(); }
  absl::Duration MonotonicNow() override {
    reads_.fetch_add(1, std::memory_order_relaxed);
    return clock_.MonotonicNow();
  }
  int64_t reads() const { return reads_.load(std::memory_order_relaxed); }

 private:
  SystemClock clock_;
  std::atomic<int64_t> reads_{0};
};

// A server and the students that saturate it.
struct Served {
  std::unique_ptr<BenchTeacher> teacher;
  std::vector<std::unique_ptr<Load>> loads;

  static absl::StatusOr<Served> Start(ServingObserver* observer, Clock* clock) {
    Served served;
    auto runner = std::make_shared<NopRunner>(BenchModel(kClasses), kMaxBatch);
    ASSIGN_OR_RETURN(served.teacher, BenchTeacher::Start(runner, kMaxBatch, clock, observer));
    for (int i = 0; i < kStudents; ++i) {
      LoadOptions load;
      load.address = served.teacher->address();
      load.open = BenchTeacher::OpenFor(BenchModel(kClasses), "dense_fp32");
      load.ask = [](uint64_t request) { return BenchTeacher::Ask(request, kRows); };
      ASSIGN_OR_RETURN(served.loads.emplace_back(), Load::Open(load));
    }
    return served;
  }
};

// Passes on what a sound server without a cache says, while it is switched on. Thread-safe.
class SwitchedObserver final : public ServingObserver {
 public:
  explicit SwitchedObserver(ServingObserver* metrics) : metrics_(metrics) {}

  void OnAnswered(absl::StatusCode code, int64_t examples, absl::Duration since) override {
    if (on_) metrics_->OnAnswered(code, examples, since);
  }
  void OnBatch(BatchReason reason, int64_t examples, absl::Duration queue,
               absl::Duration compute) override {
    if (on_) metrics_->OnBatch(reason, examples, queue, compute);
  }
  void OnFill(double fill, double padding) override {
    if (on_) metrics_->OnFill(fill, padding);
  }
  void OnQueue(int64_t examples, size_t requests) override {
    if (on_) metrics_->OnQueue(examples, requests);
  }
  void Switch(bool on) { on_ = on; }

 private:
  ServingObserver* const metrics_;
  std::atomic<bool> on_{false};
};

// The stage stamps that every answer carries cannot be switched off: reads of the clock, most
// of them for deadlines too, as share of the processor time of an ask.
absl::Status MeasureClockReads(BenchReport* report) {
  CountingClock clock;
  SwitchedObserver off(nullptr);
  ASSIGN_OR_RETURN(const Served served, Served::Start(&off, &clock));
  RETURN_IF_ERROR(RunLoads(served.loads, 50));
  const int64_t before = clock.reads();
  const double used = UsageOfThisProcess().cpu_seconds;
  constexpr int64_t kAsks = 500;
  RETURN_IF_ERROR(RunLoads(served.loads, kAsks));
  const double asks = kAsks * kStudents;
  const double seconds_per_ask = (UsageOfThisProcess().cpu_seconds - used) / asks;
  const double reads_per_ask = static_cast<double>(clock.reads() - before) / asks;
  constexpr int kReads = 100'000;
  const double start = UsageOfThisProcess().cpu_seconds;
  for (int i = 0; i < kReads; ++i) clock.MonotonicNow();
  const double seconds_per_read = (UsageOfThisProcess().cpu_seconds - start) / kReads;
  report->values["serve_clock_reads_per_ask"] = reads_per_ask;
  report->values["serve_clock_share"] = reads_per_ask * seconds_per_read / seconds_per_ask;
  return absl::OkStatus();
}

absl::Status MeasureServing(const BenchOptions& options, Clock* clock, BenchReport* report) {
  Losses losses;
  // Where threads and memory lie makes more of a difference than what is measured: all ways are
  // the same server, switched, and a new one again and again.
  for (int set = 0; set < options.rounds * 3; ++set) {
    MetricRegistry registry;
    TeacherMetrics metrics(&registry);
    SwitchedObserver observer(&metrics);
    ASSIGN_OR_RETURN(const Served served, Served::Start(&observer, clock));
    const auto run = [&](bool on) {
      return [&, on](int64_t asks) {
        observer.Switch(on);
        return RunLoads(served.loads, asks);
      };
    };
    ASSIGN_OR_RETURN(
        const std::vector<Series> turns,
        MeasureTurns(run(false), run(true), run(false), kTurnsPerRound / 3, options, clock));
    losses.Append(turns);
  }
  Report("serve", losses, report);
  return MeasureClockReads(report);
}

// Stands still when switched off.
class SwitchedClock final : public Clock {
 public:
  absl::Time WallNow() override { return on_ ? clock_.WallNow() : absl::UnixEpoch(); }
  absl::Duration MonotonicNow() override {
    return on_ ? clock_.MonotonicNow() : absl::ZeroDuration();
  }
  void Switch(bool on) { on_ = on; }

 private:
  SystemClock clock_;
  bool on_ = false;
};

// What a training session does after a step: its record to the logs and to the metrics.
class StepAccounting {
 public:
  static absl::StatusOr<std::unique_ptr<StepAccounting>> Create(const std::string& directory,
                                                                int64_t rows, Clock* clock) {
    std::unique_ptr<StepAccounting> accounting(new StepAccounting(rows, clock));
    ASSIGN_OR_RETURN(accounting->log_,
                     StepLog::Open(accounting->files_, JoinPath(directory, "metrics.rank0.jsonl"),
                                   /*first_step=*/0));
    EventLogOptions options;
    options.folder = directory;
    options.examples_per_step = rows;
    ASSIGN_OR_RETURN(accounting->events_, EventLog::Open(accounting->files_, *clock, options));
    return accounting;
  }

  absl::Status OnStep(int64_t step, const StepValues& values, const StepResult& result,
                      PhaseClock& phases) {
    StepRecord record;
    record.step = step;
    record.temperature = values.temperature;
    record.hard_weight = values.hard_weight;
    record.soft_weight = values.soft_weight;
    record.learning_rate = values.learning_rate;
    record.loss = result.loss;
    record.loss_terms = result.terms;
    record.phases = phases.Take();
    // As of one teacher.
    record.answers = {1, 0.0123, 0.0012, 0.0001, 0.0087, 0.0003};
    for (int phase = 0; phase < kPhases; ++phase) spent_[phase] += record.phases[phase];
    RETURN_IF_ERROR(events_->OnStep(record));
    metrics_.OnStep("distilled", record, rows_);
    return log_->Append(std::move(record));
  }
  const PhaseDurations& spent() const { return spent_; }

 private:
  StepAccounting(int64_t rows, Clock* clock)
      : rows_(rows), metrics_(&registry_, clock, [](const std::string&) {}) {}

  const int64_t rows_;
  PosixFileSystem files_;
  MetricRegistry registry_;
  StudentMetrics metrics_;
  std::unique_ptr<StepLog> log_;
  std::unique_ptr<EventLog> events_;
  PhaseDurations spent_{};
};

absl::Status MeasureTraining(const std::string& directory, const BenchOptions& options,
                             Clock* clock, BenchReport* report) {
  SwitchedClock phase_clock;
  ASSIGN_OR_RETURN(auto student, BenchStudent::Create(&phase_clock));
  ASSIGN_OR_RETURN(auto accounting,
                   StepAccounting::Create(directory, student->rows(), &phase_clock));
  std::vector<float> values(student->rows() * student->classes());
  for (size_t i = 0; i < values.size(); ++i) values[i] = static_cast<float>(i % 97) * 0.25f;
  const TensorView memory = MakeTensorView(
      ElementType::kFloat32, {student->rows(), student->classes()}, std::move(values));
  const auto labels = [&](int64_t) { return memory; };

  absl::Duration wall;
  const auto off = [&](int64_t steps) { return student->Train(steps, labels); };
  const auto on = [&](int64_t steps) -> absl::Status {
    phase_clock.Switch(true);
    const absl::Duration start = clock->MonotonicNow();
    const absl::Status trained = student->Train(
        steps, labels,
        [&](int64_t step, const StepValues& of_step, const StepResult& result, PhaseClock& phases) {
          return accounting->OnStep(step, of_step, result, phases);
        });
    wall += clock->MonotonicNow() - start;
    phase_clock.Switch(false);
    return trained;
  };
  Losses losses;
  for (int round = 0; round < options.rounds; ++round) {
    ASSIGN_OR_RETURN(std::vector<Series> turns,
                     MeasureTurns(off, on, off, kTurnsPerRound, options, clock));
    losses.Append(turns);
  }
  Report("train", losses, report);
  const PhaseDurations& spent = accounting->spent();
  const absl::Duration named = Total(spent) - spent[static_cast<int>(Phase::kOther)];
  report->values["unnamed_share"] = 1 - absl::FDivDuration(named, wall);
  return absl::OkStatus();
}

absl::StatusOr<BenchReport> Run(const BenchOptions& options) {
  SystemClock clock;
  BenchReport report;
  report.name = "metrics_cost";
  report.limits =
      "Nobody scrapes the metrics. The students of `serve` ask over the real channel, share the\n"
      "server's processors and are counted in its processor time; the teacher computes nothing\n"
      "and the labels of `train` lie in memory, so a real step or batch loses less. Off is an\n"
      "observer that passes nothing on, no step records, and phases of a clock that stands still;\n"
      "the calls of that observer stay, and the stamps of an answer's stages (serve_clock_share\n"
      "bounds them). Fractions are medians of pairs of neighbouring turns, 0.1 s each, with 95 %\n"
      "intervals (_low, _high); noise is how far the interval of off against off reaches from 0.";
  RETURN_IF_ERROR(Annotate(MeasureServing(options, &clock, &report), "serving"));
  std::string directory = std::filesystem::temp_directory_path() / "metrics_cost.XXXXXX";
  if (mkdtemp(directory.data()) == nullptr) {
    return absl::UnavailableError(absl::StrCat("no directory ", directory, " for step records"));
  }
  const absl::Status trained = MeasureTraining(directory, options, &clock, &report);
  RETURN_IF_ERROR(PosixFileSystem().RemoveTree(directory));
  RETURN_IF_ERROR(Annotate(trained, "training"));
  for (const char* what : {"fraction", "fraction_processor"}) {
    report.values[what] = std::max(report.values[absl::StrCat("serve_", what)],
                                   report.values[absl::StrCat("train_", what)]);
  }
  return report;
}

}  // namespace
}  // namespace distill

int main(int argc, char** argv) {
  return distill::BenchMain(argc, argv, "What accounting costs of throughput.", distill::Run);
}
