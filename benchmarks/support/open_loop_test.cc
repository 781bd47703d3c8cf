#include "benchmarks/support/open_loop.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "benchmarks/support/teacher.h"
#include "common/clock/clock.h"

namespace distill {
namespace {

TEST(OpenLoop, ArrivalsAreThoseOfTheirRateAndSeed) {
  const auto arrivals = PoissonArrivals(/*seed=*/7, 1000, absl::Seconds(10));
  // Four standard deviations of a count of 10,000.
  EXPECT_NEAR(static_cast<double>(arrivals.size()), 10'000, 400);
  EXPECT_TRUE(std::is_sorted(arrivals.begin(), arrivals.end()));
  EXPECT_LT(arrivals.back(), absl::Seconds(10));
  EXPECT_EQ(arrivals, PoissonArrivals(7, 1000, absl::Seconds(10)));
  EXPECT_NE(arrivals, PoissonArrivals(8, 1000, absl::Seconds(10)));
  // Of exponential gaps a share of exp(-1) is longer than the mean.
  int longer = 0;
  for (size_t i = 1; i < arrivals.size(); ++i) {
    longer += arrivals[i] - arrivals[i - 1] > absl::Milliseconds(1);
  }
  EXPECT_NEAR(longer / static_cast<double>(arrivals.size()), 0.368, 0.02);
}

TEST(OpenLoop, AQuantileIsOneOfTheValues) {
  std::vector<absl::Duration> values;
  for (int i = 100; i > 0; --i) values.push_back(absl::Milliseconds(i));
  EXPECT_EQ(Quantile(values, 0.5), absl::Milliseconds(50));
  EXPECT_EQ(Quantile(values, 0.99), absl::Milliseconds(99));
  EXPECT_EQ(Quantile(values, 1), absl::Milliseconds(100));
  EXPECT_EQ(Quantile({absl::Seconds(1)}, 0.01), absl::Seconds(1));
}

TEST(OpenLoop, ARequestThatComesWhileTheServerIsBusyHasWaitedSinceItCame) {
  SystemClock clock;
  // A row takes 20 ms on a device that does one after the other.
  auto runner = std::make_shared<WaitingRunner>(BenchModel(10), 1, absl::Milliseconds(20), &clock);
  const auto teacher = BenchTeacher::Start(runner, 1, &clock);
  ASSERT_TRUE(teacher.ok()) << teacher.status();
  LoadOptions load;
  load.address = (*teacher)->address();
  load.open = BenchTeacher::OpenFor(runner->description(), "dense_fp16");
  // So that the third is not even sent before the first is answered.
  load.window = 1;
  load.ask = [](uint64_t request) { return BenchTeacher::Ask(request, 1); };
  const auto loop = OpenLoop::Open(load, 2, &clock);
  ASSERT_TRUE(loop.ok()) << loop.status();
  // Twice: request ids go on.
  for (int run = 0; run < 2; ++run) {
    const auto took = (*loop)->Run(
        {absl::ZeroDuration(), absl::ZeroDuration(), absl::ZeroDuration(), absl::ZeroDuration()});
    ASSERT_TRUE(took.ok()) << took.status();
    ASSERT_EQ(took->size(), 4u);
    EXPECT_GE(Quantile(*took, 0.25), absl::Milliseconds(20));
    EXPECT_GE(Quantile(*took, 0.5), absl::Milliseconds(40));
    EXPECT_GE(Quantile(*took, 0.75), absl::Milliseconds(60));
    EXPECT_GE(Quantile(*took, 1), absl::Milliseconds(80));
  }
}

}  // namespace
}  // namespace distill
