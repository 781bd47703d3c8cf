// Interpolation at the Chebyshev nodes of an interval, in the barycentric form: stable, and
// near the best polynomial of its degree (Berrut and Trefethen, "Barycentric Lagrange
// interpolation", SIAM Review 46, 2004).
#ifndef DISTILLATION_LABELS_CHEBYSHEV_H_
#define DISTILLATION_LABELS_CHEBYSHEV_H_

#include <vector>

namespace distill {

// The `count` roots of the Chebyshev polynomial, moved to [low, high], falling.
// Crashes unless count >= 1 and low <= high.
std::vector<double> ChebyshevNodes(int count, double low, double high);

// Factors w, one for each node, such that sum_j w_j f(node_j) interpolates f at `x` of
// [low, high]. They sum to one. Of an interval without length, where all nodes are `low`,
// the first is one.
std::vector<double> ChebyshevWeights(int count, double low, double high, double x);

}  // namespace distill

#endif  // DISTILLATION_LABELS_CHEBYSHEV_H_
