#include "distillation/labels/dense_codecs.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>
#include <fstream>
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
#include "distillation/labels/half.h"
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

// The default codecs live forever.
const LabelCodec& Codec(const std::string& name) { return **FindCodec(name); }

std::span<const std::byte> BytesOf(const EncodedLabels& encoded) {
  return std::as_bytes(std::span(encoded.bytes));
}

std::vector<float> RoundTrip(const LabelCodec& codec, const TensorView& labels) {
  const auto encoded = codec.Encode(labels);
  EXPECT_TRUE(encoded.ok()) << encoded.status();
  std::vector<float> values(labels.as<float>().size());
  const absl::Status status =
      codec.Decode(labels.dims[0], labels.dims[1], encoded->parameters, BytesOf(*encoded), values);
  EXPECT_TRUE(status.ok()) << status;
  return values;
}

// Rows whose spread and offset go over many powers of two.
std::vector<float> RandomLogits(uint64_t seed, uint64_t stream, size_t count) {
  const double spread = std::exp2(-6 + 16 * UniformReal(seed, stream, count));
  const double offset = 200 * (UniformReal(seed, stream, count + 1) - 0.5);
  std::vector<float> values(count);
  for (size_t i = 0; i < count; ++i) {
    values[i] = static_cast<float>(offset + spread * (UniformReal(seed, stream, i) - 0.5));
  }
  return values;
}

TEST(DenseCodecs, DenseFp32ReturnsEveryBit) {
  const std::vector<float> values = {-0.0f,
                                     0.0f,
                                     std::numeric_limits<float>::denorm_min(),
                                     std::numeric_limits<float>::max(),
                                     std::numeric_limits<float>::lowest(),
                                     0.1f};
  const auto back = RoundTrip(Codec("dense_fp32"), Labels(3, 2, values));
  EXPECT_EQ(std::memcmp(back.data(), values.data(), values.size() * sizeof(float)), 0);
}

// The distance below the maximum that the payload holds for class c of a single row.
double StoredDistance(const std::string& codec, const EncodedLabels& encoded, size_t c) {
  const char* codes = encoded.bytes.data() + sizeof(float);
  if (codec == "log_prob_u8") return static_cast<uint8_t>(codes[c]) * 16 / 255.0;
  uint16_t half;
  std::memcpy(&half, codes + c * sizeof(half), sizeof(half));
  return codec == "dense_fp16" ? -FloatFromHalf(half) : -FloatFromBFloat16(half);
}

// What the header promises for a distance.
double StoredBound(const std::string& codec, double distance) {
  if (codec == "log_prob_u8") return distance <= 16 ? 16.0 / 510 : distance - 16;
  return codec == "dense_fp16" ? std::max(0x1p-11 * distance, 0x1p-25)
                               : std::max(0x1p-8 * distance, 0x1p-134);
}

TEST(DenseCodecs, EveryErrorIsWithinItsBoundAndSoIsTheKlForRandomRows) {
  const uint64_t seed = TestSeed();
  constexpr int64_t kClasses = 50;
  for (const std::string codec : {"dense_fp16", "dense_bf16", "log_prob_u8"}) {
    for (uint64_t trial = 0; trial < 500; ++trial) {
      const auto values = RandomLogits(seed, trial, kClasses);
      const auto encoded = Codec(codec).Encode(Labels(1, kClasses, values));
      ASSERT_TRUE(encoded.ok());
      const auto back = RoundTrip(Codec(codec), Labels(1, kClasses, values));
      const double maximum = *std::max_element(values.begin(), values.end());
      double worst = 0;
      int clamped = 0;
      for (int64_t c = 0; c < kClasses; ++c) {
        const double distance = maximum - values[c];
        // Subtracting, and adding back, in float32.
        const double rounding = 0x1p-24 * (distance + std::abs(back[c]));
        const double bound = StoredBound(codec, distance) + 0x1p-24 * distance;
        ASSERT_LE(std::abs(StoredDistance(codec, *encoded, c) - distance), bound)
            << codec << " class " << c;
        const double error = std::abs(static_cast<double>(back[c]) - values[c]);
        ASSERT_LE(error, StoredBound(codec, distance) + rounding) << codec << " class " << c;
        if (codec == "log_prob_u8" && distance > 16) {
          ++clamped;
        } else {
          worst = std::max(worst, error);
        }
      }
      for (const double t : {1.0, 4.0}) {
        const double d = worst / t;
        // 1e-14: the rounding of this test's own sums.
        EXPECT_LE(KlDivergence(LogSoftmax(values, t), LogSoftmax(back, t)),
                  d * d / 2 + clamped * std::exp(-16 / t) * (1 + 2 * d) + 1e-14)
            << codec << " trial " << trial;
      }
    }
  }
}

TEST(DenseCodecs, TheFiguresOfAThousandNormalClassesHold) {
  // Worst KL of 200 rows of C = 1000, N(20, 4^2) at T = 1, and for eight bits over R
  // the bound (R / 510)^2 / 2 with the mass that clamping may add. Rounded up from what was
  // measured: 4.7e-7, 2.5e-5; 4.9e-4 is a bound already.
  const uint64_t seed = TestSeed();
  const std::vector<std::pair<std::string, double>> figures = {{"dense_fp16", 1e-6},
                                                               {"dense_bf16", 6e-5},
                                                               {"log_prob_u8", 4.92e-4 + 1.1e-4},
                                                               {"log_prob_u8/12", 2.77e-4 + 6.2e-3},
                                                               {"log_prob_u8/24", 1.11e-3 + 4e-8}};
  for (const auto& [name, bound] : figures) {
    const auto codec = *FindCodec(name);
    double worst = 0;
    for (uint64_t row = 0; row < 200; ++row) {
      const auto values = NormalLogits(seed, row, 1000, 20, 4);
      const auto back = RoundTrip(*codec, Labels(1, 1000, values));
      worst = std::max(worst, KlDivergence(LogSoftmax(values, 1), LogSoftmax(back, 1)));
    }
    std::cerr << name << ": worst KL " << worst << "\n";
    EXPECT_LE(worst, bound) << name;
  }
}

TEST(DenseCodecs, LogProbU8GivesTheVectorsCodesAndError) {
  nlohmann::json v20;
  const auto all = nlohmann::json::parse(std::ifstream("tests/testdata/vectors.json"));
  for (const auto& vector : all["vectors"]) {
    if (vector["id"] == "V20") v20 = vector;
  }
  const auto z = v20["inputs"]["z_t"].get<std::vector<float>>();
  const auto& expected = v20["expected"]["uint8"];
  const auto encoded = Codec("log_prob_u8").Encode(Labels(1, 6, z));
  ASSERT_TRUE(encoded.ok());
  const std::string codes = encoded->bytes.substr(sizeof(float));
  EXPECT_EQ(std::vector<int>(codes.begin(), codes.end()),
            expected["codes"].get<std::vector<int>>());
  const auto back = RoundTrip(Codec("log_prob_u8"), Labels(1, 6, z));
  EXPECT_NEAR(KlDivergence(LogSoftmax(z, 1), LogSoftmax(back, 1)),
              expected["kl_p_phat"].get<double>(), 1e-10 + 2e-7 * 0.0196);
  for (size_t c = 0; c < z.size(); ++c) {
    EXPECT_LE(std::abs(back[c] - z[c]), expected["max_abs_error"].get<double>() + 1e-6);
  }
}

TEST(DenseCodecs, LogProbU8ClampsWhatLiesDeeperThanItsRange) {
  const float big = std::numeric_limits<float>::max();
  EXPECT_THAT(RoundTrip(Codec("log_prob_u8"), Labels(2, 2, {0, -17, big, -big})),
              ElementsAre(0, -16, big, big));
  const auto wide = *FindCodec("log_prob_u8/1024");
  EXPECT_THAT(RoundTrip(*wide, Labels(1, 3, {0, -1024, -2000})), ElementsAre(0, -1024, -1024));
}

TEST(DenseCodecs, LogProbU8RefusesARangeThatNoEncoderWrites) {
  const auto encoded = Codec("log_prob_u8").Encode(Labels(1, 2, {1, 2}));
  ASSERT_TRUE(encoded.ok());
  std::vector<float> values(2);
  const auto decode = [&](float range) {
    const std::string parameters(reinterpret_cast<const char*>(&range), sizeof(range));
    return Codec("log_prob_u8").Decode(1, 2, parameters, BytesOf(*encoded), values).code();
  };
  EXPECT_EQ(decode(16), absl::StatusCode::kOk);
  EXPECT_EQ(decode(1024), absl::StatusCode::kOk);
  for (const float bad : {0.0f, -1.0f, 1024.5f, std::numeric_limits<float>::infinity(),
                          std::numeric_limits<float>::quiet_NaN()}) {
    EXPECT_EQ(decode(bad), absl::StatusCode::kDataLoss) << bad;
  }
}

TEST(DenseCodecs, TheTopOfEachRowIsExactAndTiesStayTies) {
  const uint64_t seed = TestSeed();
  for (const std::string& name : DenseCodecNames()) {
    for (uint64_t trial = 0; trial < 50; ++trial) {
      auto values = RandomLogits(seed, trial, 20);
      for (size_t c = 10; c < 20; ++c) values[c] = values[c - 10];
      const auto back = RoundTrip(Codec(name), Labels(1, 20, values));
      EXPECT_EQ(*std::ranges::max_element(back), *std::ranges::max_element(values)) << name;
      for (size_t c = 10; c < 20; ++c) ASSERT_EQ(back[c], back[c - 10]) << name;
    }
  }
}

TEST(DenseCodecs, ExtremesStayFinite) {
  const float big = std::numeric_limits<float>::max();
  std::vector<float> values = {big, -big, 0, big};
  // Distances some of which are rounded up, and then lead below the lowest float.
  for (int i = 0; i < 50; ++i) values.insert(values.end(), {-3.3e38f + i * 1e36f, -big});
  for (const std::string& name : DenseCodecNames()) {
    for (const float value : RoundTrip(Codec(name), Labels(52, 2, values))) {
      EXPECT_TRUE(std::isfinite(value)) << name;
    }
  }
}

TEST(DenseCodecs, DenseFp16KeepsTheMaximumOfEachRowExactly) {
  const auto back = RoundTrip(Codec("dense_fp16"), Labels(2, 2, {1000.1f, 0, -3, -7.7f}));
  EXPECT_EQ(back[0], 1000.1f);
  EXPECT_EQ(back[2], -3.0f);
}

TEST(DenseCodecs, DenseFp16ClampsDistancesThatAHalfCannotHold) {
  const float big = std::numeric_limits<float>::max();
  const auto back = RoundTrip(Codec("dense_fp16"), Labels(3, 2, {0, -1e6f, 0, -65504, big, -big}));
  EXPECT_THAT(back, ElementsAre(0, -65504, 0, -65504, big, big - 65504.0f));
}

TEST(DenseCodecs, DenseFp16StoresMaximaBeforeValues) {
  const auto encoded = Codec("dense_fp16").Encode(Labels(2, 2, {2, 1, -4, -2}));
  ASSERT_TRUE(encoded.ok());
  EXPECT_EQ(encoded->bytes, std::string("\0\0\0\x40\0\0\0\xc0\0\0\0\xbc\0\xc0\0\0", 16));
  EXPECT_EQ(encoded->parameters, "");
}

TEST(DenseCodecs, SizesFollowFromTheShapeAndOverflowIsRefused) {
  EXPECT_EQ(*Codec("dense_fp32").EncodedBytes(3, 10), 120u);
  EXPECT_EQ(*Codec("dense_fp16").EncodedBytes(3, 10), 72u);
  EXPECT_EQ(*Codec("dense_bf16").EncodedBytes(3, 10), 72u);
  EXPECT_EQ(*Codec("log_prob_u8").EncodedBytes(3, 10), 42u);
  for (const std::string& name : DenseCodecNames()) {
    EXPECT_EQ(*Codec(name).EncodedBytes(0, 10), 0u);
    EXPECT_EQ(Codec(name).EncodedBytes(-1, 10).status().code(), absl::StatusCode::kInvalidArgument);
    EXPECT_EQ(Codec(name).EncodedBytes(1, 0).status().code(), absl::StatusCode::kInvalidArgument);
    EXPECT_EQ(Codec(name).EncodedBytes(int64_t{1} << 40, int64_t{1} << 40).status().code(),
              absl::StatusCode::kOutOfRange);
    EXPECT_EQ(Codec(name).EncodedBytes(int64_t{1} << 61, 1).status().code(),
              absl::StatusCode::kOutOfRange);
  }
}

TEST(DenseCodecs, ARowThatIsNotFiniteIsRefusedByName) {
  for (const std::string& name : DenseCodecNames()) {
    const auto encoded =
        Codec(name).Encode(Labels(2, 2, {1, 2, 3, std::numeric_limits<float>::quiet_NaN()}));
    EXPECT_EQ(encoded.status().code(), absl::StatusCode::kDataLoss);
    EXPECT_THAT(std::string(encoded.status().message()), HasSubstr("row 1 is not finite"));
  }
}

TEST(DenseCodecs, InputThatIsNotAFloatMatrixInHostMemoryIsRefused) {
  TensorView device = Labels(1, 2, {1, 2});
  device.device = 0;
  TensorView cut = Labels(1, 2, {1, 2});
  cut.bytes = cut.bytes.first(4);
  for (const std::string& name : DenseCodecNames()) {
    for (const TensorView& bad :
         {device, cut, MakeTensorView<float>(ElementType::kFloat32, {2}, {1, 2}),
          MakeTensorView<int32_t>(ElementType::kInt32, {1, 2}, {1, 2})}) {
      EXPECT_EQ(Codec(name).Encode(bad).status().code(), absl::StatusCode::kInvalidArgument);
    }
  }
}

TEST(DenseCodecs, PayloadsOfAnotherSizeAreRefused) {
  for (const std::string& name : DenseCodecNames()) {
    const auto encoded = Codec(name).Encode(Labels(2, 2, {1, 2, 3, 4}));
    ASSERT_TRUE(encoded.ok());
    std::vector<float> values(4);
    const auto decode = [&](int64_t rows, int64_t classes, std::string_view parameters,
                            size_t bytes, size_t room) {
      return Codec(name)
          .Decode(rows, classes, parameters, BytesOf(*encoded).first(bytes),
                  std::span(values).first(room))
          .code();
    };
    const size_t size = encoded->bytes.size();
    const std::string& good = encoded->parameters;
    EXPECT_EQ(decode(2, 2, good, size, 4), absl::StatusCode::kOk);
    for (size_t cut = 0; cut < size; ++cut) {
      EXPECT_EQ(decode(2, 2, good, cut, 4), absl::StatusCode::kDataLoss);
    }
    EXPECT_EQ(decode(2, 2, good + "x", size, 4), absl::StatusCode::kDataLoss);
    if (!good.empty()) {
      EXPECT_EQ(decode(2, 2, "", size, 4), absl::StatusCode::kDataLoss);
    }
    EXPECT_EQ(decode(2, 2, good, size, 3), absl::StatusCode::kDataLoss);
    EXPECT_EQ(decode(3, 2, good, size, 4), absl::StatusCode::kDataLoss);
    EXPECT_EQ(decode(-2, -2, good, size, 4), absl::StatusCode::kDataLoss);
  }
}

TEST(DenseCodecs, DistancesAreRoundedAsByTheScalarConversion) {
  const uint64_t seed = TestSeed();
  // The maximum is 0, so that a value is its distance: any negative float of either codec's
  // range, and the middles of two halves and of two bfloat16 with their neighbours.
  std::vector<float> values = {0.0f, -0.0f};
  for (uint64_t i = 0; i < 200000; ++i) {
    const uint32_t bits = 0x80000000u | static_cast<uint32_t>(UniformBelow(seed, 0, i, 0x7f7fffff));
    values.push_back(std::bit_cast<float>(bits));
    values.push_back(std::bit_cast<float>((bits & ~0x1fffu) | 0x1000u));
    values.push_back(std::bit_cast<float>((bits & ~0xffffu) | 0x8000u));
    // Sizes of a half, the smallest ones too.
    values.push_back(static_cast<float>(-std::exp2(-27 + 43 * UniformReal(seed, 1, i))));
    values.push_back(-std::nearbyint(3000.0f * static_cast<float>(UniformReal(seed, 2, i))) *
                     0x1p-25f);
  }
  const int64_t classes = static_cast<int64_t>(values.size());
  const auto halves = Codec("dense_fp16").Encode(Labels(1, classes, values));
  const auto bfloats = Codec("dense_bf16").Encode(Labels(1, classes, values));
  ASSERT_TRUE(halves.ok() && bfloats.ok());
  for (size_t c = 0; c < values.size(); ++c) {
    uint16_t half, bfloat;
    std::memcpy(&half, halves->bytes.data() + sizeof(float) + 2 * c, 2);
    std::memcpy(&bfloat, bfloats->bytes.data() + sizeof(float) + 2 * c, 2);
    // A value less the maximum: -0 becomes 0.
    const float distance = values[c] - 0.0f == 0 ? values[c] - values[0] : values[c];
    ASSERT_EQ(half, HalfFromFloat(std::max(distance, -kMaxHalf))) << values[c];
    ASSERT_EQ(bfloat, BFloat16FromFloat(std::max(distance, -kMaxBFloat16))) << values[c];
  }
}

TEST(DenseCodecs, EveryCodeOfADistanceIsDecodedExactlyOrRefused) {
  for (const std::string name : {"dense_fp16", "dense_bf16"}) {
    const bool half = name == "dense_fp16";
    for (uint32_t c = 0; c <= 0xffff; ++c) {
      const uint16_t code = static_cast<uint16_t>(c);
      std::string bytes(sizeof(float) + sizeof(code), '\0');  // The maximum is 0.
      std::memcpy(bytes.data() + sizeof(float), &code, sizeof(code));
      float value = 1;
      const bool decoded =
          Codec(name)
              .Decode(1, 1, "", std::as_bytes(std::span(bytes)), std::span<float>(&value, 1))
              .ok();
      const float expected = half ? FloatFromHalf(code) : FloatFromBFloat16(code);
      ASSERT_EQ(decoded, std::isfinite(expected) && expected <= 0) << name << " " << code;
      if (decoded) {
        ASSERT_EQ(value, expected) << name << " " << code;
      }
    }
  }
}

TEST(DenseCodecs, ValuesThatNoEncoderWritesAreRefused) {
  std::vector<float> values(2);
  const std::string nan32 = std::string("\0\0\x80\x3f\0\0\xc0\x7f", 8);
  const auto decode = [&](const std::string& name, const std::string& bytes) {
    return Codec(name).Decode(1, 2, "", std::as_bytes(std::span(bytes)), values);
  };
  EXPECT_EQ(decode("dense_fp32", nan32).code(), absl::StatusCode::kDataLoss);
  const std::string one("\0\0\x80\x3f", 4), infinite("\0\0\x80\x7f", 4);
  EXPECT_TRUE(decode("dense_fp16", one + std::string("\0\0\0\xbc", 4)).ok());
  // A half of NaN, of -infinity and above the maximum; a maximum of infinity.
  EXPECT_EQ(decode("dense_fp16", one + std::string("\0\0\0\x7e", 4)).code(),
            absl::StatusCode::kDataLoss);
  EXPECT_EQ(decode("dense_fp16", one + std::string("\0\0\0\xfc", 4)).code(),
            absl::StatusCode::kDataLoss);
  EXPECT_EQ(decode("dense_fp16", one + std::string("\0\0\0\x3c", 4)).code(),
            absl::StatusCode::kDataLoss);
  EXPECT_EQ(decode("dense_fp16", infinite + std::string(4, '\0')).code(),
            absl::StatusCode::kDataLoss);
  EXPECT_TRUE(decode("dense_bf16", one + std::string("\0\0\x80\xbf", 4)).ok());
  // A bfloat16 of NaN, of -infinity and above the maximum.
  for (const char* bad : {"\xc0\x7f", "\x80\xff", "\x80\x3f"}) {
    EXPECT_EQ(decode("dense_bf16", one + std::string(2, '\0') + std::string(bad, 2)).code(),
              absl::StatusCode::kDataLoss);
  }
}

}  // namespace
}  // namespace distill
