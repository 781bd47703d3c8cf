#include "distillation/labels/head_tail_codec.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <fstream>
#include <functional>
#include <iostream>
#include <limits>
#include <nlohmann/json.hpp>
#include <string>
#include <utility>
#include <vector>

#include "common/random/random.h"
#include "common/random/test_seed.h"
#include "distillation/labels/codec.h"
#include "distillation/labels/divergence.h"
#include "distillation/labels/synthetic_logits.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace distill {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

TensorView Labels(int64_t rows, int64_t classes, std::vector<float> values) {
  return MakeTensorView(ElementType::kFloat32, {rows, classes}, std::move(values));
}

std::shared_ptr<const LabelCodec> Codec(const std::string& name, double low = 1, double high = 8) {
  CodecOptions options;
  options.min_temperature = low;
  options.max_temperature = high;
  const auto codec = FindCodec(name, options);
  EXPECT_TRUE(codec.ok()) << codec.status();
  return *codec;
}

absl::StatusOr<SparseLabels> Decode(const LabelCodec& codec, int64_t rows, int64_t classes,
                                    const EncodedLabels& encoded, const RowContext& context = {}) {
  return codec.DecodeSparse(rows, classes, encoded.parameters,
                            std::as_bytes(std::span(encoded.bytes)), context);
}

SparseLabels RoundTrip(const LabelCodec& codec, int64_t rows, int64_t classes,
                       std::vector<float> values, const RowContext& context = {}) {
  const auto encoded = codec.Encode(Labels(rows, classes, std::move(values)), context);
  EXPECT_TRUE(encoded.ok()) << encoded.status();
  EXPECT_EQ(encoded->bytes.size(), *codec.EncodedBytes(rows, classes));
  const auto labels = Decode(codec, rows, classes, *encoded, context);
  EXPECT_TRUE(labels.ok()) << labels.status();
  return *labels;
}

struct Loss {
  double kl = 0;
  // Largest error of a probability of the head: that of the gradient q - p.
  double gradient = 0;
};

// The worst over the range of temperatures, of a label of one row.
Loss WorstLoss(const std::vector<float>& logits, const SparseLabels& labels) {
  Loss worst;
  for (int i = 0; i <= 40; ++i) {
    const double t =
        labels.min_temperature * std::pow(labels.max_temperature / labels.min_temperature, i / 40.);
    const auto exact = HeadAndTail(logits, labels.ids, t);
    // The ends may be missed by rounding.
    const auto decoded = HeadAndTailLogProbs(
        labels, 0, std::clamp(t, labels.min_temperature, labels.max_temperature));
    EXPECT_TRUE(decoded.ok()) << decoded.status();
    worst.kl = std::max(worst.kl, KlDivergence(exact, *decoded));
    for (size_t c = 0; c < labels.ids.size(); ++c) {
      worst.gradient =
          std::max(worst.gradient, std::abs(std::exp((*decoded)[c]) - std::exp(exact[c])));
    }
  }
  return worst;
}

// Student's t with `freedom` degrees of freedom: heavier tails the fewer there are.
std::vector<float> HeavyTailed(uint64_t seed, uint64_t row, int64_t classes, int freedom) {
  std::vector<float> logits = NormalLogits(seed, row, classes, 0, 2);
  for (size_t c = 0; c < logits.size(); ++c) {
    double squares = 0;
    for (int i = 1; i <= freedom; ++i) {
      const double x = StandardNormal(seed, row, c + static_cast<uint64_t>(i * classes));
      squares += x * x;
    }
    logits[c] /= static_cast<float>(std::sqrt(squares / freedom));
  }
  return logits;
}

TEST(HeadTailCodec, KlIsBelow1e5AndGradients1e4AtEveryTemperatureOfTheRange) {
  const uint64_t seed = TestSeed();
  using Family = std::function<std::vector<float>(uint64_t row)>;
  const std::vector<std::pair<std::string, Family>> families = {
      {"normal 1", [&](uint64_t r) { return NormalLogits(seed, r, 1000, 0, 1); }},
      {"normal 4", [&](uint64_t r) { return NormalLogits(seed, r, 1000, 20, 4); }},
      {"normal 8 far away", [&](uint64_t r) { return NormalLogits(seed, r, 1000, 1e4, 8); }},
      {"normal 16", [&](uint64_t r) { return NormalLogits(seed, r, 1000, 0, 16); }},
      {"two classes ahead",
       [&](uint64_t r) {
         auto z = NormalLogits(seed, r, 1000, 0, 1);
         z[7] = 15;
         z[9] = z[7] - static_cast<float>(4 * UniformReal(seed, r, 99999));
         return z;
       }},
      {"t3", [&](uint64_t r) { return HeavyTailed(seed, r, 1000, 3); }},
      {"t2", [&](uint64_t r) { return HeavyTailed(seed, r, 1000, 2); }},
      {"ties",
       [&](uint64_t r) {
         auto z = NormalLogits(seed, r, 1000, 0, 3);
         for (float& value : z) value = std::round(value);
         return z;
       }},
  };
  for (const auto& [name, family] : families) {
    Loss worst;
    for (uint64_t row = 0; row < 40; ++row) {
      const auto logits = family(row);
      const Loss loss = WorstLoss(logits, RoundTrip(*Codec("top_k"), 1, 1000, logits));
      worst.kl = std::max(worst.kl, loss.kl);
      worst.gradient = std::max(worst.gradient, loss.gradient);
    }
    std::cerr << name << ": worst KL " << worst.kl << ", gradient " << worst.gradient << "\n";
    EXPECT_LE(worst.kl, 1e-5) << name;
    EXPECT_LE(worst.gradient, 1e-4) << name;
  }
}

TEST(HeadTailCodec, ALanguageModelsRowsAreHeldToTheSameBounds) {
  const uint64_t seed = TestSeed();
  for (uint64_t row = 0; row < 2; ++row) {
    const auto logits = LanguageModelLogits(seed, row);
    const Loss loss = WorstLoss(logits, RoundTrip(*Codec("top_k/37"), 1, 128000, logits));
    EXPECT_LE(loss.kl, 1e-5);
    EXPECT_LE(loss.gradient, 1e-4);
  }
}

TEST(HeadTailCodec, OneTemperatureTakesOneNodeAndIsExactToTheRoundingOfTheHead) {
  const uint64_t seed = TestSeed();
  for (uint64_t row = 0; row < 20; ++row) {
    const auto logits = NormalLogits(seed, row, 1000, 0, 16);
    const Loss loss = WorstLoss(logits, RoundTrip(*Codec("top_k/16/1", 2, 2), 1, 1000, logits));
    EXPECT_LE(loss.kl, 1e-7);
    EXPECT_LE(loss.gradient, 1e-4);
  }
}

TEST(HeadTailCodec, RowsWithAnUnboundedSpreadKeepTheMassOfTheTopClass) {
  const float big = std::numeric_limits<float>::max();
  std::vector<float> logits(40, -big);
  logits[3] = big;
  const auto labels = RoundTrip(*Codec("top_k/4"), 1, 40, logits);
  for (const double t : {1.0, 3.0, 8.0}) {
    const auto log_p = HeadAndTailLogProbs(labels, 0, t);
    ASSERT_TRUE(log_p.ok());
    for (size_t i = 0; i < 5; ++i) EXPECT_NEAR(std::exp((*log_p)[i]), i == 3 ? 1 : 0, 1e-12) << t;
  }
}

TEST(HeadTailCodec, TheVectorsCoarseKlAndRetemperedTailComeOut) {
  const auto all = nlohmann::json::parse(std::ifstream("tests/testdata/vectors.json"));
  nlohmann::json v20;
  for (const auto& vector : all["vectors"]) {
    if (vector["id"] == "V20") v20 = vector;
  }
  const auto teacher = v20["inputs"]["z_t"].get<std::vector<float>>();
  const auto student = v20["inputs"]["z_s"].get<std::vector<float>>();
  const auto labels = RoundTrip(*Codec("top_k/2"), 1, 6, teacher);
  EXPECT_THAT(labels.ids, ElementsAre(0, 1));
  EXPECT_NEAR(KlDivergence(*HeadAndTailLogProbs(labels, 0, 1), HeadAndTail(student, labels.ids, 1)),
              v20["expected"]["kl_topk_plus_tail"].get<double>(), 1e-6);
  EXPECT_NEAR(std::exp((*HeadAndTailLogProbs(labels, 0, 2))[2]),
              v20["expected"]["retemper"]["true_tail_mass_T2"].get<double>(), 1e-6);
}

TEST(HeadTailCodec, AHeadOfAllClassesIsTheLogitsBitForBit) {
  const std::vector<float> values = {-0.0f, 3.25f, 1e-42f, -1e30f, 0.1f, 7};
  for (const char* name : {"top_k/3", "top_k/4", "scores_at_ids/3"}) {
    const std::vector<int64_t> ids = {0, 1, 2, 0, 1, 2};
    const auto labels = RoundTrip(*Codec(name), 2, 3, values, {.ids = ids, .keys = {}});
    EXPECT_EQ(labels.ids, ids);
    EXPECT_THAT(labels.shift, ElementsAre(0, 0));
    ASSERT_EQ(labels.values.size(), values.size());
    EXPECT_EQ(std::memcmp(labels.values.data(), values.data(), sizeof(float) * 6), 0);
    EXPECT_EQ(labels.tail_nodes, 0);
    EXPECT_EQ((*HeadAndTailLogProbs(labels, 0, 2))[3], -std::numeric_limits<double>::infinity());
  }
}

TEST(HeadTailCodec, TheLargestAreKeptAndOfEqualOnesThoseWithSmallerIds) {
  const auto labels = RoundTrip(*Codec("top_k/3"), 2, 6, {1, 5, 2, 2, 9, 2, /**/ 4, 4, 4, 4, 4, 4});
  EXPECT_THAT(labels.ids, ElementsAre(1, 2, 4, 0, 1, 2));
  EXPECT_THAT(labels.values, ElementsAre(-4, -7, 0, 0, 0, 0));
  EXPECT_THAT(labels.shift, ElementsAre(9, 4));
}

TEST(HeadTailCodec, ALabelTakesAtMost100BytesFor1000ClassesAnd200For128000) {
  EXPECT_EQ(*Codec("top_k")->EncodedBytes(1, 1000), 96u);
  EXPECT_EQ(*Codec("top_k")->EncodedBytes(1, 128000), 110u);
  EXPECT_EQ(*Codec("top_k/37")->EncodedBytes(1, 128000), 197u);
  EXPECT_EQ(*Codec("top_k")->EncodedBytes(7, 10), 7 * 40u) << "all classes: float32";
  EXPECT_EQ(*Codec("scores_at_ids/16")->EncodedBytes(1, 1000), 76u);
}

TEST(HeadTailCodec, TheBytesOfARowAreTheDocumentedOnes) {
  // Deficits at T = 1: log(2) - log(e^-2 + e^-2) = 2; the head is class 2 at 3 and class 3.
  const auto encoded = Codec("top_k/2/1", 1, 1)->Encode(Labels(1, 4, {1, 1, 3, 2}));
  ASSERT_TRUE(encoded.ok()) << encoded.status();
  const std::string expected("\0\0\x40\x40\0\0\0\x40\xff\xff\xff\0\0\0\x70\x0e", 16);
  EXPECT_EQ(encoded->bytes, expected);
  EXPECT_EQ(encoded->parameters, std::string("\0\0\0\0\0\0\xf0\x3f\0\0\0\0\0\0\xf0\x3f", 16));
}

TEST(HeadTailCodec, RowsAreCutAndJoinedWithoutDecoding) {
  const auto codec = Codec("top_k/5");
  const auto first = NormalLogits(1, 0, 100, 0, 4), second = NormalLogits(1, 1, 100, 0, 4);
  auto both = first;
  both.insert(both.end(), second.begin(), second.end());
  EXPECT_EQ(
      codec->Encode(Labels(2, 100, both))->bytes,
      codec->Encode(Labels(1, 100, first))->bytes + codec->Encode(Labels(1, 100, second))->bytes);
}

TEST(HeadTailCodec, ScoresAtChosenIdsHaveAllOthersAsTheirTail) {
  const uint64_t seed = TestSeed();
  const auto codec = Codec("scores_at_ids/3");
  for (uint64_t row = 0; row < 20; ++row) {
    const auto logits = NormalLogits(seed, row, 200, 5, 4);
    const std::vector<int64_t> ids = {2, static_cast<int64_t>(3 + row), 199};
    const auto labels = RoundTrip(*codec, 1, 200, logits, {.ids = ids, .keys = {}});
    EXPECT_EQ(labels.ids, ids);
    const Loss loss = WorstLoss(logits, labels);
    EXPECT_LE(loss.kl, 1e-5);
    EXPECT_LE(loss.gradient, 1e-4);
  }
}

TEST(HeadTailCodec, ChosenIdsThatAreMissingDoNotRiseOrAreNoClassesAreRefused) {
  const auto codec = Codec("scores_at_ids/2");
  const auto labels = Labels(1, 5, {1, 2, 3, 4, 5});
  const std::vector<int64_t> good = {1, 4};
  const auto encoded = codec->Encode(labels, {.ids = good, .keys = {}});
  ASSERT_TRUE(encoded.ok()) << encoded.status();
  const std::vector<std::vector<int64_t>> all_bad = {{},     {1},     {1, 2, 3}, {2, 1},
                                                     {2, 2}, {-1, 2}, {1, 5}};
  for (const auto& bad : all_bad) {
    const RowContext context = {.ids = bad, .keys = {}};
    EXPECT_EQ(codec->Encode(labels, context).status().code(), absl::StatusCode::kInvalidArgument);
    EXPECT_EQ(Decode(*codec, 1, 5, *encoded, context).status().code(),
              absl::StatusCode::kInvalidArgument);
  }
  EXPECT_EQ(codec->EncodedBytes(1, 1).status().code(), absl::StatusCode::kInvalidArgument);
}

TEST(HeadTailCodec, PayloadsThatNoEncoderWritesAreRefused) {
  const auto codec = Codec("top_k/2/3");
  // Five classes: ids of three bits, so that some ids are none and two bits are left over.
  const auto encoded = codec->Encode(Labels(1, 5, {1, 2, 5, 4, 3}));
  ASSERT_TRUE(encoded.ok());
  ASSERT_EQ(encoded->bytes.size(), 22u);
  EXPECT_TRUE(Decode(*codec, 1, 5, *encoded).ok());
  const auto refused = [&](const std::function<void(EncodedLabels&)>& change) {
    EncodedLabels bad = *encoded;
    change(bad);
    return Decode(*codec, 1, 5, bad).status().code() == absl::StatusCode::kDataLoss;
  };
  const auto put = [](size_t at, auto value, auto member) {
    return [=](EncodedLabels& e) { std::memcpy((e.*member).data() + at, &value, sizeof(value)); };
  };
  const auto bytes = &EncodedLabels::bytes;
  const auto parameters = &EncodedLabels::parameters;
  for (size_t size = 0; size < 22; ++size) {
    EXPECT_TRUE(refused([&](EncodedLabels& e) { e.bytes.resize(size); })) << size;
  }
  EXPECT_TRUE(refused([](EncodedLabels& e) { e.bytes += '\0'; }));
  EXPECT_TRUE(refused(put(0, std::numeric_limits<float>::infinity(), bytes))) << "maximum";
  EXPECT_TRUE(refused(put(4, std::numeric_limits<float>::quiet_NaN(), bytes))) << "scale";
  EXPECT_TRUE(refused(put(4, -1.0f, bytes))) << "scale";
  EXPECT_TRUE(refused(put(21, uint8_t{2 | 2 << 3}, bytes))) << "an id twice";
  EXPECT_TRUE(refused(put(21, uint8_t{3 | 2 << 3}, bytes))) << "falling ids";
  EXPECT_TRUE(refused(put(21, uint8_t{2 | 5 << 3}, bytes))) << "no such class";
  EXPECT_TRUE(refused(put(21, uint8_t{2 | 3 << 3 | 1 << 6}, bytes))) << "a bit left over";
  EXPECT_FALSE(refused(put(21, uint8_t{2 | 4 << 3}, bytes)));
  EXPECT_TRUE(refused([](EncodedLabels& e) { e.parameters.pop_back(); }));
  for (const double bad : {0.0, -1.0, 9.0, std::numeric_limits<double>::quiet_NaN()}) {
    EXPECT_TRUE(refused(put(0, bad, parameters))) << "lowest temperature " << bad;
  }
  for (const double bad : {0.5, 33.0, std::numeric_limits<double>::infinity()}) {
    EXPECT_TRUE(refused(put(8, bad, parameters))) << "highest temperature " << bad;
  }
}

TEST(HeadTailCodec, ShapesThatMemoryCannotHoldAreRefused) {
  for (const char* name : {"top_k", "scores_at_ids/2"}) {
    const auto codec = Codec(name);
    EXPECT_EQ(codec->EncodedBytes(-1, 9).status().code(), absl::StatusCode::kInvalidArgument);
    EXPECT_EQ(codec->EncodedBytes(1, 0).status().code(), absl::StatusCode::kInvalidArgument);
    EXPECT_EQ(codec->EncodedBytes(1, (int64_t{1} << 31) + 1).status().code(),
              absl::StatusCode::kOutOfRange);
    EXPECT_EQ(codec->EncodedBytes(int64_t{1} << 55, 20).status().code(),
              absl::StatusCode::kOutOfRange);
    EXPECT_EQ(*codec->EncodedBytes(0, 9), 0u);
    // Consistent in itself, but the bytes are not there.
    EXPECT_EQ(
        codec->DecodeSparse(int64_t{1} << 50, 20, std::string(16, '\0'), {}, {}).status().code(),
        absl::StatusCode::kDataLoss);
  }
}

TEST(HeadTailCodec, OptionsOutOfBoundsAreRefused) {
  const auto made = [](int head, int nodes, double low, double high) {
    return MakeTopK("top_k", {head, nodes, low, high}).status().code();
  };
  EXPECT_EQ(made(1, 1, 2, 2), absl::StatusCode::kOk);
  EXPECT_EQ(made(kMaxHead, kMaxTailNodes, kMinSparseTemperature, kMaxSparseTemperature),
            absl::StatusCode::kOk);
  EXPECT_EQ(made(0, 2, 1, 2), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(made(kMaxHead + 1, 2, 1, 2), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(made(1, 0, 1, 2), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(made(1, kMaxTailNodes + 1, 1, 2), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(made(1, 2, 2, 1), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(made(1, 2, 0, 1), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(made(1, 2, 1, 33), absl::StatusCode::kInvalidArgument);
}

TEST(HeadTailCodec, OneNodeIsRefusedForARangeByTheEncoderAndDecodesByItsNameAlone) {
  const auto labels = Labels(1, 3, {1, 2, 3});
  const auto encoded = Codec("top_k/1/1", 2, 2)->Encode(labels);
  ASSERT_TRUE(encoded.ok()) << encoded.status();
  const auto named = *FindCodec("top_k/1/1");
  EXPECT_TRUE(Decode(*named, 1, 3, *encoded).ok());
  EXPECT_EQ(named->Encode(labels).status().code(), absl::StatusCode::kInvalidArgument);
  EncodedLabels lying = *encoded;
  lying.parameters = Codec("top_k/1/2", 2, 3)->Encode(labels)->parameters;
  EXPECT_EQ(Decode(*named, 1, 3, lying).status().code(), absl::StatusCode::kDataLoss);
}

TEST(HeadTailCodec, EachLayoutNamesTheOther) {
  std::vector<float> values(2);
  const auto dense = Codec("top_k")->Decode(1, 2, "", {}, values);
  EXPECT_EQ(dense.code(), absl::StatusCode::kUnimplemented);
  EXPECT_THAT(std::string(dense.message()), HasSubstr("top_k labels are sparse"));
  EXPECT_EQ(Codec("dense_fp16")->DecodeSparse(1, 2, "", {}, {}).status().code(),
            absl::StatusCode::kUnimplemented);
}

}  // namespace
}  // namespace distill
