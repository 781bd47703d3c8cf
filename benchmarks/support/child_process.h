// The benchmark's own program once more, as a process of its own.
#ifndef BENCHMARKS_SUPPORT_CHILD_PROCESS_H_
#define BENCHMARKS_SUPPORT_CHILD_PROCESS_H_

#include <sys/types.h>

#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"

namespace distill {

// Its standard input stays open as long as this lives: a child that reads until the end
// of it and then exits never outlives the benchmark.
class ChildProcess {
 public:
  // Waits for its first line, which is the address where it serves.
  static absl::StatusOr<std::unique_ptr<ChildProcess>> Start(
      const std::vector<std::string>& arguments);
  // Waits until it has exited.
  ~ChildProcess();

  const std::string& first_line() const { return first_line_; }
  pid_t pid() const { return pid_; }

  // In the child: prints the line and blocks until the parent lets go.
  static void ServeUntilParentEnds(const std::string& first_line);

 private:
  ChildProcess() = default;
  pid_t pid_ = 0;
  int input_ = -1;
  std::string first_line_;
};

}  // namespace distill

#endif  // BENCHMARKS_SUPPORT_CHILD_PROCESS_H_
