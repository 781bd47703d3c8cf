// The machine on which this process runs.
#ifndef CLI_DOCTOR_POSIX_MACHINE_H_
#define CLI_DOCTOR_POSIX_MACHINE_H_

#include <string>
#include <vector>

#include "cli/doctor/machine.h"
#include "common/clock/clock.h"

namespace distill {

class PosixMachine : public Machine {
 public:
  // `clock` must outlive this.
  explicit PosixMachine(Clock* clock) : clock_(clock) {}

  absl::StatusOr<std::string> ReadFile(const std::string& path) override;
  int Cpus() override;
  uint64_t MaxOpenFiles() override;
  absl::StatusOr<uint64_t> FreeBytes(const std::string& path) override;
  absl::Status CheckWritable(const std::string& path) override;
  absl::Status ConnectToSelf(const std::string& host) override;
  absl::StatusOr<std::string> RunProgram(const std::vector<std::string>& argv,
                                         absl::Duration timeout) override;
  absl::Time WallNow() override { return clock_->WallNow(); }
  absl::Duration MonotonicNow() override { return clock_->MonotonicNow(); }

 private:
  Clock* const clock_;
};

}  // namespace distill

#endif  // CLI_DOCTOR_POSIX_MACHINE_H_
