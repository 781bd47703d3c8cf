#include "common/metrics/process_usage.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <string>

#include "absl/status/status.h"

namespace distill {
namespace {

constexpr char kBoot[] = "cpu  1 2 3\nbtime 1700000000\nprocesses 9\n";

class ProcessUsageTest : public testing::Test {
 protected:
  ProcessUsageTest() {
    const auto* test = testing::UnitTest::GetInstance()->current_test_info();
    proc_ = testing::TempDir() + "/" + test->name();
    std::filesystem::create_directories(proc_ + "/self/fd");
  }
  void Write(const std::string& path, const std::string& text) {
    std::ofstream(proc_ + path) << text;
  }
  // `name`, then fields 3 to 25: utime (14) 150, stime (15) 50, starttime (22) 1000, rss (24) 7.
  static std::string Stat(const std::string& name) {
    return "42 (" + name + ") S 1 1 1 0 -1 0 0 0 0 0 150 50 8 9 20 0 3 0 1000 99999 7 123\n";
  }

  std::string proc_;
};

TEST_F(ProcessUsageTest, FieldsAreThoseThatProc5Numbers) {
  Write("/self/stat", Stat("teacher"));
  Write("/stat", kBoot);
  for (const char* fd : {"0", "1", "17"}) Write(std::string("/self/fd/") + fd, "");
  const auto usage = ReadProcessUsage(proc_);
  ASSERT_TRUE(usage.ok()) << usage.status();
  const double ticks = sysconf(_SC_CLK_TCK);
  EXPECT_EQ(usage->cpu_seconds, 200 / ticks);
  EXPECT_EQ(usage->resident_bytes, 7.0 * sysconf(_SC_PAGESIZE));
  EXPECT_EQ(usage->open_fds, 3);
  EXPECT_EQ(usage->start_time_seconds, 1700000000 + 1000 / ticks);
}

TEST_F(ProcessUsageTest, AProgramNameMayHoldBracketsAndSpaces) {
  Write("/self/stat", Stat("a) R 9 9 (b"));
  Write("/stat", kBoot);
  const auto usage = ReadProcessUsage(proc_);
  ASSERT_TRUE(usage.ok()) << usage.status();
  EXPECT_EQ(usage->resident_bytes, 7.0 * sysconf(_SC_PAGESIZE));
}

TEST_F(ProcessUsageTest, WhatCannotBeReadIsUnavailable) {
  EXPECT_EQ(ReadProcessUsage(proc_).status().code(), absl::StatusCode::kUnavailable);
  Write("/self/stat", Stat("x"));
  EXPECT_EQ(ReadProcessUsage(proc_).status().code(), absl::StatusCode::kUnavailable);
  Write("/stat", kBoot);
  EXPECT_TRUE(ReadProcessUsage(proc_).ok());
  std::filesystem::remove(proc_ + "/self/fd");
  EXPECT_EQ(ReadProcessUsage(proc_).status().code(), absl::StatusCode::kUnavailable);
}

TEST_F(ProcessUsageTest, AnotherFormIsDataLoss) {
  Write("/stat", kBoot);
  for (const std::string& stat : {std::string("no brackets"), std::string("1 (x) S 1 2\n"),
                                  Stat("x").replace(Stat("x").find("150"), 3, "abc")}) {
    Write("/self/stat", stat);
    EXPECT_EQ(ReadProcessUsage(proc_).status().code(), absl::StatusCode::kDataLoss) << stat;
  }
  Write("/self/stat", Stat("x"));
  Write("/stat", "cpu 1 2 3\n");
  EXPECT_EQ(ReadProcessUsage(proc_).status().code(), absl::StatusCode::kDataLoss);
}

TEST_F(ProcessUsageTest, ThisProcessIsPlausible) {
  const auto usage = ReadProcessUsage("/proc");
  ASSERT_TRUE(usage.ok()) << usage.status();
  EXPECT_GE(usage->cpu_seconds, 0);
  EXPECT_GT(usage->resident_bytes, 1 << 20);
  EXPECT_GE(usage->open_fds, 1);
  EXPECT_GT(usage->start_time_seconds, 1.6e9);
}

}  // namespace
}  // namespace distill
