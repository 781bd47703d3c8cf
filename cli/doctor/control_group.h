// What the control groups that hold this process leave it, of version 1 or 2.
#ifndef CLI_DOCTOR_CONTROL_GROUP_H_
#define CLI_DOCTOR_CONTROL_GROUP_H_

#include <cstdint>
#include <optional>
#include <string>

#include "cli/doctor/machine.h"

namespace distill {

struct MemoryQuota {
  uint64_t limit = 0;
  // Page cache counts as left: the system takes it back before it refuses memory.
  uint64_t left = 0;
};

// CPUs, by the least quota of the group of this process and of those that hold it; nothing
// where none has one.
std::optional<double> CpuQuota(Machine& machine);
// Of the group among those that leaves the least.
std::optional<MemoryQuota> MemoryQuotaOf(Machine& machine);

// "name 123" of a line of a file such as memory.stat or /proc/meminfo ("name: 123 kB"), in its
// own unit.
std::optional<uint64_t> NumberAfter(const std::string& text, const std::string& name);

}  // namespace distill

#endif  // CLI_DOCTOR_CONTROL_GROUP_H_
