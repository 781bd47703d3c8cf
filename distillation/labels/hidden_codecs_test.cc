#include "distillation/labels/hidden_codecs.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <span>
#include <string>
#include <vector>

#include "common/random/test_seed.h"
#include "common/tensor_view/tensor_view.h"
#include "distillation/labels/codec.h"
#include "distillation/labels/synthetic_logits.h"

namespace distill {
namespace {

using ::testing::HasSubstr;

constexpr const char* kNames[] = {"hidden_fp32", "hidden_fp16", "hidden_bf16"};

TensorView Rows(int64_t rows, std::vector<float> values) {
  const int64_t width = static_cast<int64_t>(values.size()) / rows;
  return MakeTensorView(ElementType::kFloat32, {rows, width}, std::move(values));
}

std::vector<float> RoundTrip(const std::string& name, int64_t rows,
                             const std::vector<float>& hidden) {
  const auto codec = FindCodec(name);
  const auto encoded = (*codec)->Encode(Rows(rows, hidden));
  EXPECT_TRUE(encoded.ok()) << encoded.status();
  const int64_t features = static_cast<int64_t>(hidden.size()) / rows;
  std::vector<float> decoded(hidden.size());
  const absl::Status status = (*codec)->Decode(rows, features, encoded->parameters,
                                               std::as_bytes(std::span(encoded->bytes)), decoded);
  EXPECT_TRUE(status.ok()) << status;
  return decoded;
}

// Half of its units are off, as after a ReLU.
std::vector<float> HiddenStates(uint64_t seed, int64_t count, double deviation) {
  std::vector<float> values = NormalLogits(seed, 7, count, 0, deviation);
  for (float& value : values) value = std::max(value, 0.0f);
  return values;
}

TEST(HiddenCodecs, PayloadsAreThoseOfTheDenseCodecOfTheirWidth) {
  const auto hidden = HiddenStates(TestSeed(), 60, 3);
  for (const std::string name : kNames) {
    const auto codec = FindCodec(name);
    ASSERT_TRUE(codec.ok()) << codec.status();
    EXPECT_EQ((*codec)->layout(), LabelLayout::kHidden);
    EXPECT_EQ((*codec)->name(), name);
    const auto dense = FindCodec("dense" + name.substr(6));
    const auto encoded = (*codec)->Encode(Rows(4, hidden));
    EXPECT_EQ(encoded->bytes, (*dense)->Encode(Rows(4, hidden))->bytes);
    EXPECT_EQ(encoded->parameters, "");
  }
}

TEST(HiddenCodecs, ALabelOf128000ClassesTakesAKibibyteWhereAWidthOf512DoesIt) {
  EXPECT_EQ(*(*FindCodec("hidden_fp16"))->EncodedBytes(1, 512), 4u + 2 * 512);
  EXPECT_EQ(*(*FindCodec("dense_fp16"))->EncodedBytes(1, 128000), 4u + 2 * 128000);
}

TEST(HiddenCodecs, InFp32ValuesComeBackBitForBit) {
  const auto hidden = HiddenStates(TestSeed(), 4096, 5);
  EXPECT_EQ(RoundTrip("hidden_fp32", 8, hidden), hidden);
  // Rows of zeros are hidden states like others.
  const std::vector<float> off(32, 0.0f);
  for (const char* name : kNames) EXPECT_EQ(RoundTrip(name, 4, off), off) << name;
}

TEST(HiddenCodecs, LogitsAreOffByNoMoreThanTheWeightedErrorsOfTheHiddenValues) {
  constexpr int64_t kFeatures = 256, kClasses = 200;
  const uint64_t seed = TestSeed();
  for (const double deviation : {0.01, 1.0, 30.0, 3000.0}) {
    const auto hidden = HiddenStates(seed, kFeatures, deviation);
    const auto weight = NormalLogits(seed, 8, kFeatures * kClasses, 0, 0.3);
    const double maximum = *std::max_element(hidden.begin(), hidden.end());
    for (const auto& [name, relative, least] :
         {std::tuple{"hidden_fp16", 0x1p-11, 0x1p-25}, {"hidden_bf16", 0x1p-8, 0x1p-134}}) {
      const auto decoded = RoundTrip(name, 1, hidden);
      double worst = 0;
      for (int64_t c = 0; c < kClasses; ++c) {
        double off = 0, bound = 0;
        for (int64_t i = 0; i < kFeatures; ++i) {
          const double w = weight[c * kFeatures + i], h = hidden[i], s = maximum - h;
          const double error = std::max(relative * s, least);
          off += w * (decoded[i] - h);
          bound += std::abs(w) * (error + 0x1p-24 * (s + std::abs(h) + error));
        }
        ASSERT_LE(std::abs(off), bound) << name << " class " << c << " deviation " << deviation;
        worst = std::max(worst, std::abs(off) / bound);
      }
      EXPECT_GT(worst, 0.01) << name << ": the bound says nothing";
    }
  }
}

TEST(HiddenCodecs, WhatNoEncoderWritesIsRefusedWithTheCodecsName) {
  for (const char* name : kNames) {
    const auto codec = FindCodec(name);
    const std::string bytes = (*codec)->Encode(Rows(2, HiddenStates(1, 12, 1)))->bytes;
    std::vector<float> values(12);
    const auto decode = [&](const std::string& parameters, const std::string& payload,
                            int64_t features) {
      return (*codec)->Decode(2, features, parameters, std::as_bytes(std::span(payload)), values);
    };
    ASSERT_TRUE(decode("", bytes, 6).ok());
    std::string not_finite = bytes;
    const float nan = std::numeric_limits<float>::quiet_NaN();
    std::memcpy(not_finite.data(), &nan, sizeof(nan));
    for (const absl::Status& status :
         {decode("x", bytes, 6), decode("", bytes, 7), decode("", bytes + "x", 6),
          decode("", bytes.substr(1), 6), decode("", not_finite, 6)}) {
      EXPECT_EQ(status.code(), absl::StatusCode::kDataLoss) << status;
      EXPECT_THAT(std::string(status.message()), HasSubstr(name));
    }
  }
}

TEST(HiddenCodecs, ATeacherWhoseStatesAreNotFiniteIsNotEncoded) {
  const float infinite = std::numeric_limits<float>::infinity();
  for (const char* name : kNames) {
    const auto encoded = (*FindCodec(name))->Encode(Rows(2, {0, 1, 2, infinite}));
    EXPECT_EQ(encoded.status().code(), absl::StatusCode::kDataLoss) << name;
  }
}

}  // namespace
}  // namespace distill
