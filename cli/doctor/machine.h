// What distillctl doctor sees of the machine, through an interface, so that a test decides what
// the machine is like.
#ifndef CLI_DOCTOR_MACHINE_H_
#define CLI_DOCTOR_MACHINE_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"

namespace distill {

// Thread-compatible. Errors name what was looked at.
class Machine {
 public:
  virtual ~Machine() = default;

  // The text of a file of /proc or /sys; NOT_FOUND where there is none.
  virtual absl::StatusOr<std::string> ReadFile(const std::string& path) = 0;
  // Processors that this process may use.
  virtual int Cpus() = 0;
  // The soft limit.
  virtual uint64_t MaxOpenFiles() = 0;
  // For this user, at `path`, or at what of it exists.
  virtual absl::StatusOr<uint64_t> FreeBytes(const std::string& path) = 0;
  // Whether files can be made there, or in what of it exists; OK or why not.
  virtual absl::Status CheckWritable(const std::string& path) = 0;
  // Takes a free port of `host` (an IPv4 address), connects to it and sends a byte. Bounded by
  // two seconds.
  virtual absl::Status ConnectToSelf(const std::string& host) = 0;
  // What the program prints to stdout, at most 64 KiB. NOT_FOUND: it is not there or cannot be
  // started. INTERNAL: it ended with an error; what it said on stderr is in the message.
  // DEADLINE_EXCEEDED: it did not end by `timeout` and was killed.
  virtual absl::StatusOr<std::string> RunProgram(const std::vector<std::string>& argv,
                                                 absl::Duration timeout) = 0;
  virtual absl::Time WallNow() = 0;
  virtual absl::Duration MonotonicNow() = 0;
};

}  // namespace distill

#endif  // CLI_DOCTOR_MACHINE_H_
