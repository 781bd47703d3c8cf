#include "common/executor/executor.h"

#include <gtest/gtest.h>

#include <memory>

namespace distill {
namespace {

TEST(InlineExecutor, RunsTheClosureBeforeItReturns) {
  InlineExecutor executor;
  int runs = 0;
  EXPECT_TRUE(executor.Schedule([&] { ++runs; }).ok());
  EXPECT_EQ(runs, 1);
}

TEST(InlineExecutor, AClosureMayScheduleAnother) {
  InlineExecutor executor;
  int runs = 0;
  EXPECT_TRUE(
      executor.Schedule([&] { EXPECT_TRUE(executor.Schedule([&] { ++runs; }).ok()); }).ok());
  EXPECT_EQ(runs, 1);
}

TEST(InlineExecutor, TakesAClosureThatCannotBeCopied) {
  InlineExecutor executor;
  int seen = 0;
  EXPECT_TRUE(executor.Schedule([&, p = std::make_unique<int>(7)] { seen = *p; }).ok());
  EXPECT_EQ(seen, 7);
}

}  // namespace
}  // namespace distill
