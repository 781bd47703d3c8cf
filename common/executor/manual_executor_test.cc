#include "common/executor/manual_executor.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <vector>

namespace distill {
namespace {

using ::testing::ElementsAre;

TEST(ManualExecutor, RunsNothingByItself) {
  ManualExecutor executor;
  int runs = 0;
  ASSERT_TRUE(executor.Schedule([&] { ++runs; }).ok());
  EXPECT_EQ(runs, 0);
  EXPECT_EQ(executor.pending(), 1u);
  EXPECT_TRUE(executor.RunNext());
  EXPECT_EQ(runs, 1);
  EXPECT_FALSE(executor.RunNext());
}

TEST(ManualExecutor, RunAllKeepsTheOrderAndRunsWhatIsScheduledOnTheWay) {
  ManualExecutor executor;
  std::vector<int> order;
  ASSERT_TRUE(executor
                  .Schedule([&] {
                    order.push_back(1);
                    EXPECT_TRUE(executor.Schedule([&] { order.push_back(3); }).ok());
                  })
                  .ok());
  ASSERT_TRUE(executor.Schedule([&] { order.push_back(2); }).ok());
  EXPECT_EQ(executor.RunAll(), 3);
  EXPECT_THAT(order, ElementsAre(1, 2, 3));
}

TEST(ManualExecutor, RefusesMoreThanItsBound) {
  ManualExecutor executor(1);
  ASSERT_TRUE(executor.Schedule([] {}).ok());
  EXPECT_EQ(executor.Schedule([] {}).code(), absl::StatusCode::kResourceExhausted);
}

}  // namespace
}  // namespace distill
