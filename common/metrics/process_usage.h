// What this process uses, as the process_* metrics report it.
#ifndef COMMON_METRICS_PROCESS_USAGE_H_
#define COMMON_METRICS_PROCESS_USAGE_H_

#include <string>

#include "absl/status/statusor.h"

namespace distill {

struct ProcessUsage {
  double cpu_seconds = 0;         // user and system, all threads, since the start
  double resident_bytes = 0;      // physical memory
  double open_fds = 0;            // with the one that this count itself needs
  double start_time_seconds = 0;  // since the epoch
};

// Reads self/stat, self/fd and stat below `proc`, "/proc" but in tests; proc(5)
// describes them. Any thread. UNAVAILABLE when one cannot be read, DATA_LOSS when
// one does not have that form; report nothing then.
absl::StatusOr<ProcessUsage> ReadProcessUsage(const std::string& proc);

}  // namespace distill

#endif  // COMMON_METRICS_PROCESS_USAGE_H_
