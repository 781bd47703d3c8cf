// Students that only ask, in a process of their own, which can be frozen.
#ifndef BENCHMARKS_FROZEN_STUDENT_PROCESS_H_
#define BENCHMARKS_FROZEN_STUDENT_PROCESS_H_

#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "benchmarks/support/child_process.h"
#include "common/clock/clock.h"

namespace distill {

enum class StudentKind {
  kIdle,    // Connected, and asks nothing.
  kSteady,  // Over the real label client, for as much as that finds right.
  kGreedy,  // For all that its credit allows, and whatever was refused not again.
};

struct StudentProcessOptions {
  StudentKind kind = StudentKind::kSteady;
  // Of their one teacher.
  std::string address;
  int students = 1;
  int64_t classes = 10;
  // Of a step.
  int64_t rows = 64;
  // Of a steady one.
  int window_steps = 4;
};

class StudentProcess {
 public:
  // The process is there when it returns, but may have taken nothing yet.
  static absl::StatusOr<std::unique_ptr<StudentProcess>> Start(
      const StudentProcessOptions& options);
  // Thaws it and waits until it has exited.
  ~StudentProcess();

  // Of all its students.
  int64_t rows_taken() const { return counter_->load(std::memory_order_relaxed); }

  // SIGSTOP; it has stopped when this returns. SIGCONT.
  absl::Status Freeze();
  void Thaw();

 private:
  StudentProcess() = default;
  // In memory that both processes have.
  std::atomic<int64_t>* counter_ = nullptr;
  std::unique_ptr<ChildProcess> child_;
};

// Rows that all of them take from now on during `time`, a second; blocks so long.
double RowsPerSecond(const std::vector<std::unique_ptr<StudentProcess>>& students,
                     absl::Duration time, Clock* clock);

// First in main(): in the process of such students, asks until the parent ends and says what
// to exit with.
std::optional<int> AskIfStudentProcess(int argc, char** argv);

}  // namespace distill

#endif  // BENCHMARKS_FROZEN_STUDENT_PROCESS_H_
