#include "distillation/labels/tail_sums.h"

#include <algorithm>
#include <cmath>
#include <cstddef>

#include "absl/base/internal/raw_logging.h"

namespace distill {
namespace {

// What lies deeper below the nearest distance, at every factor, is less than one part in
// 10^17 of the sum for each class.
constexpr double kDeepest = 40;

struct Bin {
  double count = 0;
  double sum = 0;
  double squares = 0;
};

// sum exp((nearest - d) b) for each factor.
std::vector<double> DirectSums(std::span<const double> distances, double nearest,
                               std::span<const double> factors) {
  std::vector<double> sums(factors.size());
  for (size_t j = 0; j < factors.size(); ++j) {
    for (const double distance : distances) {
      sums[j] += std::exp((nearest - distance) * factors[j]);
    }
  }
  return sums;
}

std::vector<double> BinnedSums(std::span<const double> distances, double nearest,
                               std::span<const double> factors, double width, size_t count) {
  std::vector<Bin> bins(count);
  const double scale = 1 / width;
  for (const double distance : distances) {
    const double place = (distance - nearest) * scale;
    if (place >= static_cast<double>(count)) continue;
    const size_t at = static_cast<size_t>(place);
    Bin& bin = bins[at];
    const double off = place - static_cast<double>(at) - 0.5;
    bin.count += 1;
    bin.sum += off;
    bin.squares += off * off;
  }
  std::vector<double> sums(factors.size());
  for (size_t i = 0; i < bins.size(); ++i) {
    const Bin& bin = bins[i];
    if (bin.count == 0) continue;
    for (size_t j = 0; j < factors.size(); ++j) {
      const double step = factors[j] * width;
      sums[j] += std::exp(-(static_cast<double>(i) + 0.5) * step) *
                 (bin.count - step * bin.sum + step * step / 2 * bin.squares);
    }
  }
  return sums;
}

}  // namespace

std::vector<double> LogSums(std::span<const double> distances, std::span<const double> factors) {
  ABSL_RAW_CHECK(!distances.empty() && !factors.empty(), "nothing to sum");
  // Taken off, so that each sum is at least about one.
  const double nearest = *std::min_element(distances.begin(), distances.end());
  const auto [least, most] = std::minmax_element(factors.begin(), factors.end());
  ABSL_RAW_CHECK(*least > 0, "factors of distances");
  const double width = 1 / (32 * *most);
  const double bins = std::ceil(kDeepest / *least / width);
  // Filling and summing the bins must be less than what they save.
  std::vector<double> sums =
      bins * 4 < static_cast<double>(distances.size())
          ? BinnedSums(distances, nearest, factors, width, static_cast<size_t>(bins))
          : DirectSums(distances, nearest, factors);
  for (size_t j = 0; j < sums.size(); ++j) sums[j] = std::log(sums[j]) - nearest * factors[j];
  return sums;
}

}  // namespace distill
