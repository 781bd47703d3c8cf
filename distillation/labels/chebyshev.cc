#include "distillation/labels/chebyshev.h"

#include <cmath>
#include <cstddef>
#include <numbers>
#include <numeric>

#include "absl/base/internal/raw_logging.h"

namespace distill {
namespace {

double Angle(int j, int count) { return (2 * j + 1) * std::numbers::pi / (2 * count); }

}  // namespace

std::vector<double> ChebyshevNodes(int count, double low, double high) {
  ABSL_RAW_CHECK(count >= 1 && low <= high, "interval of Chebyshev nodes");
  std::vector<double> nodes;
  for (int j = 0; j < count; ++j) {
    nodes.push_back((low + high) / 2 + (high - low) / 2 * std::cos(Angle(j, count)));
  }
  return nodes;
}

std::vector<double> ChebyshevWeights(int count, double low, double high, double x) {
  const std::vector<double> nodes = ChebyshevNodes(count, low, high);
  std::vector<double> weights(nodes.size(), 0.0);
  for (int j = 0; j < count; ++j) {
    const size_t at = static_cast<size_t>(j);
    if (nodes[at] == x || low == high) {
      weights.assign(nodes.size(), 0.0);
      weights[at] = 1;
      return weights;
    }
    weights[at] = (j % 2 ? -1 : 1) * std::sin(Angle(j, count)) / (x - nodes[at]);
  }
  const double sum = std::accumulate(weights.begin(), weights.end(), 0.0);
  for (double& weight : weights) weight /= sum;
  return weights;
}

}  // namespace distill
