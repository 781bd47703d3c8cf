#include "distillation/labels/divergence.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>

#include "absl/base/internal/raw_logging.h"

namespace distill {

double LogSumExp(std::span<const float> logits, double temperature) {
  ABSL_RAW_CHECK(temperature > 0, "temperature");
  if (logits.empty()) return -std::numeric_limits<double>::infinity();
  const double top = *std::max_element(logits.begin(), logits.end());
  double sum = 0;
  for (const float value : logits) sum += std::exp((value - top) / temperature);
  return top / temperature + std::log(sum);
}

std::vector<double> LogSoftmax(std::span<const float> logits, double temperature) {
  ABSL_RAW_CHECK(!logits.empty(), "no classes");
  // The maximum is taken off first: a large offset would cost digits.
  const double top = *std::max_element(logits.begin(), logits.end());
  double sum = 0;
  for (const float value : logits) sum += std::exp((value - top) / temperature);
  const double norm = std::log(sum);
  std::vector<double> log_p;
  log_p.reserve(logits.size());
  for (const float value : logits) log_p.push_back((value - top) / temperature - norm);
  return log_p;
}

double KlDivergence(std::span<const double> log_p, std::span<const double> log_q) {
  ABSL_RAW_CHECK(log_p.size() == log_q.size(), "distributions of different sizes");
  double kl = 0;
  for (size_t i = 0; i < log_p.size(); ++i) {
    const double p = std::exp(log_p[i]);
    const double d = log_p[i] - log_q[i];
    if (p > 0 && d > -1) {
      kl += p * (d + std::expm1(-d));
    } else {
      // The same, where expm1 could overflow while p is next to nothing; without p d where
      // that is 0 times infinity.
      kl += std::exp(log_q[i]) - p + (p > 0 ? p * d : 0);
    }
  }
  return kl;
}

}  // namespace distill
