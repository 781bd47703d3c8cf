// What distillctl doctor says of the machine. Each check looks once and decides; none changes
// anything but CheckPorts, which takes a free port for a moment.
#ifndef CLI_DOCTOR_MACHINE_CHECKS_H_
#define CLI_DOCTOR_MACHINE_CHECKS_H_

#include <cstdint>
#include <string>
#include <vector>

#include "cli/doctor/finding.h"
#include "cli/doctor/machine.h"

namespace distill {

// What a plan would start here. Without a plan: one process of one thread.
struct PlannedLoad {
  int processes = 1;
  int threads_each = 1;
};

// Below 0.2 s of real CPU in each second a plan does not come on.
Finding CheckThreads(Machine& machine, const PlannedLoad& load);
// AVX2 and AVX-512, which LibTorch computes with.
Finding CheckCpu(Machine& machine);
// The least of what the machine and the control group leave, against 256 MiB a process; names
// the limit that bounds it.
Finding CheckMemory(Machine& machine, const PlannedLoad& load);
Finding CheckOpenFiles(Machine& machine);
Finding CheckPorts(Machine& machine, const std::string& host);
// Room and leave to write for the run directory.
Finding CheckDisk(Machine& machine, const std::string& run_dir);
// Plausible, and at one pace with the monotonic clock since `wall` and `monotonic` were read.
Finding CheckClock(Machine& machine, absl::Time wall, absl::Duration monotonic);
// Each of the programs answers --version --json; `version` is distillctl's own version and
// `commit` its commit. Two findings: the programs with the libraries they load, and LibTorch.
std::vector<Finding> CheckPrograms(Machine& machine, const std::vector<std::string>& programs,
                                   const std::string& version, const std::string& commit);

}  // namespace distill

#endif  // CLI_DOCTOR_MACHINE_CHECKS_H_
