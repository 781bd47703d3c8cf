// Whether labels may be trained on. A teacher whose weights or kernels are broken
// answers with NaN or with the same number for all classes; either would pull the
// student without any error.
#ifndef DISTILLATION_LABELS_VALIDITY_H_
#define DISTILLATION_LABELS_VALIDITY_H_

#include <cstdint>
#include <span>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"

namespace distill {

// `values` is [rows, classes], row-major; crashes unless `classes` divides its size.
// DATA_LOSS names the first bad row, its class and its value: discard the answer and ask
// another teacher. Pure.
absl::Status CheckFiniteRows(std::span<const float> values, int64_t classes);

// No row of two or more classes holds one value only. Errors as above.
absl::Status CheckVariedRows(std::span<const float> values, int64_t classes);

// Whether the inputs of two rows are alike.
using SameInput = absl::FunctionRef<bool(int64_t row, int64_t other)>;

// How many rows are, bit for bit, copies of another although their inputs differ.
struct CopiedRows {
  int64_t copies = 0;
  // The last of them.
  int64_t row = 0;
  int64_t of = 0;
};
// `same_input` is asked only of rows that are copies.
CopiedRows FindCopiedRows(std::span<const float> values, int64_t classes, SameInput same_input);

// A sound model may give two inputs one answer, as where all its hidden units are off. DATA_LOSS
// where more than an eighth of the rows, and two at least, are copies.
absl::Status CheckDistinctRows(std::span<const float> values, int64_t classes,
                               SameInput same_input);

// CheckFiniteRows and CheckVariedRows.
absl::Status CheckTeacherLogits(std::span<const float> values, int64_t classes);

}  // namespace distill

#endif  // DISTILLATION_LABELS_VALIDITY_H_
