// Rows of a part, put where they belong in the whole.
#ifndef DISTILLATION_LABELS_SCATTER_ROWS_H_
#define DISTILLATION_LABELS_SCATTER_ROWS_H_

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "absl/base/internal/raw_logging.h"

namespace distill {

// Row i of `from`, which has places.size() rows, becomes row places[i] of `to`, which gets
// `rows` rows of that width. Crashes on a place beyond them.
template <typename T>
void ScatterRows(std::span<const T> from, std::span<const int32_t> places, size_t rows,
                 std::vector<T>& to) {
  if (places.empty()) return;
  const size_t width = from.size() / places.size();
  to.resize(rows * width);
  for (size_t i = 0; i < places.size(); ++i) {
    ABSL_RAW_CHECK(static_cast<size_t>(places[i]) < rows, "a row beyond the whole");
    std::copy_n(from.begin() + static_cast<ptrdiff_t>(i * width), width,
                to.begin() + static_cast<ptrdiff_t>(static_cast<size_t>(places[i]) * width));
  }
}

}  // namespace distill

#endif  // DISTILLATION_LABELS_SCATTER_ROWS_H_
