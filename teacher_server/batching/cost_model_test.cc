#include "teacher_server/batching/cost_model.h"

#include <gtest/gtest.h>

#include <random>

#include "common/random/test_seed.h"
#include "teacher_server/batching/shape_bucket.h"

namespace distill {
namespace {

absl::Duration Ms(double ms) { return absl::Microseconds(1000 * ms); }

void ExpectMs(absl::Duration actual, double expected) {
  EXPECT_NEAR(absl::ToDoubleMilliseconds(actual), expected, 1e-6);
}

TEST(CostModel, KnowsNothingBeforeTheFirstBatch) {
  const CostModel model;
  EXPECT_EQ(model.Predict(0, 8), absl::ZeroDuration());
  EXPECT_EQ(model.BestPerUnit(8), absl::ZeroDuration());
}

TEST(CostModel, FromOneSizeItGivesTheLongestAndTheShortestTimePossible) {
  CostModel model;
  model.Observe(0, 10, Ms(5));
  ExpectMs(model.Predict(0, 10), 5);
  ExpectMs(model.Predict(0, 20), 10);
  ExpectMs(model.AtLeast(0, 20), 5);
  ExpectMs(model.Predict(0, 2), 5);
  ExpectMs(model.AtLeast(0, 2), 1);
}

TEST(CostModel, TheFirstBatchOfASizeCountsOnlyUntilTheSecond) {
  CostModel model;
  model.Observe(0, 8, Ms(2000));
  ExpectMs(model.Predict(0, 8), 2000);
  model.Observe(0, 8, Ms(20));
  ExpectMs(model.Predict(0, 8), 20);
  model.Observe(0, 8, Ms(30));
  ExpectMs(model.Predict(0, 8), 22);
  EXPECT_NEAR(model.scatter(), 0.1, 1e-6);
}

TEST(CostModel, FollowsAChangeOfSpeed) {
  CostModel model;
  for (int i = 0; i < 3; ++i) model.Observe(0, 8, Ms(10));
  for (int i = 0; i < 30; ++i) model.Observe(0, 8, Ms(20));
  EXPECT_NEAR(absl::ToDoubleMilliseconds(model.Predict(0, 8)), 20, 0.1);
}

TEST(CostModel, AStraightCostIsMetExactlyAtEverySizeFromAnySizesSeen) {
  std::mt19937_64 random(TestSeed());
  for (int round = 0; round < 50; ++round) {
    CostModel model;
    const double fixed = 1 + static_cast<double>(random() % 50) / 10;
    const double each = 0.01 + static_cast<double>(random() % 100) / 100;
    const auto cost = [&](int64_t examples) {
      return fixed + each * static_cast<double>(examples);
    };
    for (const int64_t size : {3, 200}) model.Observe(0, size, Ms(cost(size)));
    for (int i = 0; i < 40; ++i) {
      const int64_t size = 1 + static_cast<int64_t>(random() % 256);
      model.Observe(0, size, Ms(cost(size)));
    }
    for (int64_t size = 1; size <= 300; ++size) {
      // Times are kept to a quarter of a nanosecond.
      ASSERT_NEAR(absl::ToDoubleMilliseconds(model.Predict(0, size)), cost(size), 1e-4)
          << "size " << size << " round " << round;
    }
  }
}

TEST(CostModel, NoiseNeverLeadsOutsideWhatIsPossible) {
  CostModel model;
  // The larger batch was the faster one, by accident.
  model.Observe(0, 4, Ms(8));
  model.Observe(0, 8, Ms(6));
  ExpectMs(model.Predict(0, 16), 6);
  ExpectMs(model.AtLeast(0, 1), 8);
  ExpectMs(model.Predict(0, 6), 7);
}

TEST(CostModel, SaysHowFarOffItsPredictionsWere) {
  CostModel model;
  model.Observe(0, 8, Ms(10));
  EXPECT_EQ(model.scatter(), 0);
  for (int i = 0; i < 200; ++i) model.Observe(0, 8, Ms(i % 2 == 0 ? 9 : 11));
  EXPECT_NEAR(model.scatter(), 0.1, 0.02);
  // A stall counts no more than a time that was twice as long.
  for (int i = 0; i < 100; ++i) model.Observe(0, 8, Ms(10));
  model.Observe(0, 8, Ms(10'000));
  EXPECT_NEAR(model.scatter(), 0.2, 0.001);
}

TEST(CostModel, AnUnknownBucketIsJudgedByItsNeighbourAndItsLength) {
  CostModel model;
  const int known = ShapeBucket(100);
  const int longer = ShapeBucket(400);
  const double ratio = static_cast<double>(BucketLength(longer)) / BucketLength(known);
  model.Observe(known, 4, Ms(10));
  ExpectMs(model.Predict(longer, 4), 10 * ratio);
  ExpectMs(model.AtLeast(longer, 4), 10);
  model = CostModel();
  model.Observe(longer, 4, Ms(10));
  ExpectMs(model.Predict(known, 4), 10);
  ExpectMs(model.AtLeast(known, 4), 10 / ratio);
}

TEST(CostModel, TheBestRateIsThatOfTheCheapestBucket) {
  CostModel model;
  model.Observe(ShapeBucket(10), 4, Ms(80));
  model.Observe(ShapeBucket(100), 4, Ms(400));
  ExpectMs(model.BestPerUnit(4), 400.0 / 4 / BucketLength(ShapeBucket(100)));
}

}  // namespace
}  // namespace distill
