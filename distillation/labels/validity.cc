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
// written for the vectoriser: blocks of a fixed size, no branch within.
[[gnu::always_inline]] inline bool AllFiniteIn(std::span<const float> values) {
  constexpr uint32_t kExponent = 0x7f800000;
  constexpr size_t kBlock = 128;
  const auto spoilt = [](float value) {
    return static_cast<uint32_t>((std::bit_cast<uint32_t>(value) & kExponent) == kExponent);
  };
  size_t at = 0;
  for (; at + kBlock <= values.size(); at += kBlock) {
    const float* const block = values.data() + at;
    uint32_t any = 0;
    for (size_t i = 0; i < kBlock; ++i) any |= spoilt(block[i]);
    if (any != 0) return false;
  }
  for (; at < values.size(); ++at) {
    if (spoilt(values[at]) != 0) return false;
  }
  return true;
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
