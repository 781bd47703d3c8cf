#include "cli/doctor/control_group.h"

#include <algorithm>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"

namespace distill {
namespace {

constexpr char kMount[] = "/sys/fs/cgroup";

std::optional<uint64_t> NumberIn(Machine& machine, const std::string& path) {
  const auto text = machine.ReadFile(path);
  uint64_t value = 0;
  if (!text.ok() || !absl::SimpleAtoi(*text, &value)) return std::nullopt;
  return value;
}

// The folder of a group below `mount`, and those of the groups that hold it. A container often
// mounts its own group as the root, where the path that the host gave leads nowhere; what is
// not there bounds nothing.
void AddFolders(const std::string& mount, const std::string& path,
                std::vector<std::string>& folders) {
  std::string folder = mount;
  folders.push_back(folder);
  for (const std::string& part :
       std::vector<std::string>(absl::StrSplit(path, '/', absl::SkipEmpty()))) {
    absl::StrAppend(&folder, "/", part);
    folders.push_back(folder);
  }
}

// A line of /proc/self/cgroup: "0::/a" is of version 2, "4:cpu,cpuacct:/a" of version 1.
struct Line {
  std::string controllers;
  std::string path;
};

std::vector<Line> Lines(Machine& machine) {
  std::vector<Line> lines;
  const auto text = machine.ReadFile("/proc/self/cgroup");
  if (!text.ok()) return lines;
  for (const std::string& line : std::vector<std::string>(absl::StrSplit(*text, '\n'))) {
    const std::vector<std::string> parts = absl::StrSplit(line, absl::MaxSplits(':', 2));
    if (parts.size() == 3) lines.push_back({parts[1], parts[2]});
  }
  return lines;
}

std::vector<std::string> Version2Folders(Machine& machine) {
  std::vector<std::string> folders = {kMount};
  for (const Line& line : Lines(machine)) {
    if (line.controllers.empty()) AddFolders(kMount, line.path, folders);
  }
  return folders;
}

std::vector<std::string> Version1Folders(Machine& machine, const std::string& controller) {
  const std::string mount = absl::StrCat(kMount, "/", controller);
  std::vector<std::string> folders = {mount};
  for (const Line& line : Lines(machine)) {
    const std::vector<std::string> controllers = absl::StrSplit(line.controllers, ',');
    if (std::ranges::find(controllers, controller) == controllers.end()) continue;
    AddFolders(mount, line.path, folders);
    // Mounted together, they may lie under their joint name only.
    if (controllers.size() > 1) {
      AddFolders(absl::StrCat(kMount, "/", line.controllers), line.path, folders);
    }
  }
  return folders;
}

// As MemAvailable of the whole machine does, both lists of the page cache count as free: files
// that were read twice are on the active one.
uint64_t PageCache(Machine& machine, const std::string& folder, const std::string& prefix) {
  const auto stat = machine.ReadFile(folder + "/memory.stat");
  if (!stat.ok()) return 0;
  return NumberAfter(*stat, prefix + "inactive_file").value_or(0) +
         NumberAfter(*stat, prefix + "active_file").value_or(0);
}

struct MemoryFiles {
  const char* limit;
  const char* used;
  // Of what memory.stat says of the group with those within it.
  const char* prefix;
};
constexpr MemoryFiles kVersion2Memory = {"/memory.max", "/memory.current", ""};
constexpr MemoryFiles kVersion1Memory = {"/memory.limit_in_bytes", "/memory.usage_in_bytes",
                                         "total_"};

void TakeLess(Machine& machine, const std::vector<std::string>& folders, const MemoryFiles& names,
              std::optional<MemoryQuota>& least) {
  for (const std::string& folder : folders) {
    const auto limit = NumberIn(machine, folder + names.limit);  // "max", no bound, is no number
    if (!limit.has_value()) continue;
    const uint64_t used = NumberIn(machine, folder + names.used).value_or(0);
    const uint64_t held = used - std::min(used, PageCache(machine, folder, names.prefix));
    const uint64_t left = *limit - std::min(*limit, held);
    if (!least.has_value() || left < least->left) least = MemoryQuota{*limit, left};
  }
}

}  // namespace

std::optional<uint64_t> NumberAfter(const std::string& text, const std::string& name) {
  for (const std::string& line : std::vector<std::string>(absl::StrSplit(text, '\n'))) {
    const std::vector<std::string> words = absl::StrSplit(line, ' ', absl::SkipEmpty());
    uint64_t value = 0;
    if (words.size() >= 2 && words[0] == name && absl::SimpleAtoi(words[1], &value)) return value;
  }
  return std::nullopt;
}

std::optional<double> CpuQuota(Machine& machine) {
  std::optional<double> least;
  const auto take = [&least](double quota, double period) {
    if (period > 0) least = std::min(least.value_or(quota / period), quota / period);
  };
  for (const std::string& folder : Version2Folders(machine)) {
    const auto text = machine.ReadFile(folder + "/cpu.max");  // "50000 100000" or "max 100000"
    if (!text.ok()) continue;
    const std::vector<std::string> words = absl::StrSplit(*text, absl::ByAnyChar(" \n"));
    double quota = 0, period = 0;
    if (words.size() >= 2 && absl::SimpleAtod(words[0], &quota) &&
        absl::SimpleAtod(words[1], &period)) {
      take(quota, period);
    }
  }
  for (const std::string& folder : Version1Folders(machine, "cpu")) {
    const auto quota = NumberIn(machine, folder + "/cpu.cfs_quota_us");  // -1: no bound
    const auto period = NumberIn(machine, folder + "/cpu.cfs_period_us");
    if (quota.has_value()) {
      take(static_cast<double>(*quota), static_cast<double>(period.value_or(0)));
    }
  }
  return least;
}

std::optional<MemoryQuota> MemoryQuotaOf(Machine& machine) {
  std::optional<MemoryQuota> least;
  TakeLess(machine, Version2Folders(machine), kVersion2Memory, least);
  TakeLess(machine, Version1Folders(machine, "memory"), kVersion1Memory, least);
  return least;
}

}  // namespace distill
