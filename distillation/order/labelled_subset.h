// Which training examples have a hard label, when only a few do.
#ifndef DISTILLATION_ORDER_LABELLED_SUBSET_H_
#define DISTILLATION_ORDER_LABELLED_SUBSET_H_

#include <cstdint>
#include <span>
#include <vector>

#include "absl/status/statusor.h"

namespace distill {

// Ids, rising, of `count` examples drawn from those with a label, balanced over the
// classes: each class gets count / classes of them, and the first count % classes
// one more. `labels[id]` is the class of an example, -1 where it has none. A
// function of the arguments alone.
// INVALID_ARGUMENT for a label outside the classes, or when a class has fewer
// examples than its share; the message names class and share.
absl::StatusOr<std::vector<uint64_t>> DrawLabelledSubset(std::span<const int32_t> labels,
                                                         uint32_t classes, uint64_t count,
                                                         uint64_t seed);

}  // namespace distill

#endif  // DISTILLATION_ORDER_LABELLED_SUBSET_H_
