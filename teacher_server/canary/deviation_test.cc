#include "teacher_server/canary/deviation.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <functional>
#include <limits>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "common/random/test_seed.h"

namespace distill {
namespace {

constexpr int kRows = 16;
constexpr int kClasses = 10;
using Logits = std::vector<float>;

// Of a trained model: a spread of some nats, one class ahead.
Logits Trained(std::mt19937_64& random) {
  std::normal_distribution<float> logit(0, 2);
  Logits logits(kRows * kClasses);
  for (float& value : logits) value = logit(random);
  for (int row = 0; row < kRows; ++row) logits[row * kClasses + row % kClasses] += 6;
  return logits;
}

TEST(Deviation, WhatAnotherBatchSizeOrDeviceChangesIsAllowed) {
  std::mt19937_64 random(TestSeed());
  const Logits recorded = Trained(random);
  double worst = 0;
  for (const float relative : {1e-6f, 1e-4f}) {
    Logits answered = recorded;
    std::uniform_real_distribution<float> off(-relative, relative);
    for (float& value : answered) value += 8 * off(random);
    const Deviation deviation = FindDeviation(recorded, answered, kClasses);
    EXPECT_EQ(deviation.kind, DeviationKind::kNone);
    EXPECT_EQ(deviation.rows_off, 0);
    EXPECT_GT(deviation.worst, worst);
    worst = deviation.worst;
  }
  EXPECT_LT(worst, 0.5);
  EXPECT_EQ(FindDeviation(recorded, recorded, kClasses).worst, 0);
}

TEST(Deviation, EachFaultIsFoundAndNamed) {
  std::mt19937_64 random(TestSeed());
  const Logits recorded = Trained(random);
  struct Case {
    DeviationKind kind;
    std::function<void(Logits&)> spoil;
  };
  const auto row = [](Logits& logits, int number) { return logits.begin() + number * kClasses; };
  const std::vector<Case> cases = {
      {DeviationKind::kNotFinite, [](Logits& l) { l[37] = std::nanf(""); }},
      {DeviationKind::kNotFinite,
       [](Logits& l) { l[37] = std::numeric_limits<float>::infinity(); }},
      {DeviationKind::kConstant, [](Logits& l) { std::fill(l.begin(), l.end(), 0.0f); }},
      {DeviationKind::kConstant, [&](Logits& l) { std::fill_n(row(l, 5), kClasses, 1.0f); }},
      {DeviationKind::kDuplicated, [&](Logits& l) { std::copy_n(row(l, 3), kClasses, row(l, 4)); }},
      {DeviationKind::kOutOfOrder,
       [](Logits& l) { std::rotate(l.begin(), l.begin() + kClasses, l.end()); }},
      {DeviationKind::kOutOfOrder,
       [&](Logits& l) { std::swap_ranges(row(l, 3), row(l, 4), row(l, 9)); }},
      {DeviationKind::kClassesSwapped,
       [&](Logits& l) {
         for (int r = 0; r < kRows; ++r) std::swap(row(l, r)[2], row(l, r)[7]);
       }},
      {DeviationKind::kScaled,
       [](Logits& l) {
         for (float& v : l) v *= 1.01f;
       }},
      {DeviationKind::kScaled,
       [](Logits& l) {
         for (float& v : l) v *= -0.5f;
       }},
      {DeviationKind::kShifted,
       [](Logits& l) {
         for (float& v : l) v += 0.05f;
       }},
      // A constant added to one class.
      {DeviationKind::kOther,
       [&](Logits& l) {
         for (int r = 0; r < kRows; ++r) row(l, r)[2] += 0.05f;
       }},
      {DeviationKind::kOther, [&](Logits& l) { l = Trained(random); }},
  };
  for (size_t i = 0; i < cases.size(); ++i) {
    Logits answered = recorded;
    cases[i].spoil(answered);
    const Deviation deviation = FindDeviation(recorded, answered, kClasses);
    EXPECT_EQ(deviation.kind, cases[i].kind) << i << ": " << DeviationKindName(deviation.kind);
    EXPECT_GT(deviation.worst, 1) << i;
    EXPECT_GE(deviation.rows_off, 1) << i;
  }
}

TEST(Deviation, TheWorstPlaceIsTold) {
  const Logits recorded = {0, 1, 2, 10, 20, 30};
  Logits answered = recorded;
  answered[1] = 1.001f;
  answered[5] = 31;
  const Deviation deviation = FindDeviation(recorded, answered, 3);
  EXPECT_EQ(deviation.row, 1);
  EXPECT_EQ(deviation.at_class, 2);
  EXPECT_EQ(deviation.rows_off, 1);
  EXPECT_DOUBLE_EQ(deviation.allowed, 1e-3 * 20 + 1e-5 * 30);
  EXPECT_NEAR(deviation.worst, 1 / deviation.allowed, 1e-9);
}

// Their spread says little where they share a large offset, whose last bits are lost.
TEST(Deviation, AnOffsetCommonToARowAllowsForItsRounding) {
  const Logits recorded = {1000.0f, 1000.5f};
  EXPECT_LE(FindDeviation(recorded, Logits{1000.005f, 1000.5f}, 2).worst, 1);
  EXPECT_GT(FindDeviation(recorded, Logits{1000.02f, 1000.5f}, 2).worst, 1);
}

TEST(Deviation, OffFromARowOfZerosIsNotCalledNotFinite) {
  const Logits recorded(2 * kClasses, 0);
  Logits answered = recorded;
  answered[kClasses + 3] = 0.5f;
  EXPECT_EQ(FindDeviation(recorded, answered, kClasses).kind, DeviationKind::kOther);
  answered[kClasses + 3] = std::numeric_limits<float>::quiet_NaN();
  EXPECT_EQ(FindDeviation(recorded, answered, kClasses).kind, DeviationKind::kNotFinite);
}

TEST(Deviation, RecordedRowsOfOneValueBelongToNoFault) {
  const Logits recorded = {0, 0, 0, 1, 2, 3};
  EXPECT_EQ(FindDeviation(recorded, recorded, 3).kind, DeviationKind::kNone);
  EXPECT_GT(FindDeviation(recorded, Logits{0, 0, 1, 1, 2, 3}, 3).worst, 1);
}

}  // namespace
}  // namespace distill
