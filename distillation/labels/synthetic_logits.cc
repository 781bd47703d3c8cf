#include "distillation/labels/synthetic_logits.h"

#include <cmath>
#include <numbers>

#include "common/random/random.h"

namespace distill {

double StandardNormal(uint64_t seed, uint64_t stream, uint64_t index) {
  // 1 - u lies in (0, 1].
  const double radius = std::sqrt(-2 * std::log(1 - UniformReal(seed, stream, 2 * index)));
  return radius * std::cos(2 * std::numbers::pi * UniformReal(seed, stream, 2 * index + 1));
}

std::vector<float> NormalLogits(uint64_t seed, uint64_t row, int64_t classes, double mean,
                                double deviation) {
  std::vector<float> logits(static_cast<size_t>(classes));
  for (size_t c = 0; c < logits.size(); ++c) {
    logits[c] = static_cast<float>(mean + deviation * StandardNormal(seed, row, c));
  }
  return logits;
}

std::vector<float> LanguageModelLogits(uint64_t seed, uint64_t row, int64_t classes) {
  const double exponent = 1.76 + 0.14 * UniformReal(seed, row, 0);
  std::vector<float> logits(static_cast<size_t>(classes));
  for (size_t c = 0; c < logits.size(); ++c) {
    logits[c] = static_cast<float>(-exponent * std::log(1.0 + static_cast<double>(c)) +
                                   0.3 * StandardNormal(seed, row, 1 + c));
  }
  return logits;
}

}  // namespace distill
