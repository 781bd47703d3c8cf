// Asks that wait for the disk of a cache, or for the rows of another ask: their time, a
// drain, and rows that cannot be theirs.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <vector>

#include "common/executor/manual_executor.h"
#include "common/files/fake_file_system.h"
#include "teacher_server/cache/disk_tier.h"
#include "teacher_server/cache/label_cache.h"
#include "teacher_server/cache/label_key.h"
#include "teacher_server/service/label_server_harness.h"

namespace distill {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

class LabelServerWaitingTest : public ::testing::Test {
 protected:
  LabelServerWaitingTest() {
    // Opens it.
    disk_executor_.RunAll();
    runner_ = harness_.Serve(FakeRunner::Mode::kOnDemand, 64);
  }

  void Search() {
    disk_executor_.RunAll();
    harness_.control.RunAll();
  }
  void Compute() {
    while (runner_->CompleteOldest()) harness_.control.RunAll();
  }
  void Pass(absl::Duration time) {
    harness_.timers.Advance(time);
    harness_.control.RunAll();
  }

  FakeFileSystem files_;
  ManualExecutor disk_executor_{100};
  DiskTier disk_{
      &files_, {.directory = "cache", .log = {}}, &disk_executor_, &disk_executor_, nullptr};
  LabelCache cache_{1 << 20, &disk_};
  LabelServerHarness harness_{LabelStreamOptions(), &cache_};
  std::shared_ptr<FakeRunner> runner_;
};

TEST_F(LabelServerWaitingTest, ADrainAnswersWhatTheDiskIsStillAskedFor) {
  const auto student = harness_.Open();
  harness_.Ask(*student, 1, 2);
  harness_.server.Drain("stopped by its operator", nullptr);
  harness_.control.RunAll();
  Search();
  Compute();
  student->Read();
  EXPECT_THAT(student->answered, ElementsAre(1)) << student->failed[1].message();
}

TEST_F(LabelServerWaitingTest, ADrainAnswersWhatWaitsForAnothersRows) {
  const auto first = harness_.Open();
  const auto second = harness_.Open();
  harness_.Ask(*first, 1, 1);
  Search();
  harness_.Ask(*second, 1, 1);
  harness_.server.Drain("stopped by its operator", nullptr);
  harness_.control.RunAll();
  Compute();
  second->Read();
  EXPECT_THAT(second->answered, ElementsAre(1)) << second->failed[1].message();
}

TEST_F(LabelServerWaitingTest, AnAskWhoseTimeEndsBehindAnothersRowsFailsAlone) {
  const auto first = harness_.Open();
  const auto second = harness_.Open();
  harness_.Ask(*first, 1, 1);
  Search();
  // Its second row is queued behind the batch that runs.
  harness_.Ask(*first, 2, 2, 10);
  Search();
  harness_.Ask(*second, 1, 2, 1);
  Pass(absl::Seconds(1));
  second->Read();
  EXPECT_EQ(second->Code(1), absl::StatusCode::kDeadlineExceeded);
  EXPECT_EQ(harness_.shed["expired"], 1);
  Compute();
  first->Read();
  second->Read();
  EXPECT_THAT(first->answered, ElementsAre(1, 2));
  EXPECT_THAT(second->answered, IsEmpty());
}

TEST_F(LabelServerWaitingTest, AnAskWhoseTimeEndsWhileTheDiskHangsFailsAndHoldsNoMemory) {
  const auto student = harness_.Open();
  harness_.Ask(*student, 1, 2, 1);
  EXPECT_GT(harness_.server.held_bytes(), 0u);
  Pass(absl::Seconds(1));
  student->Read();
  EXPECT_EQ(student->Code(1), absl::StatusCode::kDeadlineExceeded);
  EXPECT_EQ(harness_.server.held_bytes(), 0u);
  Search();
  EXPECT_FALSE(runner_->CompleteOldest()) << "nobody waits for these rows any more";
}

TEST_F(LabelServerWaitingTest, RowsOfAnotherSizeAreNotTakenForLabelsHoweverTheyAddUp) {
  const LabelScope scope = ScopeOf("f00d", "", "logits", "data", v1::TRAIN, "");
  const auto row = [](size_t values) {
    return std::make_shared<const std::vector<float>>(values, 1.0f);
  };
  constexpr size_t kClasses = LabelServerHarness::kClasses;
  cache_.Add({{{scope, 0, 0}, row(kClasses - 1)}, {{scope, 1, 0}, row(kClasses + 1)}});
  const auto student = harness_.Open();
  harness_.Ask(*student, 1, 2);
  student->Read();
  EXPECT_EQ(student->Code(1), absl::StatusCode::kInternal) << student->failed[1].message();
}

}  // namespace
}  // namespace distill
