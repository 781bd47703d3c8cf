// Whether a fleet gives what its teachers give together: rows a second of 1 to 16 teachers
// that wait instead of computing, asked by 1 to 64 students, over as many times what one
// teacher gives one student.
#include <algorithm>
#include <cmath>
#include <iostream>
#include <limits>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "benchmarks/support/asking_student.h"
#include "benchmarks/support/bench_report.h"
#include "benchmarks/support/interleaved.h"
#include "benchmarks/support/teacher.h"
#include "common/clock/clock.h"
#include "common/status/annotate.h"
#include "common/status/status_macros.h"
#include "student_worker/label_source/label_source.h"

namespace distill {
namespace {

constexpr int64_t kClasses = 10;
constexpr int64_t kMaxBatch = 64;
// A teacher gives 2,000 rows a second.
constexpr absl::Duration kPerRow = absl::Microseconds(500);
// Until the first answers of 64 students have spread.
constexpr absl::Duration kWarmUp = absl::Seconds(2);
// Of the machine's processors; where linear growth needs more, they are what limits the fleet.
constexpr double kFull = 0.9;

struct Fleet {
  int teachers;
  int students;
  // Of each student, so that all teachers have enough and none has more than it lets wait.
  int64_t step_rows;
  int window_steps;
};
constexpr Fleet kFleets[] = {
    {1, 1, 32, 16}, {1, 8, 32, 4},   {2, 8, 32, 4},   {4, 8, 32, 4},
    {8, 8, 32, 8},  {16, 8, 32, 16}, {4, 1, 32, 16},  {16, 1, 32, 16},
    {1, 64, 16, 4}, {4, 64, 32, 4},  {16, 64, 64, 4}, {1, 1, 32, 16},
};

std::string Name(const Fleet& fleet) {
  return absl::StrCat("teachers", fleet.teachers, "_students", fleet.students);
}

class Teachers {
 public:
  static absl::StatusOr<Teachers> Start(int count, Clock* clock) {
    Teachers teachers;
    for (int i = 0; i < count; ++i) {
      auto runner =
          std::make_shared<WaitingRunner>(BenchModel(kClasses), kMaxBatch, kPerRow, clock);
      ASSIGN_OR_RETURN(teachers.servers_.emplace_back(),
                       BenchTeacher::Start(std::move(runner), kMaxBatch, clock));
      teachers.endpoints_.push_back(
          {absl::StrCat("teacher", i), 1, teachers.servers_.back()->address()});
    }
    return teachers;
  }
  std::vector<TeacherEndpoint> First(int count) const {
    return {endpoints_.begin(), endpoints_.begin() + count};
  }

 private:
  std::vector<std::unique_ptr<BenchTeacher>> servers_;
  std::vector<TeacherEndpoint> endpoints_;
};

// New students in each turn; what they begin with is not measured.
absl::Status MeasureOnce(const Fleet& fleet, const Teachers& teachers, absl::Duration turn,
                         Clock* clock, Series* series) {
  AskingStudentOptions options;
  options.classes = kClasses;
  options.rows = fleet.step_rows;
  options.window_steps = fleet.window_steps;
  AskingStudents students;
  for (int i = 0; i < fleet.students; ++i) {
    students.push_back(std::make_unique<AskingStudent>(options, clock));
    students.back()->SetTeachers(teachers.First(fleet.teachers));
  }
  RETURN_IF_ERROR(RowsPerSecond(students, kWarmUp, clock).status());
  const ResourceUsage before = UsageOfThisProcess();
  ASSIGN_OR_RETURN(const double rate, RowsPerSecond(students, turn, clock));
  const ResourceUsage after = UsageOfThisProcess();
  const double thousands = rate * absl::ToDoubleSeconds(turn) / 1000;
  series->rate.push_back(rate);
  series->cpu_seconds_per_thousand.push_back((after.cpu_seconds - before.cpu_seconds) / thousands);
  series->page_faults_per_thousand.push_back((after.page_faults - before.page_faults) / thousands);
  return absl::OkStatus();
}

void AddLinear(const std::vector<Series>& series, BenchReport* report) {
  const double processors = std::max(1u, std::thread::hardware_concurrency());
  double worst = std::numeric_limits<double>::infinity();
  for (size_t i = 1; i + 1 < series.size(); ++i) {
    Series linear = series[0];
    for (double& rate : linear.rate) rate *= kFleets[i].teachers;
    const std::string name = absl::StrCat(series[i].name, "_over_linear");
    report->AddRatio(name, series[i], linear);
    // Of all processors, by what a row did cost.
    const double needed =
        Median(series[i].cpu_seconds_per_thousand) * Median(linear.rate) / 1000 / processors;
    report->values[absl::StrCat(series[i].name, "_processors_needed")] = needed;
    if (needed < kFull) {
      worst = std::min(worst, report->values[name]);
    } else {
      std::cout << series[i].name << ": the processors are full" << std::endl;
    }
  }
  // Absent, hence out of range, where no fleet counts.
  if (std::isfinite(worst)) report->values["worst_over_linear"] = worst;
}

absl::StatusOr<BenchReport> Run(const BenchOptions& options) {
  SystemClock clock;
  ASSIGN_OR_RETURN(const Teachers teachers, Teachers::Start(16, &clock));
  constexpr size_t kCount = std::size(kFleets);
  std::vector<Series> series(kCount);
  for (size_t i = 0; i < kCount; ++i) series[i].name = Name(kFleets[i]);
  series.back().name += "_again";
  for (int round = 0; round < options.rounds; ++round) {
    for (size_t turn = 0; turn < kCount; ++turn) {
      const size_t i = (turn + static_cast<size_t>(round)) % kCount;
      RETURN_IF_ERROR(Annotate(MeasureOnce(kFleets[i], teachers, options.turn, &clock, &series[i]),
                               series[i].name));
    }
  }
  BenchReport report;
  report.name = "growth";
  report.limits =
      "Teachers and students share one process, its processors and the loopback. Teachers wait\n"
      "0.5 ms a row instead of computing, so that the machine has room for 16 of them. A fleet\n"
      "whose linear rate would need 90 % of the processors is shown and does not count. What "
      "other\n"
      "processes use is not seen: run it on a quiet machine. Units are rows.";
  report.Add("", series);
  AddLinear(series, &report);
  report.AddNoise(series.front(), series.back());
  return report;
}

}  // namespace
}  // namespace distill

int main(int argc, char** argv) {
  return distill::BenchMain(
      argc, argv, "What a fleet of teachers gives over what each of them gives.", distill::Run);
}
