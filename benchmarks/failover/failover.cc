// What a fleet does when it changes: how soon after SIGKILL of one of four teachers a student
// has the rate of three, how soon a teacher that joins serves its share, and what teachers
// of speeds 4:1:1:1 give together. Teachers are processes that wait instead of computing.
#include <signal.h>

#include <algorithm>
#include <cmath>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "benchmarks/failover/taken_trace.h"
#include "benchmarks/support/asking_student.h"
#include "benchmarks/support/bench_report.h"
#include "benchmarks/support/child_process.h"
#include "benchmarks/support/interleaved.h"
#include "benchmarks/support/teacher.h"
#include "benchmarks/support/waiting_teacher.h"
#include "common/clock/clock.h"
#include "common/status/annotate.h"
#include "common/status/status_macros.h"
#include "student_worker/label_source/label_source.h"

namespace distill {
namespace {

constexpr int64_t kClasses = 10;
constexpr int64_t kMaxBatch = 64;
constexpr int kTeachers = 4;
// A teacher gives 5,000 rows a second; the slow ones of the last part a quarter.
constexpr double kSecondsPerRow = 0.0002;
constexpr absl::Duration kWindow = absl::Milliseconds(200);
// After a change.
constexpr absl::Duration kObserved = absl::Seconds(3);
// "The rate of three" and "its fair share within 10 %".
constexpr double kRateReached = 0.95;
constexpr double kShareWithin = 0.10;

class Fleet {
 public:
  absl::Status Add(double seconds_per_row) {
    ASSIGN_OR_RETURN(teachers_.emplace_back(),
                     StartWaitingTeacher({seconds_per_row, kClasses, kMaxBatch}));
    endpoints_.push_back(
        {absl::StrCat("teacher", teachers_.size()), 1, teachers_.back()->first_line()});
    return absl::OkStatus();
  }
  void KillLast() {
    kill(teachers_.back()->pid(), SIGKILL);
    teachers_.pop_back();
    endpoints_.pop_back();
  }
  const std::vector<TeacherEndpoint>& endpoints() const { return endpoints_; }

 private:
  std::vector<std::unique_ptr<ChildProcess>> teachers_;
  std::vector<TeacherEndpoint> endpoints_;
};

AskingStudents OneStudent(const std::vector<TeacherEndpoint>& teachers, Clock* clock) {
  AskingStudentOptions options;
  options.classes = kClasses;
  options.watched = absl::StrCat("teacher", kTeachers);
  AskingStudents students;
  students.push_back(std::make_unique<AskingStudent>(options, clock));
  students.back()->SetTeachers(teachers);
  return students;
}

// What did not happen while it was looked at took longer than that.
double SecondsOr(const std::optional<absl::Duration>& time) {
  return absl::ToDoubleSeconds(time.value_or(kObserved));
}

// Four teachers, of which one is killed; the list of teachers stays, so that the student has
// to find out by itself. Then one that has started is put on the list.
absl::Status MeasureChanges(const BenchOptions& options, Clock* clock, BenchReport* report) {
  Fleet fleet;
  for (int i = 0; i < kTeachers; ++i) RETURN_IF_ERROR(fleet.Add(kSecondsPerRow));
  const AskingStudents students = OneStudent(fleet.endpoints(), clock);
  RETURN_IF_ERROR(RowsPerSecond(students, absl::Seconds(1), clock).status());
  ASSIGN_OR_RETURN(const double four, RowsPerSecond(students, options.turn, clock));

  students[0]->TakeTrace();
  const absl::Duration killed = clock->MonotonicNow();
  fleet.KillLast();
  RETURN_IF_ERROR(RowsPerSecond(students, kObserved, clock).status());
  const TakenTrace trace = students[0]->TakeTrace();
  const absl::Duration end = killed + kObserved;
  // What three can give: by what four gave, or by what they give in the end.
  const double in_the_end = StretchOf(trace, end - kObserved / 2, end).rows_per_second;
  const double three = std::max(four * (kTeachers - 1) / kTeachers, in_the_end);
  report->samples["seconds_to_rate_after_kill"].push_back(
      SecondsOr(TimeUntil(trace, killed, end, kWindow, [&](const Stretch& s) {
        return s.rows_per_second >= kRateReached * three;
      })));
  report->samples["seconds_without_labels_after_kill"].push_back(
      absl::ToDoubleSeconds(LongestGap(trace, killed, killed + absl::Seconds(1))));
  report->samples["rows_per_second_of_three"].push_back(in_the_end);

  // It is gone from the list too, as after the coordinator noticed.
  students[0]->SetTeachers(fleet.endpoints());
  RETURN_IF_ERROR(fleet.Add(kSecondsPerRow));
  RETURN_IF_ERROR(RowsPerSecond(students, absl::Milliseconds(500), clock).status());
  students[0]->TakeTrace();
  const absl::Duration joined = clock->MonotonicNow();
  students[0]->SetTeachers(fleet.endpoints());
  RETURN_IF_ERROR(RowsPerSecond(students, kObserved, clock).status());
  constexpr double kFair = 1.0 / kTeachers;
  report->samples["seconds_to_fair_share_after_join"].push_back(SecondsOr(TimeUntil(
      students[0]->TakeTrace(), joined, joined + kObserved, kWindow, [&](const Stretch& s) {
        return std::abs(s.watched_share - kFair) <= kShareWithin * kFair;
      })));
  report->samples["rows_per_second_of_four"].push_back(four);
  return absl::OkStatus();
}

absl::StatusOr<double> SteadyRate(const std::vector<TeacherEndpoint>& teachers,
                                  const BenchOptions& options, Clock* clock) {
  const AskingStudents students = OneStudent(teachers, clock);
  RETURN_IF_ERROR(RowsPerSecond(students, absl::Seconds(1), clock).status());
  return RowsPerSecond(students, options.turn, clock);
}

absl::Status MeasureUnequal(const BenchOptions& options, Clock* clock, BenchReport* report) {
  Fleet fleet;
  for (int i = 0; i < kTeachers; ++i) {
    RETURN_IF_ERROR(fleet.Add(i == 0 ? kSecondsPerRow : kSecondsPerRow * 4));
  }
  Series sum;
  sum.name = "sum";
  Series together;
  together.name = "together";
  Series again;
  again.name = "together_again";
  for (int round = 0; round < options.rounds; ++round) {
    double alone = 0;
    for (const TeacherEndpoint& one : fleet.endpoints()) {
      ASSIGN_OR_RETURN(const double rate, SteadyRate({one}, options, clock));
      alone += rate;
    }
    sum.rate.push_back(alone);
    for (Series* series : {&together, &again}) {
      ASSIGN_OR_RETURN(series->rate.emplace_back(), SteadyRate(fleet.endpoints(), options, clock));
    }
  }
  for (const Series* series : {&sum, &together, &again}) {
    report->samples[absl::StrCat("unequal_", series->name, ".per_second")] = series->rate;
  }
  report->AddRatio("unequal_over_sum", together, sum);
  report->AddNoise(together, again);
  return absl::OkStatus();
}

absl::StatusOr<BenchReport> Run(const BenchOptions& options) {
  SystemClock clock;
  BenchReport report;
  report.name = "failover";
  report.limits =
      "One student and its teachers on one machine: a killed process closes its connections at\n"
      "once, which a lost machine or network does not. Teachers wait instead of computing, 0.2 ms\n"
      "a row. Times end with the first 200 ms that are good and after which it stays so, hence "
      "are\n"
      "0.2 s at least, and 3 s stand for never. The time in which a coordinator learns of a "
      "teacher\n"
      "is not in them. Noise is that of unequal_over_sum.";
  for (int round = 0; round < options.rounds; ++round) {
    RETURN_IF_ERROR(Annotate(MeasureChanges(options, &clock, &report), "kill and join"));
  }
  for (const char* name : {"seconds_to_rate_after_kill", "seconds_to_fair_share_after_join"}) {
    report.values[name] = Median(report.samples[name]);
  }
  RETURN_IF_ERROR(Annotate(MeasureUnequal(options, &clock, &report), "unequal teachers"));
  return report;
}

}  // namespace
}  // namespace distill

int main(int argc, char** argv) {
  if (const std::optional<int> exit = distill::ServeIfWaitingTeacher(argc, argv)) return *exit;
  return distill::BenchMain(argc, argv, "What a fleet gives when teachers go, come and differ.",
                            distill::Run);
}
