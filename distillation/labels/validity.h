// Whether labels may be trained on. A teacher whose weights or kernels are broken
// answers with NaN or with the same number for all classes; either would pull the
// student without any error.
#ifndef DISTILLATION_LABELS_VALIDITY_H_
#define DISTILLATION_LABELS_VALIDITY_H_

#include <cstdint>
#include <span>

#include "absl/status/status.h"

namespace distill {

// `values` is [rows, classes], row-major; crashes unless `classes` divides its size.
// DATA_LOSS names the first bad row, its class and its value: discard the answer and ask
// another teacher. Pure.
absl::Status CheckFiniteRows(std::span<const float> values, int64_t classes);

// No row of two or more classes holds one value only. Errors as above.
absl::Status CheckVariedRows(std::span<const float> values, int64_t classes);

// Both.
absl::Status CheckTeacherLogits(std::span<const float> values, int64_t classes);

}  // namespace distill

#endif  // DISTILLATION_LABELS_VALIDITY_H_
