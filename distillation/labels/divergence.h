// Reference divergences of soft labels in double, by which tests and reports measure what
// a codec loses. Plain loops: the losses that train are in distillation/objectives.
#ifndef DISTILLATION_LABELS_DIVERGENCE_H_
#define DISTILLATION_LABELS_DIVERGENCE_H_

#include <cstdint>
#include <span>
#include <vector>

namespace distill {

// log sum_i exp(z_i / T); -infinity for no values. Crashes unless T > 0.
double LogSumExp(std::span<const float> logits, double temperature);

// log softmax(z / T) of one row with at least one class.
std::vector<double> LogSoftmax(std::span<const float> logits, double temperature);

// log probabilities at T of the classes `ids`, in their order, then of all others together:
// ids.size() + 1 numbers; the last is -infinity when there are no others. The ids are
// distinct and in range; crashes otherwise.
std::vector<double> HeadAndTail(std::span<const float> logits, std::span<const int64_t> ids,
                                double temperature);

// KL(p || q) = sum p (d + expm1(-d)) with d = log p - log q: no term is negative, so that
// rounding cannot make the sum negative. Both sum to one;
// crashes unless they have the same size.
double KlDivergence(std::span<const double> log_p, std::span<const double> log_q);

}  // namespace distill

#endif  // DISTILLATION_LABELS_DIVERGENCE_H_
