#include "distillation/labels/sparse_labels.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>

#include "absl/base/internal/raw_logging.h"
#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "common/status/status_macros.h"
#include "distillation/labels/chebyshev.h"
#include "distillation/labels/scatter_rows.h"

namespace distill {

absl::StatusOr<std::vector<double>> TailLogSumExp(const SparseLabels& labels, double temperature) {
  if (!labels.weights.empty()) {
    return absl::InvalidArgumentError("sampled labels have no tail at any temperature");
  }
  // Written so that a NaN fails too.
  if (!(temperature >= labels.min_temperature && temperature <= labels.max_temperature)) {
    return absl::OutOfRangeError(
        absl::StrCat("temperature ", temperature, " is outside the range [", labels.min_temperature,
                     ", ", labels.max_temperature,
                     "] that these labels were made for; ask for labels with the whole "
                     "range of the schedule"));
  }
  std::vector<double> sums(static_cast<size_t>(labels.rows),
                           -std::numeric_limits<double>::infinity());
  const size_t nodes = static_cast<size_t>(labels.tail_nodes);
  if (nodes == 0) return sums;
  const std::vector<double> weights = ChebyshevWeights(
      labels.tail_nodes, 1 / labels.max_temperature, 1 / labels.min_temperature, 1 / temperature);
  for (size_t r = 0; r < sums.size(); ++r) {
    double sum = 0;
    for (size_t j = 0; j < nodes; ++j) sum += weights[j] * labels.tail[r * nodes + j];
    // No class of the tail is above the shift.
    sums[r] = std::min(sum, std::log(static_cast<double>(labels.classes - labels.width)));
  }
  return sums;
}

absl::StatusOr<std::vector<double>> HeadAndTailScores(const SparseLabels& labels,
                                                      double temperature) {
  ASSIGN_OR_RETURN(const std::vector<double> tails, TailLogSumExp(labels, temperature));
  const size_t width = static_cast<size_t>(labels.width);
  const double inverse = 1 / temperature;
  std::vector<double> scores(tails.size() * (width + 1));
  for (size_t r = 0; r < tails.size(); ++r) {
    for (size_t i = 0; i < width; ++i) {
      scores[r * (width + 1) + i] = labels.values[r * width + i] * inverse;
    }
    scores[r * (width + 1) + width] = tails[r];
  }
  return scores;
}

absl::StatusOr<std::vector<double>> HeadAndTailLogProbs(const SparseLabels& labels, int64_t row,
                                                        double temperature) {
  ASSIGN_OR_RETURN(const std::vector<double> tails, TailLogSumExp(labels, temperature));
  if (row < 0 || row >= labels.rows) {
    return absl::OutOfRangeError(absl::StrCat("row ", row, " of ", labels.rows));
  }
  const size_t width = static_cast<size_t>(labels.width);
  std::vector<double> scores;
  for (size_t i = 0; i < width; ++i) {
    scores.push_back(labels.values[static_cast<size_t>(row) * width + i] / temperature);
  }
  scores.push_back(tails[static_cast<size_t>(row)]);
  const double top = *std::max_element(scores.begin(), scores.end());
  double sum = 0;
  for (const double score : scores) sum += std::exp(score - top);
  // In this order: the logarithm would be lost in a large `top`.
  for (double& score : scores) score = (score - top) - std::log(sum);
  return scores;
}

absl::StatusOr<SparseLabels> JoinSparseRows(std::span<const SparsePart> parts) {
  ABSL_RAW_CHECK(!parts.empty(), "no rows to join");
  const SparseLabels& first = *parts[0].labels;
  SparseLabels joined;
  joined.classes = first.classes;
  joined.width = first.width;
  joined.tail_nodes = first.tail_nodes;
  joined.min_temperature = first.min_temperature;
  joined.max_temperature = first.max_temperature;
  for (const SparsePart& part : parts) {
    const SparseLabels& labels = *part.labels;
    if (labels.classes != first.classes || labels.width != first.width ||
        labels.tail_nodes != first.tail_nodes || labels.weights.empty() != first.weights.empty() ||
        labels.min_temperature != first.min_temperature ||
        labels.max_temperature != first.max_temperature) {
      return absl::InvalidArgumentError(
          absl::StrCat("sparse labels of ", labels.width, " of ", labels.classes, " classes with ",
                       labels.tail_nodes, " tail nodes over temperatures ", labels.min_temperature,
                       " to ", labels.max_temperature, " do not join those of ", first.width,
                       " of ", first.classes, " with ", first.tail_nodes, " over ",
                       first.min_temperature, " to ", first.max_temperature));
    }
    joined.rows += labels.rows;
  }
  const auto rows = static_cast<size_t>(joined.rows);
  for (const SparsePart& part : parts) {
    const SparseLabels& labels = *part.labels;
    ScatterRows(std::span(labels.ids), part.places, rows, joined.ids);
    ScatterRows(std::span(labels.shift), part.places, rows, joined.shift);
    ScatterRows(std::span(labels.values), part.places, rows, joined.values);
    ScatterRows(std::span(labels.tail), part.places, rows, joined.tail);
    ScatterRows(std::span(labels.weights), part.places, rows, joined.weights);
  }
  return joined;
}

}  // namespace distill
