#include "distillation/labels/codec.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <string>
#include <vector>

#include "common/random/random.h"
#include "common/random/test_seed.h"
#include "distillation/labels/half.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace distill {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

TensorView Labels(int64_t rows, int64_t classes, std::vector<float> values) {
  return MakeTensorView(ElementType::kFloat32, {rows, classes}, std::move(values));
}

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

double Kl(const std::vector<double>& p_logits, const std::vector<double>& q_logits, double t) {
  const auto log_sum = [t](const std::vector<double>& z) {
    const double top = *std::max_element(z.begin(), z.end());
    double sum = 0;
    for (const double v : z) sum += std::exp((v - top) / t);
    return top / t + std::log(sum);
  };
  const double p_norm = log_sum(p_logits), q_norm = log_sum(q_logits);
  double kl = 0;
  for (size_t i = 0; i < p_logits.size(); ++i) {
    const double log_p = p_logits[i] / t - p_norm;
    kl += std::exp(log_p) * (log_p - (q_logits[i] / t - q_norm));
  }
  return kl;
}

TEST(Codec, DenseFp32ReturnsEveryBit) {
  const std::vector<float> values = {-0.0f,
                                     0.0f,
                                     std::numeric_limits<float>::denorm_min(),
                                     std::numeric_limits<float>::max(),
                                     std::numeric_limits<float>::lowest(),
                                     0.1f};
  const auto back = RoundTrip(Codec("dense_fp32"), Labels(3, 2, values));
  EXPECT_EQ(std::memcmp(back.data(), values.data(), values.size() * sizeof(float)), 0);
}

TEST(Codec, DenseFp16KeepsItsErrorBoundAndTheKlBoundForRandomRows) {
  const uint64_t seed = TestSeed();
  constexpr int64_t kClasses = 50;
  for (uint64_t trial = 0; trial < 500; ++trial) {
    const auto values = RandomLogits(seed, trial, kClasses);
    const auto encoded = Codec("dense_fp16").Encode(Labels(1, kClasses, values));
    ASSERT_TRUE(encoded.ok());
    const auto back = RoundTrip(Codec("dense_fp16"), Labels(1, kClasses, values));
    const double maximum = *std::max_element(values.begin(), values.end());
    double worst = 0;
    std::vector<double> p, q;
    for (int64_t c = 0; c < kClasses; ++c) {
      const double distance = maximum - values[c];
      uint16_t half;
      std::memcpy(&half, encoded->bytes.data() + sizeof(float) + c * sizeof(half), sizeof(half));
      const double bound = std::max(0x1p-11 * distance, 0x1p-25);
      ASSERT_LE(std::abs(-FloatFromHalf(half) - distance), bound) << "class " << c;
      const double error = std::abs(static_cast<double>(back[c]) - values[c]);
      ASSERT_LE(error, bound + 0x1p-24 * std::abs(back[c])) << "class " << c;
      worst = std::max(worst, error);
      p.push_back(values[c]);
      q.push_back(back[c]);
    }
    for (const double t : {1.0, 4.0}) {
      // 1e-14: the rounding of this test's own sums.
      EXPECT_LE(Kl(p, q, t), worst * worst / (t * t) / 2 + 1e-14) << "trial " << trial;
    }
  }
}

TEST(Codec, DenseFp16KeepsTheMaximumOfEachRowExactly) {
  const auto back = RoundTrip(Codec("dense_fp16"), Labels(2, 2, {1000.1f, 0, -3, -7.7f}));
  EXPECT_EQ(back[0], 1000.1f);
  EXPECT_EQ(back[2], -3.0f);
}

TEST(Codec, DenseFp16ClampsDistancesThatAHalfCannotHold) {
  const float big = std::numeric_limits<float>::max();
  const auto back = RoundTrip(Codec("dense_fp16"), Labels(3, 2, {0, -1e6f, 0, -65504, big, -big}));
  EXPECT_THAT(back, ElementsAre(0, -65504, 0, -65504, big, big - 65504.0f));
}

TEST(Codec, DenseFp16StoresMaximaBeforeValues) {
  const auto encoded = Codec("dense_fp16").Encode(Labels(2, 2, {2, 1, -4, -2}));
  ASSERT_TRUE(encoded.ok());
  EXPECT_EQ(encoded->bytes, std::string("\0\0\0\x40\0\0\0\xc0\0\0\0\xbc\0\xc0\0\0", 16));
  EXPECT_EQ(encoded->parameters, "");
}

TEST(Codec, SizesFollowFromTheShapeAndOverflowIsRefused) {
  EXPECT_EQ(*Codec("dense_fp32").EncodedBytes(3, 10), 120u);
  EXPECT_EQ(*Codec("dense_fp16").EncodedBytes(3, 10), 72u);
  for (const std::string& name : CodecNames()) {
    EXPECT_EQ(*Codec(name).EncodedBytes(0, 10), 0u);
    EXPECT_EQ(Codec(name).EncodedBytes(-1, 10).status().code(), absl::StatusCode::kInvalidArgument);
    EXPECT_EQ(Codec(name).EncodedBytes(1, 0).status().code(), absl::StatusCode::kInvalidArgument);
    EXPECT_EQ(Codec(name).EncodedBytes(int64_t{1} << 40, int64_t{1} << 40).status().code(),
              absl::StatusCode::kOutOfRange);
    EXPECT_EQ(Codec(name).EncodedBytes(int64_t{1} << 61, 1).status().code(),
              absl::StatusCode::kOutOfRange);
  }
}

TEST(Codec, ARowThatIsNotFiniteIsRefusedByName) {
  for (const std::string& name : CodecNames()) {
    const auto encoded =
        Codec(name).Encode(Labels(2, 2, {1, 2, 3, std::numeric_limits<float>::quiet_NaN()}));
    EXPECT_EQ(encoded.status().code(), absl::StatusCode::kDataLoss);
    EXPECT_THAT(std::string(encoded.status().message()), HasSubstr("row 1 is not finite"));
  }
}

TEST(Codec, InputThatIsNotAFloatMatrixInHostMemoryIsRefused) {
  TensorView device = Labels(1, 2, {1, 2});
  device.device = 0;
  TensorView cut = Labels(1, 2, {1, 2});
  cut.bytes = cut.bytes.first(4);
  for (const std::string& name : CodecNames()) {
    for (const TensorView& bad :
         {device, cut, MakeTensorView<float>(ElementType::kFloat32, {2}, {1, 2}),
          MakeTensorView<int32_t>(ElementType::kInt32, {1, 2}, {1, 2})}) {
      EXPECT_EQ(Codec(name).Encode(bad).status().code(), absl::StatusCode::kInvalidArgument);
    }
  }
}

TEST(Codec, PayloadsOfAnotherSizeAreRefused) {
  for (const std::string& name : CodecNames()) {
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
    EXPECT_EQ(decode(2, 2, "", size, 4), absl::StatusCode::kOk);
    EXPECT_EQ(decode(2, 2, "", size - 1, 4), absl::StatusCode::kDataLoss);
    EXPECT_EQ(decode(2, 2, "x", size, 4), absl::StatusCode::kDataLoss);
    EXPECT_EQ(decode(2, 2, "", size, 3), absl::StatusCode::kDataLoss);
    EXPECT_EQ(decode(3, 2, "", size, 4), absl::StatusCode::kDataLoss);
    EXPECT_EQ(decode(-2, -2, "", size, 4), absl::StatusCode::kDataLoss);
  }
}

TEST(Codec, ValuesThatNoEncoderWritesAreRefused) {
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
}

TEST(Codec, AnUnknownNameListsTheKnownOnes) {
  const auto codec = FindCodec("topk");
  EXPECT_EQ(codec.status().code(), absl::StatusCode::kUnimplemented);
  EXPECT_THAT(std::string(codec.status().message()), HasSubstr("dense_fp32, dense_fp16"));
}

TEST(Codec, TheFirstPreferenceThatIsSupportedIsTaken) {
  const std::vector<std::string> supported = {"dense_fp32", "dense_fp16"};
  EXPECT_EQ(*Negotiate(std::vector<std::string>{"new", "dense_fp16", "dense_fp32"}, supported),
            "dense_fp16");
  const auto none = Negotiate(std::vector<std::string>{"new"}, supported);
  EXPECT_EQ(none.status().code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(std::string(none.status().message()), HasSubstr("[new]"));
  EXPECT_FALSE(Negotiate({}, supported).ok());
}

}  // namespace
}  // namespace distill
