// What a student that is frozen costs the others and the server, and what a server that is
// asked for ten times what it can still gives in time. Teacher and students are processes;
// the teacher waits instead of computing.
#include <sys/types.h>

#include <algorithm>
#include <cerrno>
#include <ctime>
#include <fstream>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "benchmarks/frozen/deadline_load.h"
#include "benchmarks/frozen/student_process.h"
#include "benchmarks/support/bench_report.h"
#include "benchmarks/support/child_process.h"
#include "benchmarks/support/interleaved.h"
#include "benchmarks/support/open_loop.h"
#include "benchmarks/support/teacher.h"
#include "benchmarks/support/waiting_teacher.h"
#include "common/clock/clock.h"
#include "common/status/annotate.h"
#include "common/status/status_macros.h"

namespace distill {
namespace {

using Students = std::vector<std::unique_ptr<StudentProcess>>;

// So that a batch outlasts what a busy machine makes the server wait for a processor.
constexpr int64_t kMaxBatch = 256;
constexpr int64_t kClasses = 10;
// 10,000 rows a second.
constexpr double kSecondsPerRow = 0.0001;
constexpr absl::Duration kWarmUp = absl::Milliseconds(500);

// Of the memory's part: an answer is 1 MiB, what the frozen ask for sixteen times the
// ceiling, the 4,096 rows that may wait four times the ceiling. The teacher gives 32 MiB a second.
constexpr int64_t kCeilingMib = 32;
constexpr int64_t kWideClasses = 16384;
constexpr double kWideSecondsPerRow = 0.001;
constexpr int64_t kWideBatch = 64;
constexpr int kFrozenStreams = 8;
// Until all that was asked before has been computed.
constexpr absl::Duration kWideTurn = absl::Seconds(4);

// Of the overload's part: 125 asks a second.
constexpr double kDeadlineSecondsPerRow = 0.0005;

StudentProcessOptions StudentOf(const ChildProcess& teacher, int64_t classes = kClasses) {
  StudentProcessOptions options;
  options.address = teacher.first_line();
  options.classes = classes;
  // The teacher always has something to do for it, though it is late at times.
  options.rows = 64;
  options.window_steps = 16;
  return options;
}

absl::StatusOr<Students> StartStudents(int count, const StudentProcessOptions& options) {
  Students students;
  for (int i = 0; i < count; ++i) {
    ASSIGN_OR_RETURN(students.emplace_back(), StudentProcess::Start(options));
  }
  return students;
}

// It was frozen: what it takes from now on.
absl::Status ExpectThawed(const Students& one, Clock* clock) {
  one[0]->Thaw();
  if (RowsPerSecond(one, kWarmUp, clock) > 0) return absl::OkStatus();
  return absl::InternalError("a student that was frozen takes no labels after SIGCONT");
}

// Of all threads of another process.
absl::StatusOr<double> ProcessorSeconds(pid_t pid) {
  clockid_t clock{};
  timespec used{};
  const int failed = clock_getcpuclockid(pid, &clock);
  if (failed != 0 || clock_gettime(clock, &used) != 0) {
    return absl::ErrnoToStatus(failed != 0 ? failed : errno, "a process' processor time");
  }
  return static_cast<double>(used.tv_sec) + static_cast<double>(used.tv_nsec) * 1e-9;
}

// Rows of `others` beside a third student, from the moment on in which it is frozen, and the
// teacher's processor time.
absl::Status MeasureBeside(bool frozen, const ChildProcess& teacher, const Students& others,
                           absl::Duration turn, Clock* clock, Series* series) {
  StudentProcessOptions options = StudentOf(teacher);
  options.kind = frozen ? StudentKind::kSteady : StudentKind::kIdle;
  // What is computed for it in vain.
  options.window_steps = 2;
  ASSIGN_OR_RETURN(const Students third, StartStudents(1, options));
  const double alive = RowsPerSecond(third, kWarmUp, clock);
  if (frozen != (alive > 0)) return absl::InternalError("the third student is not as it should");
  if (frozen) RETURN_IF_ERROR(third[0]->Freeze());
  ASSIGN_OR_RETURN(const double before, ProcessorSeconds(teacher.pid()));
  const double rate = RowsPerSecond(others, turn, clock);
  ASSIGN_OR_RETURN(const double after, ProcessorSeconds(teacher.pid()));
  if (frozen) RETURN_IF_ERROR(ExpectThawed(third, clock));
  if (rate <= 0) return absl::InternalError("the other students take no labels");
  series->rate.push_back(rate);
  series->cpu_seconds_per_thousand.push_back((after - before) * 1000 /
                                             (rate * absl::ToDoubleSeconds(turn)));
  return absl::OkStatus();
}

absl::Status MeasureOthers(const std::string& suffix, double seconds_per_row,
                           const BenchOptions& options, Clock* clock, BenchReport* report) {
  ASSIGN_OR_RETURN(const auto teacher, StartWaitingTeacher({seconds_per_row, kClasses, kMaxBatch}));
  ASSIGN_OR_RETURN(const Students others, StartStudents(2, StudentOf(*teacher)));
  RowsPerSecond(others, kWarmUp, clock);
  Series series[3];
  series[0].name = "idle";
  series[1].name = "frozen";
  series[2].name = "idle_again";
  for (int round = 0; round < options.rounds; ++round) {
    for (size_t turn = 0; turn < std::size(series); ++turn) {
      const size_t i = (turn + static_cast<size_t>(round)) % std::size(series);
      RETURN_IF_ERROR(
          MeasureBeside(/*frozen=*/i == 1, *teacher, others, options.turn, clock, &series[i]));
    }
  }
  for (const Series& one : series) {
    const std::string name = absl::StrCat("others_", one.name, suffix);
    report->samples[name + ".per_second"] = one.rate;
    report->samples[name + ".server_cpu_seconds_per_1000"] = one.cpu_seconds_per_thousand;
  }
  report->AddRatio(absl::StrCat("others_over_before", suffix), series[1], series[0]);
  // Where the processors are the bound it would hide that of the rest.
  if (seconds_per_row > 0) report->AddNoise(series[0], series[2]);
  return absl::OkStatus();
}

// A field of /proc/PID/status in MiB.
absl::StatusOr<double> StatusMib(pid_t pid, const std::string& field) {
  std::ifstream status(absl::StrCat("/proc/", pid, "/status"));
  double kib = 0;
  for (std::string word; status >> word;) {
    if (word == field + ":" && status >> kib) return kib / 1024;
  }
  return absl::NotFoundError(absl::StrCat("no ", field, " of process ", pid));
}

// New processes: the peak of a process never falls.
absl::Status MeasureMemory(Clock* clock, BenchReport* report) {
  WaitingTeacherOptions options{kWideSecondsPerRow, kWideClasses, kWideBatch};
  options.max_server_mib = kCeilingMib;
  ASSIGN_OR_RETURN(const auto teacher, StartWaitingTeacher(options));
  ASSIGN_OR_RETURN(const double before, StatusMib(teacher->pid(), "VmRSS"));
  StudentProcessOptions student = StudentOf(*teacher, kWideClasses);
  student.rows = 32;
  student.window_steps = 2;
  ASSIGN_OR_RETURN(const Students others, StartStudents(2, student));
  RowsPerSecond(others, kWarmUp, clock);
  ASSIGN_OR_RETURN(const double beside_none, StatusMib(teacher->pid(), "VmHWM"));
  student.students = kFrozenStreams;
  student.kind = StudentKind::kGreedy;
  ASSIGN_OR_RETURN(const Students third, StartStudents(1, student));
  // Once its asks are there, and before many answers are.
  RowsPerSecond(third, absl::Milliseconds(200), clock);
  RETURN_IF_ERROR(third[0]->Freeze());
  if (RowsPerSecond(others, kWideTurn, clock) <= 0) {
    return absl::InternalError("the other students take no labels");
  }
  ASSIGN_OR_RETURN(const double peak, StatusMib(teacher->pid(), "VmHWM"));
  ASSIGN_OR_RETURN(const double held, StatusMib(teacher->pid(), "VmRSS"));
  RETURN_IF_ERROR(ExpectThawed(third, clock));
  report->samples["memory_over_ceiling"].push_back((peak - before) / kCeilingMib);
  report->samples["server_mib_before"].push_back(before);
  report->samples["server_mib_peak_beside_none"].push_back(beside_none);
  report->samples["server_mib_while_frozen"].push_back(held);
  report->samples["server_mib_peak"].push_back(peak);
  return absl::OkStatus();
}

struct Offered {
  Series series;
  double times = 1;
};

void AddCounts(const std::string& name, const DeadlineCounts& counts, double rows_per_second,
               BenchReport* report) {
  const auto late = static_cast<double>(counts.late);
  const double answers = static_cast<double>(counts.in_time) + late;
  const double asks = answers + static_cast<double>(counts.refused);
  report->samples[name + ".offered_per_second"].push_back(asks * rows_per_second);
  report->samples[name + ".late_of_answers"].push_back(late / std::max(1.0, answers));
  report->samples[name + ".late_by_ms"].push_back(absl::ToDoubleMilliseconds(counts.late_by) /
                                                  std::max(1.0, late));
}

absl::Status MeasureGoodput(const BenchOptions& options, Clock* clock, BenchReport* report) {
  ASSIGN_OR_RETURN(const auto teacher,
                   StartWaitingTeacher({kDeadlineSecondsPerRow, kClasses, /*max_batch=*/64}));
  DeadlineLoadOptions load_options;
  load_options.address = teacher->first_line();
  load_options.open = BenchTeacher::OpenFor(BenchModel(kClasses), "dense_fp16");
  ASSIGN_OR_RETURN(const auto load, DeadlineLoad::Open(load_options, clock));
  const auto rows = static_cast<double>(load_options.rows);
  const double saturated = 1 / kDeadlineSecondsPerRow / rows;
  Offered all[4];
  const std::pair<const char*, double> loads[] = {
      {"1x", 1}, {"1.5x", 1.5}, {"10x", 10}, {"10x_again", 10}};
  for (size_t i = 0; i < std::size(all); ++i) {
    all[i].series.name = loads[i].first;
    all[i].times = loads[i].second;
  }
  for (int round = 0; round < options.rounds; ++round) {
    for (size_t turn = 0; turn < std::size(all); ++turn) {
      Offered& offered = all[(turn + static_cast<size_t>(round)) % std::size(all)];
      const auto seed = static_cast<uint64_t>(round) * std::size(all) + turn + 1;
      ASSIGN_OR_RETURN(
          const DeadlineCounts counts,
          load->Run(PoissonArrivals(seed, offered.times * saturated, kWarmUp + options.turn),
                    kWarmUp));
      const double seconds = absl::ToDoubleSeconds(options.turn);
      offered.series.rate.push_back(static_cast<double>(counts.in_time) * rows / seconds);
      AddCounts(absl::StrCat("goodput_", offered.series.name), counts, rows / seconds, report);
    }
  }
  Series peak = all[0].series;
  for (size_t i = 0; i < peak.rate.size(); ++i) {
    peak.rate[i] = std::max(peak.rate[i], all[1].series.rate[i]);
  }
  for (const Offered& offered : all) {
    report->samples[absl::StrCat("goodput_", offered.series.name, ".per_second")] =
        offered.series.rate;
  }
  report->AddRatio("goodput_over_peak", all[2].series, peak);
  report->AddNoise(all[2].series, all[3].series);
  return absl::OkStatus();
}

absl::StatusOr<BenchReport> Run(const BenchOptions& options) {
  SystemClock clock;
  BenchReport report;
  report.name = "frozen";
  report.limits =
      "One machine: a frozen process keeps its sockets, as one does whose machine is alive; what\n"
      "a lost machine leaves is not shown. Teachers wait instead of computing: 0.1 ms a row (the\n"
      "others alone saturate that), not at all (the processors are the bound), 0.5 ms. A turn\n"
      "begins with SIGSTOP, so that what was asked before it and is computed in vain counts.\n"
      "Memory is that of the whole process, libraries and buffers included, over a ceiling of\n"
      "32 MiB; what the kernel holds in sockets is not in it. Overload is asks of 200 ms, and\n"
      "nobody asks again. Noise is the largest of the three pairs of turns that are alike.";
  RETURN_IF_ERROR(
      Annotate(MeasureOthers("", kSecondsPerRow, options, &clock, &report), "a saturated teacher"));
  RETURN_IF_ERROR(Annotate(MeasureOthers("_nop", 0, options, &clock, &report), "no wait"));
  for (int round = 0; round < options.rounds; ++round) {
    RETURN_IF_ERROR(Annotate(MeasureMemory(&clock, &report), "memory"));
  }
  report.values["memory_over_ceiling"] = Median(report.samples["memory_over_ceiling"]);
  RETURN_IF_ERROR(Annotate(MeasureGoodput(options, &clock, &report), "overload"));
  return report;
}

}  // namespace
}  // namespace distill

int main(int argc, char** argv) {
  if (const std::optional<int> exit = distill::ServeIfWaitingTeacher(argc, argv)) return *exit;
  if (const std::optional<int> exit = distill::AskIfStudentProcess(argc, argv)) return *exit;
  return distill::BenchMain(argc, argv,
                            "What a frozen student costs, and what an overloaded server gives.",
                            distill::Run);
}
