#include "distillation/labels/sampled_codec.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <string>
#include <utility>
#include <vector>

#include "common/random/random.h"
#include "common/random/test_seed.h"
#include "distillation/labels/divergence.h"
#include "distillation/labels/synthetic_logits.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace distill {
namespace {

using ::testing::Each;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

TensorView Labels(int64_t rows, int64_t classes, std::vector<float> values) {
  return MakeTensorView(ElementType::kFloat32, {rows, classes}, std::move(values));
}

absl::StatusOr<SparseLabels> Decode(const LabelCodec& codec, int64_t rows, int64_t classes,
                                    const std::string& bytes) {
  return codec.DecodeSparse(rows, classes, "", std::as_bytes(std::span(bytes)), {});
}

SparseLabels RoundTrip(const LabelCodec& codec, int64_t classes, std::vector<float> values,
                       std::vector<uint64_t> keys) {
  const int64_t rows = static_cast<int64_t>(keys.size());
  const auto encoded =
      codec.Encode(Labels(rows, classes, std::move(values)), {.ids = {}, .keys = keys});
  EXPECT_TRUE(encoded.ok()) << encoded.status();
  const auto labels = Decode(codec, rows, classes, encoded->bytes);
  EXPECT_TRUE(labels.ok()) << labels.status();
  return *labels;
}

constexpr int kClasses = 20, kDraws = 50;
constexpr uint64_t kLabels = 200;

struct Means {
  std::vector<double> p;  // The teacher's.
  std::vector<double> q;  // The student's.
  std::vector<double> target = std::vector<double>(kClasses);
  std::vector<double> gradient = std::vector<double>(kClasses);
};

// Over kLabels labels of one row: the target, and the gradient of -sum_i weight_i log q(id_i)
// by the student's logits, as a student takes them from a label.
Means MeansOf(uint64_t seed) {
  const auto codec = MakeSampled("sampled", kDraws, seed);
  const auto teacher = NormalLogits(seed, 0, kClasses, 3, 2);
  Means means = {LogSoftmax(teacher, 1), LogSoftmax(NormalLogits(seed, 1, kClasses, 0, 2), 1)};
  for (double& value : means.p) value = std::exp(value);
  for (double& value : means.q) value = std::exp(value);
  for (uint64_t key = 0; key < kLabels; ++key) {
    const auto labels = RoundTrip(*codec, kClasses, teacher, {key});
    double mass = 0;
    for (size_t i = 0; i < kDraws; ++i) {
      const size_t id = static_cast<size_t>(labels.ids[i]);
      means.target[id] += labels.weights[i] / kLabels;
      means.gradient[id] -= labels.weights[i] / kLabels;
      mass += labels.weights[i];
    }
    for (size_t c = 0; c < kClasses; ++c) means.gradient[c] += mass * means.q[c] / kLabels;
  }
  return means;
}

TEST(SampledCodec, TargetAndGradientAreWithinThreeStandardErrorsOverTenThousandDraws) {
  // A seed of its own: of twenty classes one in eighteen fresh seeds has one beyond three
  // standard errors by chance. The next test takes fresh ones.
  const Means means = MeansOf(20);
  for (size_t c = 0; c < kClasses; ++c) {
    const double p = means.p[c];
    // 1e-7: a weight is a float.
    const double bound = 3 * std::sqrt(p * (1 - p) / (kLabels * kDraws)) + 1e-7;
    EXPECT_NEAR(means.target[c], p, bound) << c;
    EXPECT_NEAR(means.gradient[c], means.q[c] - p, bound) << c;
  }
}

TEST(SampledCodec, AllClassesTogetherAreUnbiasedForAnySeed) {
  const uint64_t seed = TestSeed();
  double worst = 0;
  for (uint64_t i = 0; i < 10; ++i) {
    const Means means = MeansOf(Mix(seed, 0, i));
    // Pearson's statistic without the classes that are too rare for it: about chi squared.
    double statistic = 0, freedom = -1;
    for (size_t c = 0; c < kClasses; ++c) {
      if (means.p[c] * kLabels * kDraws < 10) continue;
      const double error = means.target[c] - means.p[c];
      statistic += error * error / means.p[c] * kLabels * kDraws;
      ++freedom;
    }
    worst = std::max(worst, (statistic - freedom) / std::sqrt(2 * freedom));
  }
  // One run in some ten thousand goes beyond by chance.
  EXPECT_LE(worst, 8);
}

TEST(SampledCodec, ALabelIsAFunctionOfSeedAndKeyWhateverItsRow) {
  const auto row = NormalLogits(5, 0, 100, 0, 2);
  auto two = row;
  two.insert(two.end(), row.begin(), row.end());
  const auto codec = MakeSampled("sampled/8", 8, 7);
  const auto once = RoundTrip(*codec, 100, row, {42});
  const auto both = RoundTrip(*codec, 100, two, {41, 42});
  EXPECT_TRUE(std::equal(once.ids.begin(), once.ids.end(), both.ids.begin() + 8));
  EXPECT_NE(once.ids, RoundTrip(*codec, 100, row, {41}).ids);
  EXPECT_NE(once.ids, RoundTrip(*MakeSampled("sampled/8", 8, 8), 100, row, {42}).ids);
}

TEST(SampledCodec, RepeatedDrawsCountAtTheirFirstPlace) {
  // Class 2 has all the mass.
  const auto sure = RoundTrip(*MakeSampled("sampled/4", 4, 1), 3, {0, 1, 200}, {0});
  EXPECT_THAT(sure.ids, ElementsAre(2, 2, 2, 2));
  EXPECT_THAT(sure.weights, ElementsAre(1, 0, 0, 0));
  // Ids 0, 1, 1, 3 of two bits.
  const auto labels = Decode(*MakeSampled("sampled/4", 4, 1), 1, 4, "\xd4");
  ASSERT_TRUE(labels.ok()) << labels.status();
  EXPECT_THAT(labels->ids, ElementsAre(0, 1, 1, 3));
  EXPECT_THAT(labels->weights, ElementsAre(0.25f, 0.5f, 0, 0.25f));
}

TEST(SampledCodec, AWeightIsTheNumberOfDrawsOverAllOfThemBitForBit) {
  const uint64_t seed = TestSeed();
  const auto labels =
      RoundTrip(*MakeSampled("sampled/49", 49, seed), 12, NormalLogits(seed, 0, 24, 0, 2), {1, 2});
  for (size_t row = 0; row < 2; ++row) {
    const auto ids = std::span(labels.ids).subspan(49 * row, 49);
    for (size_t i = 0; i < 49; ++i) {
      const bool first = i == 0 || ids[i] != ids[i - 1];
      const auto count = static_cast<float>(std::count(ids.begin(), ids.end(), ids[i]));
      EXPECT_EQ(labels.weights[49 * row + i], first ? count / 49 : 0) << row << " " << i;
    }
  }
}

TEST(SampledCodec, WeightsSumToOneAndIdsDoNotFall) {
  const uint64_t seed = TestSeed();
  const auto codec = MakeSampled("sampled", 50, seed);
  for (uint64_t key = 0; key < 50; ++key) {
    const auto labels = RoundTrip(*codec, 1000, NormalLogits(seed, key, 1000, 1e4, 4), {key});
    EXPECT_TRUE(std::is_sorted(labels.ids.begin(), labels.ids.end()));
    EXPECT_NEAR(std::accumulate(labels.weights.begin(), labels.weights.end(), 0.0), 1, 1e-6);
  }
}

TEST(SampledCodec, ExtremeRowsAreDrawnFrom) {
  const float big = std::numeric_limits<float>::max();
  const auto codec = MakeSampled("sampled/4", 4, 3);
  EXPECT_THAT(RoundTrip(*codec, 3, {-big, big, -big}, {0}).ids, Each(1));
  EXPECT_THAT(RoundTrip(*codec, 1, {-big}, {0}).ids, Each(0));
  const auto flat = RoundTrip(*MakeSampled("sampled/4096", 4096, 3), 2, {big, big}, {0}).weights;
  EXPECT_NEAR(flat[0], 0.5, 0.05);
}

TEST(SampledCodec, SizesFollowFromTheShape) {
  const auto codec = MakeSampled("sampled", 50, 0);
  EXPECT_EQ(*codec->EncodedBytes(1, 128000), 107u);
  EXPECT_EQ(*codec->EncodedBytes(2, 1000), 126u);
  EXPECT_EQ(*codec->EncodedBytes(1, 1), 7u) << "never no bytes for a row";
  EXPECT_EQ(*codec->EncodedBytes(0, 1), 0u);
  EXPECT_EQ(codec->EncodedBytes(-1, 1).status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(codec->EncodedBytes(1, 0).status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(codec->EncodedBytes(1, (int64_t{1} << 31) + 1).status().code(),
            absl::StatusCode::kOutOfRange);
  EXPECT_EQ(codec->EncodedBytes(int64_t{1} << 58, 1).status().code(),
            absl::StatusCode::kOutOfRange);
}

TEST(SampledCodec, RowsWithoutKeysAreRefused) {
  const auto encoded = MakeSampled("sampled", 50, 0)->Encode(Labels(1, 2, {1, 2}));
  EXPECT_EQ(encoded.status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(encoded.status().message()), HasSubstr("a key for each of 1 rows"));
}

TEST(SampledCodec, PayloadsThatNoEncoderWritesAreRefused) {
  const auto codec = MakeSampled("sampled/2", 2, 0);
  const auto code = [&](const std::string& bytes) {
    return Decode(*codec, 1, 5, bytes).status().code();
  };
  const auto ids = [](int a, int b) { return std::string(1, static_cast<char>(a | b << 3)); };
  EXPECT_EQ(code(ids(2, 4)), absl::StatusCode::kOk);
  EXPECT_EQ(code(ids(4, 2)), absl::StatusCode::kDataLoss) << "falling";
  EXPECT_EQ(code(ids(2, 5)), absl::StatusCode::kDataLoss) << "no such class";
  EXPECT_EQ(code(ids(2, 4 | 8)), absl::StatusCode::kDataLoss) << "a bit left over";
  EXPECT_EQ(code(""), absl::StatusCode::kDataLoss);
  EXPECT_EQ(code("ab"), absl::StatusCode::kDataLoss);
  EXPECT_EQ(codec->DecodeSparse(1, 5, "x", std::as_bytes(std::span("\0", 1)), {}).status().code(),
            absl::StatusCode::kDataLoss);
}

}  // namespace
}  // namespace distill
