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

}  // namespace distill

#endif  // DISTILLATION_LABELS_SYNTHETIC_LOGITS_H_
