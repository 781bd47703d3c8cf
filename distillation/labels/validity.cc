#include "distillation/labels/validity.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <vector>

#include "absl/base/internal/raw_logging.h"
#include "absl/strings/str_cat.h"
#include "common/status/status_macros.h"

namespace distill {
namespace {

// Whether all are finite. Every label passes here on both sides of the wire, so it is
// written for the vectoriser: no branch within, and more lanes than one vector has, so that no
// operation waits for the one before.
[[gnu::always_inline]] inline bool AllFiniteIn(std::span<const float> values) {
  constexpr size_t kLanes = 32;
  // The top bit is set where the exponent is the largest one: what is not finite.
  const auto spoilt = [](float value) {
    return (std::bit_cast<uint32_t>(value) & 0x7fffffffu) + 0x00800000u;
  };
  uint32_t lanes[kLanes] = {};
  size_t at = 0;
  for (; at + kLanes <= values.size(); at += kLanes) {
    const float* const block = values.data() + at;
    for (size_t i = 0; i < kLanes; ++i) lanes[i] |= spoilt(block[i]);
  }
  uint32_t any = 0;
  for (const uint32_t lane : lanes) any |= lane;
  for (; at < values.size(); ++at) any |= spoilt(values[at]);
  return any >> 31 == 0;
}

#if defined(__x86_64__)
[[gnu::target("avx2")]] bool AllFiniteAvx2(std::span<const float> values) {
  return AllFiniteIn(values);
}
#endif

bool AllFinite(std::span<const float> values) {
#if defined(__x86_64__)
  static const bool avx2 = __builtin_cpu_supports("avx2");
  if (avx2) return AllFiniteAvx2(values);
#endif
  return AllFiniteIn(values);
}

// Of four of a row's values, spread over it.
uint64_t HashOf(const float* row, size_t width) {
  uint64_t hash = 0;
  for (size_t i = 0; i < 4; ++i) {
    hash = (hash ^ std::bit_cast<uint32_t>(row[i * (width - 1) / 3])) * 0x9e3779b97f4a7c15;
    hash ^= hash >> 29;
  }
  return hash;
}

}  // namespace

absl::Status CheckFiniteRows(std::span<const float> values, int64_t classes) {
  ABSL_RAW_CHECK(classes > 0 && values.size() % static_cast<size_t>(classes) == 0,
                 "labels are not whole rows");
  if (AllFinite(values)) return absl::OkStatus();
  const auto bad = std::find_if_not(values.begin(), values.end(),
                                    [](float value) { return std::isfinite(value); });
  const int64_t at = bad - values.begin();
  return absl::DataLossError(
      absl::StrCat("label row ", at / classes, " is not finite: class ", at % classes, " is ", *bad,
                   "; check the teacher's weights and the inputs it was given"));
}

absl::Status CheckVariedRows(std::span<const float> values, int64_t classes) {
  ABSL_RAW_CHECK(classes > 0 && values.size() % static_cast<size_t>(classes) == 0,
                 "labels are not whole rows");
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

CopiedRows FindCopiedRows(std::span<const float> values, int64_t classes, SameInput same_input) {
  ABSL_RAW_CHECK(classes > 0 && values.size() % static_cast<size_t>(classes) == 0,
                 "labels are not whole rows");
  const size_t width = static_cast<size_t>(classes);
  const size_t rows = values.size() / width;
  const auto row_of = [&](size_t row) { return values.data() + row * width; };
  // A table by a few of a row's values, at most half full: each row has one probe or two.
  std::vector<uint32_t> table(std::bit_ceil(2 * rows + 1), 0);
  CopiedRows copied;
  for (size_t row = 0; row < rows; ++row) {
    size_t slot = HashOf(row_of(row), width) & (table.size() - 1);
    while (table[slot] != 0) {
      const size_t other = table[slot] - 1;
      if (std::memcmp(row_of(row), row_of(other), width * sizeof(float)) == 0) break;
      slot = (slot + 1) & (table.size() - 1);
    }
    if (table[slot] == 0) {
      table[slot] = static_cast<uint32_t>(row + 1);
      continue;
    }
    const auto other = static_cast<int64_t>(table[slot]) - 1;
    if (same_input(static_cast<int64_t>(row), other)) continue;
    copied = {copied.copies + 1, static_cast<int64_t>(row), other};
  }
  return copied;
}

absl::Status CheckDistinctRows(std::span<const float> values, int64_t classes,
                               SameInput same_input) {
  const CopiedRows copied = FindCopiedRows(values, classes, same_input);
  const int64_t rows = static_cast<int64_t>(values.size()) / classes;
  if (copied.copies < 2 || copied.copies <= rows / 8) return absl::OkStatus();
  return absl::DataLossError(absl::StrCat("label rows are duplicated: ", copied.copies, " of ",
                                          rows, " are copies of others whose inputs differ, row ",
                                          copied.row, " of row ", copied.of,
                                          "; check the teacher's device, and that it is trained"));
}

absl::Status CheckTeacherLogits(std::span<const float> values, int64_t classes) {
  RETURN_IF_ERROR(CheckFiniteRows(values, classes));
  return CheckVariedRows(values, classes);
}

}  // namespace distill
