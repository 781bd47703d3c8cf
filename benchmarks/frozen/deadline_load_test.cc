#include "benchmarks/frozen/deadline_load.h"

#include <gtest/gtest.h>

#include "benchmarks/support/teacher.h"
#include "common/clock/clock.h"

namespace distill {
namespace {

TEST(DeadlineLoad, CountsWhatCameInTimeAndWhatWasRefusedOfTheAsksThatCount) {
  SystemClock clock;
  // An ask takes 100 ms on a device that does one after the other.
  auto runner = std::make_shared<WaitingRunner>(BenchModel(10), 1, absl::Milliseconds(100), &clock);
  const auto teacher = BenchTeacher::Start(runner, 1, &clock);
  ASSERT_TRUE(teacher.ok()) << teacher.status();
  DeadlineLoadOptions options;
  options.address = (*teacher)->address();
  options.open = BenchTeacher::OpenFor(runner->description(), "dense_fp16");
  options.students = 2;
  options.rows = 1;
  options.remaining = absl::Seconds(2);
  const auto load = DeadlineLoad::Open(options, &clock);
  ASSERT_TRUE(load.ok()) << load.status();
  const std::vector<absl::Duration> few(4, absl::ZeroDuration());
  const auto all = (*load)->Run(few, absl::ZeroDuration());
  ASSERT_TRUE(all.ok()) << all.status();
  EXPECT_EQ(all->in_time, 4);
  EXPECT_EQ(all->late + all->refused, 0);
  // The queue of forty would take 4 s.
  const auto many = (*load)->Run(std::vector<absl::Duration>(40), absl::ZeroDuration());
  ASSERT_TRUE(many.ok()) << many.status();
  EXPECT_EQ(many->in_time + many->late + many->refused, 40);
  EXPECT_GT(many->in_time, 0);
  EXPECT_GE(many->refused, 15);
}

TEST(DeadlineLoad, AsksBeforeTheCountedStretchAreMadeAndNotCounted) {
  SystemClock clock;
  auto runner = std::make_shared<WaitingRunner>(BenchModel(10), 1, absl::ZeroDuration(), &clock);
  const auto teacher = BenchTeacher::Start(runner, 1, &clock);
  ASSERT_TRUE(teacher.ok()) << teacher.status();
  DeadlineLoadOptions options;
  options.address = (*teacher)->address();
  options.open = BenchTeacher::OpenFor(runner->description(), "dense_fp16");
  options.rows = 1;
  options.remaining = absl::Seconds(30);
  const auto load = DeadlineLoad::Open(options, &clock);
  ASSERT_TRUE(load.ok()) << load.status();
  const auto counts = (*load)->Run(
      {absl::ZeroDuration(), absl::Milliseconds(1), absl::Milliseconds(2), absl::Milliseconds(3)},
      absl::Milliseconds(2));
  ASSERT_TRUE(counts.ok()) << counts.status();
  EXPECT_EQ(counts->in_time, 2);
  EXPECT_EQ(counts->late + counts->refused, 0);
}

TEST(DeadlineLoad, LabelsAfterTheRemainingTimeAreLate) {
  SystemClock clock;
  // An idle server refuses nothing for its prediction, and the device takes longer.
  auto runner = std::make_shared<WaitingRunner>(BenchModel(10), 1, absl::Milliseconds(300), &clock);
  const auto teacher = BenchTeacher::Start(runner, 1, &clock);
  ASSERT_TRUE(teacher.ok()) << teacher.status();
  DeadlineLoadOptions options;
  options.address = (*teacher)->address();
  options.open = BenchTeacher::OpenFor(runner->description(), "dense_fp16");
  options.rows = 1;
  options.remaining = absl::Milliseconds(200);
  const auto load = DeadlineLoad::Open(options, &clock);
  ASSERT_TRUE(load.ok()) << load.status();
  const auto counts = (*load)->Run({absl::ZeroDuration()}, absl::ZeroDuration());
  ASSERT_TRUE(counts.ok()) << counts.status();
  EXPECT_EQ(counts->late, 1);
  EXPECT_GE(counts->late_by, absl::Milliseconds(100));
  EXPECT_EQ(counts->in_time + counts->refused, 0);
}

}  // namespace
}  // namespace distill
