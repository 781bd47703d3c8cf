// Logits from a written-down generator, for tests and for the codec report: the same row
// on every machine that has the same exp, log and cos to the last bit, without any file.
#ifndef DISTILLATION_LABELS_SYNTHETIC_LOGITS_H_
#define DISTILLATION_LABELS_SYNTHETIC_LOGITS_H_

#include <cstdint>
#include <vector>

namespace distill {

// A draw of N(0, 1): Box and Muller's cosine from UniformReal (common/random) at the
// indices 2 * index and 2 * index + 1 of the stream.
double StandardNormal(uint64_t seed, uint64_t stream, uint64_t index);

// Classes independent, N(mean, deviation^2). `row` is the stream.
std::vector<float> NormalLogits(uint64_t seed, uint64_t row, int64_t classes, double mean,
                                double deviation);

// The language-model-shaped set. A row of `classes` tokens, 128,000 unless one wants fewer:
//
//   z[c] = -a * log(1 + c) + 0.3 * StandardNormal(seed, row, 1 + c)
//   a    = 1.76 + 0.14 * UniformReal(seed, row, 0)
//
// in double, then rounded to float: probabilities by Zipf's law of an exponent of the row's
// own, with lognormal noise, which at T = 1 leave 1 to 5 % of the mass beyond the 50 largest
// of 128,000. Tokens stand in the order of their expected probability; no codec here takes
// advantage of that, because ids cost the same wherever they lie. (The draws of a are index 0
// of the stream and those of StandardNormal 2 and up, so that none is used twice.)
std::vector<float> LanguageModelLogits(uint64_t seed, uint64_t row, int64_t classes = 128000);

}  // namespace distill

#endif  // DISTILLATION_LABELS_SYNTHETIC_LOGITS_H_
