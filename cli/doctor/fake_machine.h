// A machine that is as a test says; as made, a sound one with 8 processors.
#ifndef CLI_DOCTOR_FAKE_MACHINE_H_
#define CLI_DOCTOR_FAKE_MACHINE_H_

#include <map>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "cli/doctor/machine.h"

namespace distill {

class FakeMachine : public Machine {
 public:
  FakeMachine() {
    files["/proc/cpuinfo"] = "processor : 0\nflags : fpu sse4_2 fma avx2 avx512f\n";
    files["/proc/meminfo"] = "MemTotal: 33554432 kB\nMemAvailable: 16777216 kB\n";
    files["/proc/self/cgroup"] = "0::/\n";
  }

  absl::StatusOr<std::string> ReadFile(const std::string& path) override {
    const auto found = files.find(path);
    if (found == files.end()) return absl::NotFoundError(path);
    return found->second;
  }
  int Cpus() override { return cpus; }
  uint64_t MaxOpenFiles() override { return max_open_files; }
  absl::StatusOr<uint64_t> FreeBytes(const std::string&) override { return free_bytes; }
  absl::Status CheckWritable(const std::string&) override { return writable; }
  absl::Status ConnectToSelf(const std::string&) override { return loopback; }
  absl::StatusOr<std::string> RunProgram(const std::vector<std::string>& argv,
                                         absl::Duration) override {
    const auto found = programs.find(argv[0]);
    if (found == programs.end()) return absl::NotFoundError(absl::StrCat(argv[0], ": not there"));
    return found->second;
  }
  absl::Time WallNow() override { return wall + jump * looks++; }
  absl::Duration MonotonicNow() override { return absl::Seconds(100); }

  std::map<std::string, std::string> files;
  int cpus = 8;
  uint64_t max_open_files = 65536;
  absl::StatusOr<uint64_t> free_bytes = uint64_t{100} << 30;
  absl::Status writable;
  absl::Status loopback;
  // What each prints.
  std::map<std::string, absl::StatusOr<std::string>> programs;
  absl::Time wall = absl::FromUnixSeconds(1'800'000'000);
  // By which the wall clock goes forward at each look while no time passes.
  absl::Duration jump;
  int looks = 0;
};

}  // namespace distill

#endif  // CLI_DOCTOR_FAKE_MACHINE_H_
