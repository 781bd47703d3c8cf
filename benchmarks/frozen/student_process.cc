#include "benchmarks/frozen/student_process.h"

#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <iostream>
#include <limits>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/synchronization/notification.h"
#include "benchmarks/support/asking_student.h"
#include "benchmarks/support/load.h"
#include "benchmarks/support/teacher.h"
#include "common/memory/malloc_tuning.h"
#include "common/status/status_macros.h"
#include "student_worker/label_source/label_source.h"

namespace distill {
namespace {

using Counter = std::atomic<int64_t>;
static_assert(Counter::is_always_lock_free, "processes share it");

constexpr char kFlag[] = "--ask-labels";

absl::StatusOr<Counter*> MapCounter(int fd) {
  void* const memory =
      mmap(nullptr, sizeof(Counter), PROT_READ | PROT_WRITE, MAP_SHARED, fd, /*offset=*/0);
  if (memory == MAP_FAILED) return absl::ErrnoToStatus(errno, "mapping a student's counter");
  return static_cast<Counter*>(memory);
}

// Streams without a label client behind them.
absl::Status AskRaw(const StudentProcessOptions& options, Counter* counter) {
  LoadOptions load;
  load.address = options.address;
  load.open = BenchTeacher::OpenFor(BenchModel(options.classes), "dense_fp16");
  load.window = 64;
  load.ask = [rows = options.rows](uint64_t request) { return BenchTeacher::Ask(request, rows); };
  load.answered = [rows = options.rows, counter](uint64_t) {
    counter->fetch_add(rows, std::memory_order_relaxed);
  };
  std::vector<std::unique_ptr<Load>> loads;
  for (int i = 0; i < options.students; ++i) {
    ASSIGN_OR_RETURN(loads.emplace_back(), Load::Open(load));
  }
  if (options.kind == StudentKind::kGreedy) {
    for (const auto& one : loads) one->Start(std::numeric_limits<int64_t>::max());
  }
  ChildProcess::ServeUntilParentEnds("connected");
  return absl::OkStatus();
}

absl::Status AskUntilParentEnds(const StudentProcessOptions& options, Counter* counter) {
  if (options.kind != StudentKind::kSteady) return AskRaw(options, counter);
  SystemClock clock;
  AskingStudentOptions asking;
  asking.classes = options.classes;
  asking.rows = options.rows;
  asking.window_steps = options.window_steps;
  asking.counter = counter;
  AskingStudents students;
  for (int i = 0; i < options.students; ++i) {
    students.push_back(std::make_unique<AskingStudent>(asking, &clock));
    students.back()->SetTeachers({{"teacher", 1, options.address}});
  }
  ChildProcess::ServeUntilParentEnds("asking");
  for (const auto& student : students) RETURN_IF_ERROR(student->status());
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<std::unique_ptr<StudentProcess>> StudentProcess::Start(
    const StudentProcessOptions& options) {
  std::unique_ptr<StudentProcess> student(new StudentProcess);
  // The child inherits it.
  const int fd = memfd_create("rows_taken", /*flags=*/0);
  if (fd < 0 || ftruncate(fd, sizeof(Counter)) != 0) {
    return absl::ErrnoToStatus(errno, "a student's counter");
  }
  const absl::StatusOr<Counter*> counter = MapCounter(fd);
  auto child = ChildProcess::Start(
      {kFlag, options.address, absl::StrCat(static_cast<int>(options.kind)),
       absl::StrCat(options.students), absl::StrCat(options.classes), absl::StrCat(options.rows),
       absl::StrCat(options.window_steps), absl::StrCat(fd)});
  close(fd);
  ASSIGN_OR_RETURN(student->counter_, counter);
  ASSIGN_OR_RETURN(student->child_, std::move(child));
  return student;
}

StudentProcess::~StudentProcess() {
  if (child_ != nullptr) Thaw();
  child_.reset();
  if (counter_ != nullptr) munmap(counter_, sizeof(Counter));
}

absl::Status StudentProcess::Freeze() {
  siginfo_t stopped{};
  if (kill(child_->pid(), SIGSTOP) != 0 ||
      waitid(P_PID, static_cast<id_t>(child_->pid()), &stopped, WSTOPPED) != 0) {
    return absl::ErrnoToStatus(errno, "freezing a student");
  }
  return absl::OkStatus();
}

void StudentProcess::Thaw() { kill(child_->pid(), SIGCONT); }

double RowsPerSecond(const std::vector<std::unique_ptr<StudentProcess>>& students,
                     absl::Duration time, Clock* clock) {
  const auto sum = [&] {
    int64_t rows = 0;
    for (const auto& student : students) rows += student->rows_taken();
    return static_cast<double>(rows);
  };
  const double before = sum();
  const absl::Duration start = clock->MonotonicNow();
  absl::Notification().WaitForNotificationWithTimeout(time);
  return (sum() - before) / absl::ToDoubleSeconds(clock->MonotonicNow() - start);
}

std::optional<int> AskIfStudentProcess(int argc, char** argv) {
  StudentProcessOptions options;
  int kind = 0;
  int fd = 0;
  if (argc != 9 || !absl::SimpleAtoi(argv[3], &kind) || std::string(argv[1]) != kFlag ||
      !absl::SimpleAtoi(argv[4], &options.students) ||
      !absl::SimpleAtoi(argv[5], &options.classes) || !absl::SimpleAtoi(argv[6], &options.rows) ||
      !absl::SimpleAtoi(argv[7], &options.window_steps) || !absl::SimpleAtoi(argv[8], &fd)) {
    return std::nullopt;
  }
  KeepFreedMemory();  // As every process of the product.
  options.address = argv[2];
  options.kind = static_cast<StudentKind>(kind);
  const absl::StatusOr<Counter*> counter = MapCounter(fd);
  const absl::Status status =
      counter.ok() ? AskUntilParentEnds(options, *counter) : counter.status();
  if (!status.ok()) std::cerr << "student: " << status << "\n";
  return status.ok() ? 0 : 1;
}

}  // namespace distill
