#include "cli/doctor/machine_checks.h"

#include <algorithm>
#include <cmath>
#include <optional>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "cli/doctor/control_group.h"
#include "cli/version/version.h"

namespace distill {
namespace {

constexpr uint64_t kMiB = uint64_t{1} << 20;
constexpr uint64_t kMiBOfAProcess = 256;
constexpr uint64_t kMiBToStart = 512;
constexpr double kLeastCpus = 0.2;
constexpr uint64_t kLeastFiles = 256;
constexpr uint64_t kGoodFiles = 1024;
constexpr uint64_t kLeastDiskMiB = 64;
constexpr uint64_t kGoodDiskMiB = 1024;
constexpr absl::Duration kMostDrift = absl::Milliseconds(500);
constexpr absl::Duration kProgramTimeout = absl::Seconds(20);
// A clock before this program was written is wrong.
constexpr int64_t kLeastUnixSeconds = 1'767'225'600;  // 2026
constexpr int64_t kMostUnixSeconds = 4'102'444'800;   // 2100

std::string Size(uint64_t bytes) {
  const double mib = static_cast<double>(bytes) / static_cast<double>(kMiB);
  return mib < 1024 ? absl::StrFormat("%.0f MiB", mib) : absl::StrFormat("%.1f GiB", mib / 1024);
}

}  // namespace

Finding CheckThreads(Machine& machine, const PlannedLoad& load) {
  const double cpus =
      std::min(static_cast<double>(machine.Cpus()), CpuQuota(machine).value_or(1e9));
  const int threads = load.processes * load.threads_each;
  Finding finding{Verdict::kOk, "threads",
                  absl::StrFormat("%d compute threads (%d processes of %d) for %g CPUs", threads,
                                  load.processes, load.threads_each, std::round(cpus * 10) / 10),
                  ""};
  if (cpus < kLeastCpus) {
    finding.verdict = Verdict::kFail;
    finding.fix = "raise the CPU limit of the container (cpu.max) to 1 or more";
  } else if (threads > std::max(1.0, 2 * std::ceil(cpus))) {
    finding.verdict = Verdict::kWarn;
    finding.fix = "they wait for one another: lower processes.threads, or raise the CPU limit";
  }
  return finding;
}

Finding CheckCpu(Machine& machine) {
  const auto text = machine.ReadFile("/proc/cpuinfo");
  std::vector<std::string> flags;
  if (text.ok()) {
    const size_t at = text->find("\nflags");
    if (at != std::string::npos) {
      flags = absl::StrSplit(text->substr(at + 1, text->find('\n', at + 1) - at - 1), ' ');
    }
  }
  if (flags.empty()) {
    return {Verdict::kWarn, "cpu", "/proc/cpuinfo names no flags of the processor",
            "distillery is built for x86-64; on another processor nothing was measured"};
  }
  const auto has = [&flags](const char* flag) {
    return std::ranges::find(flags, flag) != flags.end();
  };
  if (!has("sse4_2")) {
    return {Verdict::kFail, "cpu", "the processor lacks SSE4.2",
            "LibTorch needs a processor of 2009 or later"};
  }
  if (!has("avx2")) {
    return {Verdict::kWarn, "cpu", "the processor lacks AVX2",
            "LibTorch computes several times slower: take a processor of 2013 or later, or a "
            "virtual machine that shows its flags"};
  }
  return {Verdict::kOk, "cpu", has("avx512f") ? "AVX2 and AVX-512" : "AVX2, no AVX-512", ""};
}

Finding CheckMemory(Machine& machine, const PlannedLoad& load) {
  const std::string text = machine.ReadFile("/proc/meminfo").value_or("");
  const auto bytes_of = [&text](const char* name) {
    const std::optional<uint64_t> kib = NumberAfter(text, name);
    return kib.has_value() ? std::optional<uint64_t>(*kib * 1024) : std::nullopt;
  };
  std::optional<uint64_t> left = bytes_of("MemAvailable:");
  std::optional<uint64_t> limit = bytes_of("MemTotal:");
  const std::optional<MemoryQuota> quota = MemoryQuotaOf(machine);
  const bool bounded = quota.has_value() && (!left.has_value() || quota->left < *left);
  if (bounded) {
    left = quota->left;
    limit = quota->limit;
  }
  if (!left.has_value()) {
    return {Verdict::kWarn, "memory", "/proc/meminfo does not say how much is free",
            "look whether /proc is mounted"};
  }
  const uint64_t wanted =
      std::max(kMiBToStart, static_cast<uint64_t>(load.processes) * kMiBOfAProcess) * kMiB;
  const std::string of = !limit.has_value() ? ""
                         : bounded ? absl::StrCat(" within the container's limit of ", Size(*limit))
                                   : absl::StrCat(" of the machine's ", Size(*limit));
  Finding finding{Verdict::kOk, "memory",
                  absl::StrCat(Size(*left), " free", of, ", about ", Size(wanted), " wanted"), ""};
  if (*left >= wanted) return finding;
  finding.verdict = *left < kMiBOfAProcess * kMiB ? Verdict::kFail : Verdict::kWarn;
  finding.fix = absl::StrCat(bounded ? "raise the container's memory limit" : "free some",
                             ", or start fewer processes (processes.student_workers, "
                             "processes.teacher_servers)");
  return finding;
}

Finding CheckOpenFiles(Machine& machine) {
  const uint64_t limit = machine.MaxOpenFiles();
  Finding finding{Verdict::kOk, "open files", absl::StrCat("at most ", limit), ""};
  if (limit >= kGoodFiles) return finding;
  finding.verdict = limit < kLeastFiles ? Verdict::kFail : Verdict::kWarn;
  finding.fix = absl::StrCat("allow ", kGoodFiles, " or more: ulimit -n ", kGoodFiles);
  return finding;
}

Finding CheckPorts(Machine& machine, const std::string& host) {
  const absl::Status status = machine.ConnectToSelf(host);
  if (status.ok()) {
    return {Verdict::kOk, "ports", absl::StrCat("a free port of ", host, " can be reached"), ""};
  }
  if (absl::IsInvalidArgument(status)) {
    return {Verdict::kWarn, "ports", absl::StrCat(std::string(status.message()), ": not tried"),
            "check that the name leads to an address of this machine"};
  }
  return {Verdict::kFail, "ports", std::string(status.message()),
          "let a firewall pass connections of this machine to itself, and see that "
          "processes.bind_host is an address of it"};
}

Finding CheckDisk(Machine& machine, const std::string& run_dir) {
  if (const absl::Status status = machine.CheckWritable(run_dir); !status.ok()) {
    return {Verdict::kFail, "disk",
            absl::StrCat("nothing can be written there: ", std::string(status.message())),
            "change its owner or mode, or name another --run-dir"};
  }
  const auto free = machine.FreeBytes(run_dir);
  if (!free.ok()) {
    return {Verdict::kFail, "disk", std::string(free.status().message()),
            "name a --run-dir on a disk that is mounted"};
  }
  Finding finding{Verdict::kOk, "disk", absl::StrCat(Size(*free), " free for ", run_dir), ""};
  if (*free >= kGoodDiskMiB * kMiB) return finding;
  finding.verdict = *free < kLeastDiskMiB * kMiB ? Verdict::kFail : Verdict::kWarn;
  finding.fix = "free some, or name a --run-dir on another disk";
  return finding;
}

Finding CheckClock(Machine& machine, absl::Time wall, absl::Duration monotonic) {
  const int64_t seconds = absl::ToUnixSeconds(wall);
  const std::string now = absl::FormatTime(absl::RFC3339_sec, wall, absl::UTCTimeZone());
  if (seconds < kLeastUnixSeconds || seconds > kMostUnixSeconds) {
    return {Verdict::kFail, "clock", "it says " + now,
            "set the machine's clock; certificates and logs depend on it"};
  }
  const absl::Duration drift = (machine.WallNow() - wall) - (machine.MonotonicNow() - monotonic);
  if (absl::AbsDuration(drift) > kMostDrift) {
    return {Verdict::kWarn, "clock",
            absl::StrCat("it was moved by ", absl::FormatDuration(drift), " while this ran"),
            "times in logs will not fit one another; let the time service settle first. Runs are "
            "not harmed: they measure by the monotonic clock"};
  }
  return {Verdict::kOk, "clock", now, ""};
}

std::vector<Finding> CheckPrograms(Machine& machine, const std::vector<std::string>& programs,
                                   const std::string& version, const std::string& commit) {
  Finding all{Verdict::kOk, "programs", "", ""};
  Finding torch{Verdict::kOk, "libtorch", "", ""};
  std::vector<std::string> sound;
  for (const std::string& program : programs) {
    const std::string name = program.substr(program.rfind('/') + 1);
    const auto text = machine.RunProgram({program, "--version", "--json"}, kProgramTimeout);
    ProgramVersion told;
    if (!text.ok() || !ParseVersionJson(*text, &told)) {
      all = {
          Verdict::kFail, "programs",
          text.ok() ? program + " does not say its version" : std::string(text.status().message()),
          "build it (bazel build //cli:distillctl builds all), and install the libraries that it "
          "names (tools/setup)"};
      torch = {Verdict::kFail, "libtorch", name + " could not be asked", "see programs"};
      return {all, torch};
    }
    if (told.version != version || told.commit != commit) {
      all.verdict = Verdict::kWarn;
      all.found = absl::StrCat(name, " is ", told.version, " (", told.commit, "), distillctl is ",
                               version, " (", commit, ")");
      all.fix = "build all from one commit";
    }
    sound.push_back(name);
    if (!told.libtorch.empty()) torch.found = "loaded, version " + told.libtorch;
  }
  if (all.found.empty()) {
    all.found = absl::StrCat(absl::StrJoin(sound, ", "), ", version ", version);
  }
  if (torch.found.empty()) {
    torch = {Verdict::kWarn, "libtorch", "no program says that it has it",
             "build student_worker and teacher_server of this version"};
  }
  return {all, torch};
}

}  // namespace distill
