// log-sum-exp of many distances at many temperatures, for the encoders of sparse labels.
#ifndef DISTILLATION_LABELS_TAIL_SUMS_H_
#define DISTILLATION_LABELS_TAIL_SUMS_H_

#include <span>
#include <vector>

namespace distill {

// log sum_i exp(-d_i * b) for each b of `factors`, all above 0. `distances` are finite and
// at least one.
//
// Of many distances the sum is taken over bins of a width w with max(b) * w = 1/32, of which
// each holds the number, the sum and the sum of squares of the distances from its middle:
// exp(-d b) to second order within a bin. That is right to (w b / 2)^3 / 6 < 1e-6 of a sum,
// and it turns one exponential for each class and factor into a few thousand for each factor.
std::vector<double> LogSums(std::span<const double> distances, std::span<const double> factors);

}  // namespace distill

#endif  // DISTILLATION_LABELS_TAIL_SUMS_H_
