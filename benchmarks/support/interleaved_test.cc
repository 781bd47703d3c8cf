#include "benchmarks/support/interleaved.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "common/clock/fake_clock.h"

namespace distill {
namespace {

using ::testing::DoubleNear;
using ::testing::Each;
using ::testing::ElementsAre;

class InterleavedTest : public ::testing::Test {
 protected:
  // `units` in `seconds`, on half a processor.
  Variant Work(const std::string& name, double units, double seconds) {
    return {name, [=, this]() -> absl::StatusOr<double> {
              order_ += name;
              clock_.Advance(absl::Seconds(seconds));
              used_.cpu_seconds += seconds / 2;
              used_.page_faults += 3;
              return units;
            }};
  }
  absl::StatusOr<std::vector<Series>> Measure(const std::vector<Variant>& variants, int rounds) {
    return MeasureInterleaved(variants, rounds, &clock_, [this] { return used_; });
  }

  FakeClock clock_;
  ResourceUsage used_;
  std::string order_;
};

TEST_F(InterleavedTest, EachRoundBeginsWithAnotherVariantAfterOneUnmeasured) {
  const auto series = Measure({Work("a", 1, 1), Work("b", 1, 1), Work("c", 1, 1)}, 3);
  ASSERT_TRUE(series.ok()) << series.status();
  EXPECT_EQ(order_, "abcbcacababc");
  EXPECT_EQ((*series)[0].name, "a");
  EXPECT_EQ((*series)[0].rate.size(), 3u);
}

TEST_F(InterleavedTest, RatesProcessorTimeAndFaultsArePerUnit) {
  const auto series = Measure({Work("a", 500, 2)}, 2);
  ASSERT_TRUE(series.ok()) << series.status();
  EXPECT_THAT((*series)[0].rate, Each(DoubleNear(250, 1e-9)));
  EXPECT_THAT((*series)[0].cpu_seconds_per_thousand, Each(DoubleNear(2, 1e-9)));
  EXPECT_THAT((*series)[0].page_faults_per_thousand, Each(DoubleNear(6, 1e-9)));
}

TEST_F(InterleavedTest, AFailureEndsTheMeasurementAndNamesTheVariant) {
  Variant broken{"broken", [] { return absl::UnavailableError("gone"); }};
  const auto series = Measure({Work("a", 1, 1), broken}, 3);
  EXPECT_EQ(series.status().code(), absl::StatusCode::kUnavailable);
  EXPECT_THAT(std::string(series.status().message()), ::testing::HasSubstr("broken"));
  EXPECT_FALSE(Measure({Work("idle", 0, 1)}, 1).ok());
}

TEST_F(InterleavedTest, WorkIsSizedOnceToItsTurn) {
  std::vector<int64_t> asked;
  auto run = Sized(
      [&](int64_t units) {
        asked.push_back(units);
        clock_.Advance(absl::Milliseconds(10) * units);
        return absl::OkStatus();
      },
      absl::Seconds(1), &clock_);
  EXPECT_DOUBLE_EQ(run().value(), 100);
  EXPECT_DOUBLE_EQ(run().value(), 100);
  EXPECT_THAT(asked, ElementsAre(1, 2, 4, 8, 16, 32, 100, 100));
}

TEST(Interleaved, RatiosAreTakenRoundByRound) {
  // The machine was half as fast in the second round: the ratio does not see it.
  const Ratio ratio = RatioOf({90, 45, 80}, {100, 50, 100});
  EXPECT_DOUBLE_EQ(ratio.median, 0.9);
  EXPECT_DOUBLE_EQ(ratio.least, 0.8);
  EXPECT_DOUBLE_EQ(ratio.most, 0.9);
  EXPECT_DOUBLE_EQ(Median({4, 1, 3, 2}), 2.5);
}

TEST(Interleaved, TheIntervalOfAMedianIsOfOrderStatistics) {
  std::vector<double> values;
  for (int i = 100; i > 0; --i) values.push_back(i);
  const Ratio interval = MedianInterval(values);
  EXPECT_DOUBLE_EQ(interval.median, 50.5);
  // P(40 <= heads of 100 coins <= 60) is 0.965.
  EXPECT_DOUBLE_EQ(interval.least, 41);
  EXPECT_DOUBLE_EQ(interval.most, 60);
  const Ratio few = MedianInterval({3, 1, 2});
  EXPECT_DOUBLE_EQ(few.least, 1);
  EXPECT_DOUBLE_EQ(few.most, 3);
}

TEST(Interleaved, AProcessUsesTimeAndMemory) {
  const ResourceUsage before = UsageOfThisProcess();
  std::vector<char> memory(64 << 20, 1);
  const ResourceUsage after = UsageOfThisProcess();
  EXPECT_GT(after.page_faults, before.page_faults + memory[1]);
  EXPECT_GE(after.cpu_seconds, before.cpu_seconds);
}

}  // namespace
}  // namespace distill
