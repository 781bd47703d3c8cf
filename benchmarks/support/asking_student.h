// A student that does not train: takes its labels, over the real label client with its
// choice among teachers, as fast as they come.
#ifndef BENCHMARKS_SUPPORT_ASKING_STUDENT_H_
#define BENCHMARKS_SUPPORT_ASKING_STUDENT_H_

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "common/clock/clock.h"
#include "common/clock/thread_timer_queue.h"
#include "common/executor/thread_executor.h"
#include "student_worker/worker/label_client.h"

namespace distill {

struct AskingStudentOptions {
  int64_t classes = 10;
  // Of a step.
  int64_t rows = 64;
  int window_steps = 4;
  // Answers of this teacher are counted in Taken.
  std::string watched;
  // Counts the rows that are taken, for whoever else has it; may be null.
  std::atomic<int64_t>* counter = nullptr;
};

class AskingStudent {
 public:
  // What had been taken at a point in time.
  struct Taken {
    absl::Duration when;
    int64_t rows = 0;
    // Answers, which are pieces of steps: of all teachers and of the watched one.
    int64_t answers = 0;
    int64_t watched = 0;
  };

  // Begins at once; waits for labels until it has teachers. The clock must outlive it.
  AskingStudent(const AskingStudentOptions& options, Clock* clock);
  // Ends its streams.
  ~AskingStudent();

  // Thread-safe, all of them.
  void SetTeachers(const std::vector<TeacherEndpoint>& teachers);
  int64_t rows_taken() const { return rows_taken_.load(std::memory_order_relaxed); }
  // An element for each step since the last call.
  std::vector<Taken> TakeTrace() ABSL_LOCKS_EXCLUDED(mu_);
  // The first failure; it takes nothing any more.
  absl::Status status() const ABSL_LOCKS_EXCLUDED(mu_);

 private:
  void Run();

  const AskingStudentOptions options_;
  Clock* const clock_;
  ThreadExecutor executor_{{.name = "labels", .threads = 1, .max_queued = 4096}};
  ThreadTimerQueue timers_;
  std::shared_ptr<LabelClient> client_;
  std::atomic<int64_t> rows_taken_{0};
  mutable absl::Mutex mu_;
  std::vector<Taken> trace_ ABSL_GUARDED_BY(mu_);
  absl::Status failure_ ABSL_GUARDED_BY(mu_);
  std::thread thread_;
};

using AskingStudents = std::vector<std::unique_ptr<AskingStudent>>;

// Rows that all of them take from now on during `time`, a second; blocks so long. What a
// student failed with.
absl::StatusOr<double> RowsPerSecond(const AskingStudents& students, absl::Duration time,
                                     Clock* clock);

}  // namespace distill

#endif  // BENCHMARKS_SUPPORT_ASKING_STUDENT_H_
