#include "cli/doctor/machine_checks.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <utility>

#include "absl/status/status.h"
#include "cli/doctor/fake_machine.h"
#include "cli/version/version.h"

namespace distill {
namespace {

using ::testing::HasSubstr;

constexpr uint64_t kMiB = uint64_t{1} << 20;

// OK says nothing to do; WARN and FAIL say what to do.
void ExpectFinding(const Finding& finding, Verdict verdict, const std::string& found,
                   const std::string& fix) {
  EXPECT_EQ(finding.verdict, verdict) << finding.found;
  EXPECT_THAT(finding.found, HasSubstr(found));
  EXPECT_THAT(finding.fix, HasSubstr(fix));
  EXPECT_EQ(finding.fix.empty(), verdict == Verdict::kOk) << finding.fix;
}

TEST(DoctorThreads, FitTheProcessorsOrTheContainersQuota) {
  FakeMachine machine;
  ExpectFinding(CheckThreads(machine, {5, 1}), Verdict::kOk, "5 compute threads", "");
  ExpectFinding(CheckThreads(machine, {5, 4}), Verdict::kWarn, "for 8 CPUs", "processes.threads");
  machine.files["/sys/fs/cgroup/cpu.max"] = "150000 100000\n";
  ExpectFinding(CheckThreads(machine, {5, 1}), Verdict::kWarn, "for 1.5 CPUs", "CPU limit");
  machine.files["/sys/fs/cgroup/cpu.max"] = "10000 100000\n";
  ExpectFinding(CheckThreads(machine, {1, 1}), Verdict::kFail, "for 0.1 CPUs", "cpu.max");
}

TEST(DoctorCpu, WantsAvx2) {
  FakeMachine machine;
  ExpectFinding(CheckCpu(machine), Verdict::kOk, "AVX2 and AVX-512", "");
  machine.files["/proc/cpuinfo"] = "processor : 0\nflags\t: sse4_2 avx2\nbugs : x\n";
  ExpectFinding(CheckCpu(machine), Verdict::kOk, "no AVX-512", "");
  machine.files["/proc/cpuinfo"] = "processor : 0\nflags\t: sse4_2 avx\nbugs : avx2\n";
  ExpectFinding(CheckCpu(machine), Verdict::kWarn, "lacks AVX2", "slower");
  machine.files["/proc/cpuinfo"] = "processor : 0\nflags\t: fpu\n";
  ExpectFinding(CheckCpu(machine), Verdict::kFail, "lacks SSE4.2", "2009");
  machine.files.erase("/proc/cpuinfo");
  ExpectFinding(CheckCpu(machine), Verdict::kWarn, "names no flags", "x86-64");
}

TEST(DoctorMemory, IsTheLeastThatTheMachineAndTheContainerLeave) {
  FakeMachine machine;
  ExpectFinding(CheckMemory(machine, {4, 1}), Verdict::kOk,
                "16.0 GiB free of the machine's 32.0 GiB", "");
  machine.files["/sys/fs/cgroup/memory.max"] = absl::StrCat(900 * kMiB);
  machine.files["/sys/fs/cgroup/memory.current"] = absl::StrCat(100 * kMiB);
  ExpectFinding(CheckMemory(machine, {1, 1}), Verdict::kOk,
                "800 MiB free within the container's limit of 900 MiB", "");
  ExpectFinding(CheckMemory(machine, {4, 1}), Verdict::kWarn, "about 1.0 GiB wanted",
                "container's memory limit");
  machine.files["/sys/fs/cgroup/memory.max"] = absl::StrCat(300 * kMiB);
  ExpectFinding(CheckMemory(machine, {1, 1}), Verdict::kFail, "200 MiB free", "fewer processes");
  // Files that were read fill a container up to its limit, and harm nobody.
  machine.files["/sys/fs/cgroup/memory.max"] = absl::StrCat(4096 * kMiB);
  machine.files["/sys/fs/cgroup/memory.current"] = absl::StrCat(4095 * kMiB);
  machine.files["/sys/fs/cgroup/memory.stat"] = absl::StrCat("inactive_file ", 3995 * kMiB, "\n");
  ExpectFinding(CheckMemory(machine, {4, 1}), Verdict::kOk, "3.9 GiB free within", "");
  machine.files.erase("/sys/fs/cgroup/memory.max");
  machine.files["/proc/meminfo"] = "MemTotal: 1000000 kB\nMemAvailable: 100000 kB\n";
  ExpectFinding(CheckMemory(machine, {1, 1}), Verdict::kFail, "98 MiB free", "free some");
  machine.files.erase("/proc/meminfo");
  ExpectFinding(CheckMemory(machine, {1, 1}), Verdict::kWarn, "does not say", "/proc");
}

TEST(DoctorOpenFiles, AreAThousandOrMore) {
  FakeMachine machine;
  ExpectFinding(CheckOpenFiles(machine), Verdict::kOk, "65536", "");
  machine.max_open_files = 512;
  ExpectFinding(CheckOpenFiles(machine), Verdict::kWarn, "512", "ulimit -n");
  machine.max_open_files = 64;
  ExpectFinding(CheckOpenFiles(machine), Verdict::kFail, "64", "ulimit -n");
}

TEST(DoctorPorts, CanBeTakenAndReached) {
  FakeMachine machine;
  ExpectFinding(CheckPorts(machine, "127.0.0.1"), Verdict::kOk, "127.0.0.1", "");
  machine.loopback = absl::InvalidArgumentError("'host' is no IPv4 address");
  ExpectFinding(CheckPorts(machine, "host"), Verdict::kWarn, "not tried",
                "address of this machine");
  machine.loopback = absl::UnavailableError("a connection is not made");
  ExpectFinding(CheckPorts(machine, "10.0.0.1"), Verdict::kFail, "not made", "firewall");
}

TEST(DoctorDisk, HasRoomAndMayBeWritten) {
  FakeMachine machine;
  ExpectFinding(CheckDisk(machine, "runs"), Verdict::kOk, "100.0 GiB free for runs", "");
  machine.free_bytes = 500 * kMiB;
  ExpectFinding(CheckDisk(machine, "runs"), Verdict::kWarn, "500 MiB free", "another disk");
  machine.free_bytes = 10 * kMiB;
  ExpectFinding(CheckDisk(machine, "runs"), Verdict::kFail, "10 MiB free", "another disk");
  machine.free_bytes = absl::NotFoundError("gone");
  ExpectFinding(CheckDisk(machine, "runs"), Verdict::kFail, "gone", "mounted");
  machine.writable = absl::PermissionDeniedError("/runs");
  ExpectFinding(CheckDisk(machine, "runs"), Verdict::kFail, "/runs", "owner or mode");
}

TEST(DoctorClock, IsPlausibleAndAtOnePace) {
  FakeMachine machine;
  const auto check = [&machine] {
    return CheckClock(machine, machine.WallNow(), machine.MonotonicNow());
  };
  ExpectFinding(check(), Verdict::kOk, "2027-01-15T08:00:00", "");
  machine.jump = absl::Hours(-1);
  ExpectFinding(check(), Verdict::kWarn, "moved by -1h", "monotonic");
  machine.jump = absl::ZeroDuration();
  machine.wall = absl::UnixEpoch();
  ExpectFinding(check(), Verdict::kFail, "1970", "set the machine's clock");
}

class DoctorPrograms : public ::testing::Test {
 protected:
  static std::string Told(const std::string& program, const std::string& commit,
                          const std::string& libtorch) {
    return VersionJson({program, "0.1.0", commit, "g++ 12", libtorch, "1.51.1", {}});
  }
  std::vector<Finding> Check() {
    return CheckPrograms(machine_, {"/b/coordinator", "/b/student_worker"}, "0.1.0", "abc");
  }

  FakeMachine machine_;
};

TEST_F(DoctorPrograms, AnswerAndLoadLibTorch) {
  machine_.programs = {{"/b/coordinator", Told("coordinator", "abc", "")},
                       {"/b/student_worker", Told("student_worker", "abc", "2.11.0")}};
  const auto findings = Check();
  ASSERT_EQ(findings.size(), 2u);
  ExpectFinding(findings[0], Verdict::kOk, "coordinator, student_worker, version 0.1.0", "");
  ExpectFinding(findings[1], Verdict::kOk, "2.11.0", "");
}

TEST_F(DoctorPrograms, OfAnotherBuildAreWarnedOf) {
  machine_.programs = {{"/b/coordinator", Told("coordinator", "old", "")},
                       {"/b/student_worker", Told("student_worker", "abc", "")}};
  const auto findings = Check();
  ExpectFinding(findings[0], Verdict::kWarn, "coordinator is 0.1.0 (old)", "one commit");
  ExpectFinding(findings[1], Verdict::kWarn, "no program says", "build student_worker");
}

TEST_F(DoctorPrograms, ThatDoNotAnswerFail) {
  const std::pair<absl::StatusOr<std::string>, const char*> answers[] = {
      {absl::NotFoundError("/b/coordinator: No such file"), "No such file"},
      {absl::InternalError("cannot run: libtorch.so: cannot open"), "libtorch.so"},
      {absl::DeadlineExceededError("did not answer within 20s"), "20s"},
      {std::string("hello"), "does not say its version"}};
  for (const auto& [answer, found] : answers) {
    machine_.programs = {{"/b/coordinator", answer}};
    const auto findings = Check();
    ASSERT_EQ(findings.size(), 2u);
    ExpectFinding(findings[0], Verdict::kFail, found, "bazel build");
    ExpectFinding(findings[1], Verdict::kFail, "coordinator could not be asked", "see programs");
  }
}

}  // namespace
}  // namespace distill
