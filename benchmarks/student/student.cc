// Whether a teacher in another process costs the student anything: steps a second of a
// real training loop with the labels of a teacher that waits as long as a model would
// compute, over the same loop with its labels in memory.
#include "benchmarks/support/student.h"

#include <stdlib.h>

#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/cleanup/cleanup.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "benchmarks/support/bench_report.h"
#include "benchmarks/support/child_process.h"
#include "benchmarks/support/interleaved.h"
#include "benchmarks/support/recorded_student.h"
#include "benchmarks/support/teacher.h"
#include "benchmarks/support/waiting_teacher.h"
#include "common/clock/clock.h"
#include "common/clock/thread_timer_queue.h"
#include "common/executor/thread_executor.h"
#include "common/files/posix_file_system.h"
#include "common/status/status_macros.h"
#include "student_worker/worker/label_client.h"

namespace distill {
namespace {

constexpr int64_t kMaxBatch = 256;
constexpr int64_t kFashionClasses = 10;

// The labels of a teacher process, over the real label client.
class RemoteLabels {
 public:
  RemoteLabels(const std::string& address, const BenchStudent& student, bool by_example,
               Clock* clock)
      : timers_(clock) {
    LabelClientOptions options;
    options.source.first_step = student.next_step();
    options.source.end_step = student.run().training().steps();
    options.source.window_steps = static_cast<int>(student.run().labels().window_steps());
    options.open = BenchTeacher::OpenFor(BenchModel(kFashionClasses), "dense_fp16");
    options.rows = student.rows();
    options.by_example = by_example;
    options.examples_of = [rows = student.rows()](int64_t step) {
      return BenchTeacher::Ask(static_cast<uint64_t>(step), rows).examples();
    };
    client_ = LabelClient::Create(options, &executor_, &timers_, clock, [] { return 0.5; });
    client_->SetEndpoints({{"teacher", 1, address}});
  }
  ~RemoteLabels() {
    client_->Close(absl::CancelledError("the turn is over"));
    timers_.Stop();
    executor_.Stop();
  }

  absl::StatusOr<SoftLabels> Of(int64_t step) {
    ASSIGN_OR_RETURN(StepLabels labels, client_->Take(step));
    // By a dense codec.
    return std::move(labels.at("logits"));
  }

 private:
  ThreadExecutor executor_{{.name = "labels", .threads = 1, .max_queued = 4096}};
  ThreadTimerQueue timers_;
  std::shared_ptr<LabelClient> client_;
};

absl::StatusOr<BenchReport> Run(const BenchOptions& options) {
  SystemClock clock;
  ASSIGN_OR_RETURN(auto student, BenchStudent::Create(&clock));
  std::vector<float> values(student->rows() * student->classes());
  for (size_t i = 0; i < values.size(); ++i) values[i] = static_cast<float>(i % 97) * 0.25f;
  const TensorView memory = MakeTensorView(
      ElementType::kFloat32, {student->rows(), student->classes()}, std::move(values));

  const auto from_memory = [&](int64_t steps) {
    return student->Train(steps, [&](int64_t) { return memory; });
  };
  // The student's demand, which decides how long the teachers wait.
  ASSIGN_OR_RETURN(const std::vector<Series> alone,
                   MeasureInterleaved({{"memory", Sized(from_memory, options.turn, &clock)}},
                                      options.rounds, &clock, UsageOfThisProcess));
  const double demand = Median(alone[0].rate);

  std::vector<std::unique_ptr<ChildProcess>> teachers;
  std::vector<Variant> variants = {{"memory", Sized(from_memory, options.turn, &clock)}};
  const auto add_remote = [&](const std::string& name, double capacity,
                              int64_t cache_mib) -> absl::Status {
    const double seconds_per_row = 1 / (demand * capacity * static_cast<double>(student->rows()));
    ASSIGN_OR_RETURN(teachers.emplace_back(),
                     StartWaitingTeacher({seconds_per_row, kFashionClasses, kMaxBatch, cache_mib}));
    const auto remote = [&, address = teachers.back()->first_line(), cache_mib](int64_t steps) {
      RemoteLabels labels(address, *student, cache_mib > 0, &clock);
      return student->Train(steps, [&](int64_t step) { return labels.Of(step); });
    };
    variants.push_back({name, Sized(remote, options.turn, &clock)});
    return absl::OkStatus();
  };
  RETURN_IF_ERROR(add_remote("capacity100", 1.0, 0));
  RETURN_IF_ERROR(add_remote("capacity120", 1.2, 0));
  // All of its labels are there after the first, unmeasured, turn.
  RETURN_IF_ERROR(add_remote("cache", 1.0, 64));
  char folder[] = "/tmp/distill-student-XXXXXX";
  if (mkdtemp(folder) == nullptr) return absl::InternalError("no folder could be made in /tmp");
  PosixFileSystem files;
  const absl::Cleanup remove = [&] { files.RemoveTree(folder).IgnoreError(); };
  ASSIGN_OR_RETURN(const auto set, WriteAnySet(files, JoinPath(folder, "set"), *student));
  const auto recorded = [&](int64_t steps) { return TrainFromSet(*student, set, steps); };
  variants.push_back({"recorded", Sized(recorded, options.turn, &clock)});
  variants.push_back({"memory_again", Sized(from_memory, options.turn, &clock)});
  ASSIGN_OR_RETURN(const std::vector<Series> series,
                   MeasureInterleaved(variants, options.rounds, &clock, UsageOfThisProcess));

  BenchReport report;
  report.name = "student";
  report.limits =
      "One rank, batches of 256, the network of 9,098 parameters; the teacher is a process on the\n"
      "same machine that waits instead of computing. Units are steps; processor time and faults\n"
      "are the student's. A turn begins with an empty window: the teacher's first answer counts.";
  report.Add("", series);
  report.AddRatio("capacity100", series[1], series[0]);
  report.AddRatio("capacity120", series[2], series[0]);
  report.AddRatio("cache", series[3], series[0]);
  report.AddRatio("recorded", series[4], series[0]);
  report.AddNoise(series[0], series[5]);
  return report;
}

}  // namespace
}  // namespace distill

int main(int argc, char** argv) {
  if (const std::optional<int> exit = distill::ServeIfWaitingTeacher(argc, argv)) return *exit;
  return distill::BenchMain(
      argc, argv, "A student with a teacher behind the network over one without.", distill::Run);
}
