#include "distillation/labels/sparse_labels.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "absl/status/status.h"
#include "distillation/labels/chebyshev.h"
#include "gtest/gtest.h"

namespace distill {
namespace {

// Two rows of four classes with the head {1, 3}; the tail's log-sum-exp is `rise` * 1/T + 0.5.
SparseLabels Scores(double rise) {
  SparseLabels labels;
  labels.rows = 2;
  labels.classes = 4;
  labels.width = 2;
  labels.ids = {1, 3, 1, 3};
  labels.shift = {10, -5};
  labels.values = {0, -1, -2, 0};
  labels.min_temperature = 1;
  labels.max_temperature = 4;
  labels.tail_nodes = 3;
  for (int row = 0; row < 2; ++row) {
    for (const double node : ChebyshevNodes(3, 0.25, 1)) labels.tail.push_back(rise * node + 0.5);
  }
  return labels;
}

TEST(SparseLabels, TheTailIsInterpolatedInTheReciprocalOfTheTemperature) {
  const auto labels = Scores(-3);
  for (const double t : {1.0, 1.7, 4.0}) {
    const auto sums = TailLogSumExp(labels, t);
    ASSERT_TRUE(sums.ok()) << sums.status();
    ASSERT_EQ(sums->size(), 2u);
    for (const double sum : *sums) EXPECT_NEAR(sum, -3 / t + 0.5, 1e-14);
  }
}

TEST(SparseLabels, ATailIsNeverMoreThanItsClassesCanWeigh) {
  EXPECT_DOUBLE_EQ((*TailLogSumExp(Scores(5), 2))[0], std::log(2.0));
}

TEST(SparseLabels, ATemperatureOutsideTheRangeIsRefused) {
  for (const double t : {0.999, 4.001, 0.0, -1.0, std::numeric_limits<double>::quiet_NaN()}) {
    EXPECT_EQ(TailLogSumExp(Scores(-3), t).status().code(), absl::StatusCode::kOutOfRange) << t;
    EXPECT_EQ(HeadAndTailLogProbs(Scores(-3), 0, t).status().code(), absl::StatusCode::kOutOfRange);
  }
}

TEST(SparseLabels, LogProbabilitiesAreThoseOfHeadAndTailAndSumToOne) {
  const auto log_p = HeadAndTailLogProbs(Scores(-3), 1, 2);
  ASSERT_TRUE(log_p.ok()) << log_p.status();
  const double weights[] = {std::exp(-1.0), 1, std::exp(-3 / 2.0 + 0.5)};
  const double sum = weights[0] + weights[1] + weights[2];
  ASSERT_EQ(log_p->size(), 3u);
  for (size_t i = 0; i < 3; ++i) EXPECT_NEAR(std::exp((*log_p)[i]), weights[i] / sum, 1e-14);
  EXPECT_EQ(HeadAndTailLogProbs(Scores(-3), 2, 2).status().code(), absl::StatusCode::kOutOfRange);
  EXPECT_EQ(HeadAndTailLogProbs(Scores(-3), -1, 2).status().code(), absl::StatusCode::kOutOfRange);
}

TEST(SparseLabels, WithoutATailItsMassIsNothing) {
  SparseLabels labels = Scores(0);
  labels.classes = 2;
  labels.tail_nodes = 0;
  labels.tail.clear();
  EXPECT_EQ((*HeadAndTailLogProbs(labels, 0, 1))[2], -std::numeric_limits<double>::infinity());
}

// As labels that were damaged on a disk may be, and still finite.
TEST(SparseLabels, LogProbabilitiesOfVeryLargeScoresSumToOne) {
  SparseLabels labels = Scores(0);
  labels.classes = 2;
  labels.tail_nodes = 0;
  labels.tail.clear();
  std::fill(labels.values.begin(), labels.values.end(), 1e30f);
  const auto log_p = HeadAndTailLogProbs(labels, 0, 1);
  ASSERT_TRUE(log_p.ok()) << log_p.status();
  EXPECT_DOUBLE_EQ((*log_p)[0], -std::log(2.0));
  EXPECT_DOUBLE_EQ((*log_p)[1], -std::log(2.0));
}

TEST(SparseLabels, DrawsHaveNoTail) {
  SparseLabels labels = Scores(0);
  labels.weights = {0.5, 0.5, 1, 0};
  EXPECT_EQ(TailLogSumExp(labels, 1).status().code(), absl::StatusCode::kInvalidArgument);
}

}  // namespace
}  // namespace distill
