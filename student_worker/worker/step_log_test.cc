#include "student_worker/worker/step_log.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "common/files/fake_file_system.h"

namespace distill {
namespace {

constexpr char kPath[] = "/run/metrics.rank0.jsonl";

void Write(FakeFileSystem& files, int64_t first, int64_t end) {
  auto log = StepLog::Open(files, kPath, first);
  ASSERT_TRUE(log.ok()) << log.status();
  for (int64_t step = first; step < end; ++step) {
    StepRecord record;
    record.step = step;
    ASSERT_TRUE((*log)->Append(record).ok());
  }
}

int64_t Lines(FakeFileSystem& files) {
  const std::string text = *files.Read(kPath, 1 << 20);
  return std::count(text.begin(), text.end(), '\n');
}

TEST(StepLogTest, AResumedRunHasEachStepOnce) {
  FakeFileSystem files;
  Write(files, 0, 10);
  Write(files, 6, 8);
  EXPECT_EQ(Lines(files), 8);
}

TEST(StepLogTest, ATornLastLineIsCutOff) {
  FakeFileSystem files;
  Write(files, 0, 3);
  ASSERT_TRUE((*files.OpenForAppend(kPath))->Append("{\"step\":3,\"lo").ok());
  Write(files, 3, 5);
  EXPECT_EQ(Lines(files), 5);
}

}  // namespace
}  // namespace distill
