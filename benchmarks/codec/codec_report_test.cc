#include "benchmarks/codec/codec_report.h"

#include <cmath>
#include <string>
#include <utility>
#include <vector>

#include "absl/time/time.h"
#include "common/clock/clock.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace distill {
namespace {

using ::testing::HasSubstr;

// A second passes with each reading.
class TickingClock : public Clock {
 public:
  absl::Time WallNow() override { return absl::UnixEpoch(); }
  absl::Duration MonotonicNow() override { return absl::Seconds(++readings_); }

 private:
  int readings_ = 0;
};

// Two rows of four classes with the weights 8, 4, 2, 2 at T = 1.
TensorView Logits() {
  const float two = std::log(2.0f);
  std::vector<float> row = {3 * two, 2 * two, two, two};
  std::vector<float> rows = row;
  rows.insert(rows.end(), row.begin(), row.end());
  return MakeTensorView(ElementType::kFloat32, {2, 4}, std::move(rows));
}

CodecFigures Measure(const std::string& codec) {
  TickingClock clock;
  const auto figures = MeasureCodecs(Logits(), {codec}, clock);
  EXPECT_TRUE(figures.ok()) << figures.status();
  return figures->at(0);
}

TEST(CodecReport, AnExactCodecLosesNothing) {
  const auto figures = Measure("dense_fp32");
  EXPECT_EQ(figures.codec, "dense_fp32");
  EXPECT_EQ(figures.bytes, 16);
  EXPECT_NEAR(figures.full_kl[0], 0, 1e-12);
  EXPECT_EQ(figures.tail_mass[0], 0);
  EXPECT_NEAR(figures.worst_kl, 0, 1e-12);
  EXPECT_NEAR(figures.worst_probability, 0, 1e-12);
  EXPECT_NEAR(figures.l1, 0, 1e-12);
}

TEST(CodecReport, ASparseLabelLosesWhatItsTailHides) {
  // The tail is classes 1 to 3 of 1/4, 1/8, 1/8, read as 1/6 each.
  const auto figures = Measure("top_k/1");
  EXPECT_NEAR(figures.tail_mass[0], 0.5, 1e-6);
  EXPECT_NEAR(figures.full_kl[0], 0.25 * std::log(1.5) + 0.25 * std::log(0.75), 1e-6);
  EXPECT_NEAR(figures.l1, 1 / 12. + 2 / 24., 1e-6);
  EXPECT_LT(figures.worst_kl, 1e-9);
  EXPECT_LT(figures.worst_probability, 1e-5);
  const double at_two[] = {std::sqrt(8.0), 2, std::sqrt(2.0), std::sqrt(2.0)};
  EXPECT_NEAR(figures.tail_mass[1], 1 - at_two[0] / (at_two[0] + 2 + 2 * std::sqrt(2.0)), 1e-6);
}

TEST(CodecReport, DrawsHaveATailAndADistanceButNoKl) {
  const auto figures = Measure("sampled/4096");
  EXPECT_EQ(figures.tail_mass[0], 0);
  EXPECT_LT(figures.l1, 0.1);
  EXPECT_GT(figures.l1, 0);
  EXPECT_TRUE(std::isnan(figures.full_kl[2]));
  EXPECT_TRUE(std::isnan(figures.worst_kl));
  EXPECT_THAT(CodecTable({figures}), HasSubstr("| sampled/4096 | 1024 | - | - | - | 0.0e+00 |"));
}

TEST(CodecReport, ChosenIdsAreSpreadOverTheClasses) {
  // Classes 0 and 2.
  EXPECT_NEAR(Measure("scores_at_ids/2").tail_mass[0], 6 / 16., 1e-6);
}

TEST(CodecReport, SecondsAreOfOneRow) {
  const auto figures = Measure("dense_fp16");
  EXPECT_EQ(figures.encode_seconds, 0.5);
  EXPECT_EQ(figures.decode_seconds, 0.5);
}

TEST(CodecReport, WhatCannotBeMeasuredIsRefusedByName) {
  TickingClock clock;
  EXPECT_EQ(MeasureCodecs(Logits(), {"zip"}, clock).status().code(),
            absl::StatusCode::kUnimplemented);
  const auto wide = MeasureCodecs(Logits(), {"scores_at_ids/5"}, clock);
  EXPECT_EQ(wide.status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(wide.status().message()), HasSubstr("codec scores_at_ids/5"));
  const auto flat = MakeTensorView<float>(ElementType::kFloat32, {2}, {1, 2});
  EXPECT_EQ(MeasureCodecs(flat, {"dense_fp32"}, clock).status().code(),
            absl::StatusCode::kInvalidArgument);
}

}  // namespace
}  // namespace distill
