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

std::vector<double> HeadAndTail(std::span<const float> logits, std::span<const int64_t> ids,
                                double temperature) {
  std::vector<float> tail(logits.begin(), logits.end());
  std::vector<bool> taken(logits.size());
  const double norm = LogSumExp(logits, temperature);
  std::vector<double> log_p;
  for (const int64_t id : ids) {
    const size_t at = static_cast<size_t>(id);
    ABSL_RAW_CHECK(id >= 0 && at < logits.size() && !taken[at], "ids of the head");
    taken[at] = true;
    log_p.push_back(logits[at] / temperature - norm);
  }
  size_t kept = 0;
  for (size_t c = 0; c < logits.size(); ++c) {
    if (!taken[c]) tail[kept++] = logits[c];
  }
  tail.resize(kept);
  log_p.push_back(LogSumExp(tail, temperature) - norm);
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
