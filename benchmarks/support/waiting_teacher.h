// A teacher in a process of its own that waits instead of computing.
#ifndef BENCHMARKS_SUPPORT_WAITING_TEACHER_H_
#define BENCHMARKS_SUPPORT_WAITING_TEACHER_H_

#include <cstdint>
#include <memory>
#include <optional>

#include "absl/status/statusor.h"
#include "benchmarks/support/child_process.h"

namespace distill {

struct WaitingTeacherOptions {
  double seconds_per_row = 0;
  int64_t classes = 0;
  int64_t max_batch = 0;
  // Of its label cache, in memory; 0: none.
  int64_t cache_mib = 0;
  // LabelStreamOptions::max_server_bytes.
  int64_t max_server_mib = 1024;
};

// Its first_line() is its address. Stopped with the result.
absl::StatusOr<std::unique_ptr<ChildProcess>> StartWaitingTeacher(
    const WaitingTeacherOptions& options);

// First in main(): in the process of such a teacher, serves until the parent ends and says
// what to exit with.
std::optional<int> ServeIfWaitingTeacher(int argc, char** argv);

}  // namespace distill

#endif  // BENCHMARKS_SUPPORT_WAITING_TEACHER_H_
