#include "benchmarks/support/asking_student.h"

#include <limits>
#include <utility>

#include "absl/synchronization/notification.h"
#include "benchmarks/support/teacher.h"
#include "common/status/status_macros.h"

namespace distill {

AskingStudent::AskingStudent(const AskingStudentOptions& options, Clock* clock)
    : options_(options), clock_(clock), timers_(clock) {
  LabelClientOptions client;
  client.source.end_step = std::numeric_limits<int64_t>::max() / 2;
  client.source.window_steps = options.window_steps;
  client.open = BenchTeacher::OpenFor(BenchModel(options.classes), "dense_fp16");
  client.rows = options.rows;
  client.examples_of = [rows = options.rows](int64_t step) {
    return BenchTeacher::Ask(static_cast<uint64_t>(step), rows).examples();
  };
  client_ = LabelClient::Create(client, &executor_, &timers_, clock, [] { return 0.5; });
  thread_ = std::thread([this] { Run(); });
}

AskingStudent::~AskingStudent() {
  client_->Close(absl::CancelledError("the benchmark is over"));
  thread_.join();
  timers_.Stop();
  executor_.Stop();
}

void AskingStudent::SetTeachers(const std::vector<TeacherEndpoint>& teachers) {
  client_->SetEndpoints(teachers);
}

std::vector<AskingStudent::Taken> AskingStudent::TakeTrace() {
  absl::MutexLock lock(&mu_);
  return std::exchange(trace_, {});
}

absl::Status AskingStudent::status() const {
  absl::MutexLock lock(&mu_);
  return failure_;
}

void AskingStudent::Run() {
  for (int64_t step = 0;; ++step) {
    const absl::StatusOr<StepLabels> labels = client_->Take(step);
    if (!labels.ok()) {
      absl::MutexLock lock(&mu_);
      failure_ = labels.status();
      return;
    }
    Taken taken;
    taken.rows = rows_taken_.fetch_add(options_.rows, std::memory_order_relaxed) + options_.rows;
    if (options_.counter != nullptr) {
      options_.counter->fetch_add(options_.rows, std::memory_order_relaxed);
    }
    if (options_.watched.empty()) continue;
    taken.when = clock_->MonotonicNow();
    for (const auto& [teacher, answers] : client_->counters().served) {
      taken.answers += answers;
      if (teacher == options_.watched) taken.watched = answers;
    }
    absl::MutexLock lock(&mu_);
    trace_.push_back(taken);
  }
}

absl::StatusOr<double> RowsPerSecond(const AskingStudents& students, absl::Duration time,
                                     Clock* clock) {
  const auto sum = [&] {
    int64_t rows = 0;
    for (const auto& student : students) rows += student->rows_taken();
    return static_cast<double>(rows);
  };
  const double before = sum();
  const absl::Duration start = clock->MonotonicNow();
  absl::Notification().WaitForNotificationWithTimeout(time);
  const double rows = sum() - before;
  const double seconds = absl::ToDoubleSeconds(clock->MonotonicNow() - start);
  for (const auto& student : students) RETURN_IF_ERROR(student->status());
  return rows / seconds;
}

}  // namespace distill
