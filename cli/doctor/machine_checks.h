// What distillctl doctor says of the machine. Each check looks once and decides; none changes
// anything but CheckPorts, which takes a free port for a moment.
#ifndef CLI_DOCTOR_MACHINE_CHECKS_H_
#define CLI_DOCTOR_MACHINE_CHECKS_H_

#include <cstdint>
#include <optional>
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

// Bounds of the control group that this process is in, of version 1 or 2, or of one that holds
// it; nothing where there is none.
std::optional<double> CpuQuota(Machine& machine);
std::optional<uint64_t> MemoryQuotaLeft(Machine& machine);

// Below 0.2 s of real CPU in each second a plan does not come on.
Finding CheckThreads(Machine& machine, const PlannedLoad& load);
// AVX2 and AVX-512, which LibTorch computes with.
Finding CheckCpu(Machine& machine);
// The least of what the machine and the control group leave, against 256 MiB a process.
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
