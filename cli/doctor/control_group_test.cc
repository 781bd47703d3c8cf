#include "cli/doctor/control_group.h"

#include <gtest/gtest.h>

#include <optional>
#include <string>

#include "cli/doctor/fake_machine.h"

namespace distill {
namespace {

class ControlGroupTest : public ::testing::Test {
 protected:
  void Has(const std::string& path, const std::string& text) {
    machine_.files["/sys/fs/cgroup/" + path] = text + "\n";
  }
  void IsIn(const std::string& lines) { machine_.files["/proc/self/cgroup"] = lines; }
  std::optional<uint64_t> Left() {
    const auto quota = MemoryQuotaOf(machine_);
    return quota.has_value() ? std::optional<uint64_t>(quota->left) : std::nullopt;
  }

  FakeMachine machine_;
};

TEST_F(ControlGroupTest, WithoutABoundThereIsNoQuota) {
  EXPECT_EQ(CpuQuota(machine_), std::nullopt);
  EXPECT_EQ(Left(), std::nullopt);
  Has("cpu.max", "max 100000");
  Has("memory.max", "max");
  EXPECT_EQ(CpuQuota(machine_), std::nullopt);
  EXPECT_EQ(Left(), std::nullopt);
}

TEST_F(ControlGroupTest, TheQuotaIsTheLeastOfAllGroupsThatHoldTheProcess) {
  IsIn("12:cpu:/old\n0::/a/b\n");
  Has("cpu.max", "max 100000");
  Has("a/cpu.max", "300000 100000");
  Has("a/b/cpu.max", "400000 100000");
  Has("a/memory.max", "1000");
  Has("a/memory.current", "400");
  Has("a/b/memory.max", "max");
  EXPECT_EQ(CpuQuota(machine_), 3.0);
  EXPECT_EQ(Left(), 600u);
  EXPECT_EQ(MemoryQuotaOf(machine_)->limit, 1000u);
  // The group that leaves the least is not the one with the least limit.
  Has("a/b/memory.max", "1200");
  Has("a/b/memory.current", "1190");
  EXPECT_EQ(Left(), 10u);
  EXPECT_EQ(MemoryQuotaOf(machine_)->limit, 1200u);
}

TEST_F(ControlGroupTest, PageCacheCountsAsLeft) {
  Has("memory.max", "1000");
  Has("memory.current", "990");
  Has("memory.stat", "anon 90\ninactive_anon 700\ninactive_file 600\nactive_file 300");
  EXPECT_EQ(Left(), 910u);
  // The two files are read one after the other, and need not fit.
  Has("memory.stat", "inactive_file 2000");
  EXPECT_EQ(Left(), 1000u);
}

TEST_F(ControlGroupTest, PageCacheOfVersion1IsThatOfTheGroupWithThoseWithinIt) {
  Has("memory/memory.limit_in_bytes", "1000");
  Has("memory/memory.usage_in_bytes", "900");
  Has("memory/memory.stat", "inactive_file 1\ntotal_inactive_file 500\ntotal_active_file 200");
  EXPECT_EQ(Left(), 800u);
}

TEST_F(ControlGroupTest, InVersion1TheRootOfAControllerBoundsToo) {
  Has("cpu/cpu.cfs_period_us", "100000");
  Has("cpu/cpu.cfs_quota_us", "-1");
  EXPECT_EQ(CpuQuota(machine_), std::nullopt);
  Has("cpu/cpu.cfs_quota_us", "250000");
  Has("memory/memory.limit_in_bytes", "100");
  Has("memory/memory.usage_in_bytes", "120");
  EXPECT_EQ(CpuQuota(machine_), 2.5);
  EXPECT_EQ(Left(), 0u);
}

TEST_F(ControlGroupTest, InVersion1EachControllerHasAPathOfItsOwn) {
  IsIn("9:name=systemd:/a\n4:memory:/jobs/one\n2:cpu,cpuacct:/shares\n0::/\n");
  Has("memory/memory.limit_in_bytes", "5000");
  Has("memory/jobs/one/memory.limit_in_bytes", "800");
  Has("memory/jobs/one/memory.usage_in_bytes", "300");
  // Neither is a group of this process.
  Has("memory/shares/memory.limit_in_bytes", "1");
  Has("jobs/one/memory.max", "1");
  Has("cpu,cpuacct/shares/cpu.cfs_period_us", "100000");
  Has("cpu,cpuacct/shares/cpu.cfs_quota_us", "150000");
  EXPECT_EQ(Left(), 500u);
  EXPECT_EQ(CpuQuota(machine_), 1.5);
  Has("cpu/shares/cpu.cfs_period_us", "100000");
  Has("cpu/shares/cpu.cfs_quota_us", "50000");
  EXPECT_EQ(CpuQuota(machine_), 0.5);
}

TEST_F(ControlGroupTest, APathThatColonsStandInIsReadWhole) {
  IsIn("0::/a:b\n");
  Has("a:b/cpu.max", "100000 100000");
  EXPECT_EQ(CpuQuota(machine_), 1.0);
}

TEST_F(ControlGroupTest, WhereTheGroupsOfTheProcessCannotBeReadTheRootBounds) {
  machine_.files.erase("/proc/self/cgroup");
  Has("memory.max", "70");
  EXPECT_EQ(Left(), 70u);
}

}  // namespace
}  // namespace distill
