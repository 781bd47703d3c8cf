#include "student_worker/worker/step_log.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "absl/time/time.h"
#include "common/files/fake_file_system.h"
#include "student_worker/accounting/phase_clock.h"
#include "student_worker/accounting/step_record.h"

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

StepRecord Took(int64_t step, absl::Duration time) {
  StepRecord record;
  record.step = step;
  record.phases[static_cast<int>(Phase::kForward)] = time;
  return record;
}

TEST(StepLogTest, ShortStepsAreWrittenTogether) {
  FakeFileSystem files;
  auto log = StepLog::Open(files, kPath, 0);
  ASSERT_TRUE(log.ok()) << log.status();
  const auto most = static_cast<int64_t>(StepLog::kMostUnwritten);
  for (int64_t step = 0; step < most - 1; ++step) {
    ASSERT_TRUE((*log)->Append(Took(step, absl::Milliseconds(1))).ok());
  }
  EXPECT_EQ(Lines(files), 0);
  ASSERT_TRUE((*log)->Append(Took(most - 1, absl::Milliseconds(1))).ok());
  EXPECT_EQ(Lines(files), most);
}

TEST(StepLogTest, LongStepsAreWrittenSoonerThanShortOnes) {
  FakeFileSystem files;
  auto log = StepLog::Open(files, kPath, 0);
  ASSERT_TRUE(log.ok()) << log.status();
  ASSERT_TRUE((*log)->Append(Took(0, StepLog::kWriteEvery / 2)).ok());
  EXPECT_EQ(Lines(files), 0);
  ASSERT_TRUE((*log)->Append(Took(1, StepLog::kWriteEvery / 2)).ok());
  EXPECT_EQ(Lines(files), 2);
  ASSERT_TRUE((*log)->Append(Took(2, StepLog::kWriteEvery)).ok());
  EXPECT_EQ(Lines(files), 3);
}

TEST(StepLogTest, ACheckpointFindsAllRecordsWritten) {
  FakeFileSystem files;
  auto log = StepLog::Open(files, kPath, 0);
  ASSERT_TRUE(log.ok()) << log.status();
  ASSERT_TRUE((*log)->Append(Took(0, absl::Milliseconds(1))).ok());
  ASSERT_TRUE((*log)->Flush().ok());
  EXPECT_EQ(Lines(files), 1);
  ASSERT_TRUE((*log)->Flush().ok());
  EXPECT_EQ(Lines(files), 1);
}

}  // namespace
}  // namespace distill
