#include "distillation/labels/validity.h"

#include <algorithm>
#include <cmath>
#include <cstddef>

#include "absl/base/internal/raw_logging.h"
#include "absl/strings/str_cat.h"
#include "common/status/status_macros.h"

namespace distill {

absl::Status CheckFiniteRows(std::span<const float> values, int64_t classes) {
  ABSL_RAW_CHECK(classes > 0 && values.size() % static_cast<size_t>(classes) == 0,
                 "labels are not whole rows");
  const auto bad = std::find_if_not(values.begin(), values.end(),
                                    [](float value) { return std::isfinite(value); });
  if (bad == values.end()) return absl::OkStatus();
  const int64_t at = bad - values.begin();
  return absl::DataLossError(
      absl::StrCat("label row ", at / classes, " is not finite: class ", at % classes, " is ", *bad,
                   "; check the teacher's weights and the inputs it was given"));
}

absl::Status CheckTeacherLogits(std::span<const float> values, int64_t classes) {
  RETURN_IF_ERROR(CheckFiniteRows(values, classes));
  if (classes < 2) return absl::OkStatus();
  const size_t width = static_cast<size_t>(classes);
  for (size_t begin = 0; begin < values.size(); begin += width) {
    const auto row = values.subspan(begin, width);
    if (std::all_of(row.begin(), row.end(), [&](float value) { return value == row[0]; })) {
      return absl::DataLossError(
          absl::StrCat("label row ", begin / width, " is constant: all ", classes, " classes are ",
                       row[0], "; check that the teacher is trained and loaded whole"));
    }
  }
  return absl::OkStatus();
}

}  // namespace distill
