#include "distillation/labels/validity.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>
#include <limits>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace distill {
namespace {

using ::testing::HasSubstr;

std::string MessageOf(const absl::Status& status) {
  EXPECT_EQ(status.code(), absl::StatusCode::kDataLoss);
  return std::string(status.message());
}

TEST(Validity, OrdinaryLogitsPass) {
  const std::vector<float> values = {1, 2, 3, -4, 0, 0};
  EXPECT_TRUE(CheckFiniteRows(values, 3).ok());
  EXPECT_TRUE(CheckVariedRows(values, 3).ok());
  EXPECT_TRUE(CheckVariedRows({}, 3).ok());
}

TEST(Validity, ANonFiniteValueIsNamedByRowAndClass) {
  for (const float bad :
       {std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity(),
        -std::numeric_limits<float>::infinity()}) {
    const std::vector<float> values = {1, 2, 3, 4, bad, 6};
    EXPECT_THAT(MessageOf(CheckFiniteRows(values, 3)), HasSubstr("row 1 is not finite: class 1"));
    EXPECT_THAT(MessageOf(CheckFiniteRows(values, 2)), HasSubstr("row 2 is not finite: class 0"));
  }
}

TEST(Validity, EveryExponentAndSignIsJudgedAsIsfiniteDoes) {
  for (uint32_t top = 0; top < 1u << 16; ++top) {
    for (const uint32_t low : {0u, 1u, 0xffffu}) {
      const auto value = std::bit_cast<float>(top << 16 | low);
      ASSERT_EQ(CheckFiniteRows(std::span(&value, 1), 1).ok(), std::isfinite(value)) << top;
    }
  }
}

TEST(Validity, ANonFiniteValueIsFoundAtEveryPlace) {
  std::vector<float> values(150, std::numeric_limits<float>::max());
  ASSERT_TRUE(CheckFiniteRows(values, 150).ok());
  for (float& value : values) {
    const float kept = std::exchange(value, -std::numeric_limits<float>::infinity());
    EXPECT_FALSE(CheckFiniteRows(values, 150).ok()) << &value - values.data();
    value = kept;
  }
}

TEST(Validity, AConstantRowIsNamed) {
  const std::vector<float> values = {1, 2, 3, 7, 7, 7};
  EXPECT_TRUE(CheckFiniteRows(values, 3).ok());
  EXPECT_THAT(MessageOf(CheckVariedRows(values, 3)),
              HasSubstr("row 1 is constant: all 3 classes are 7"));
  // Zero of either sign is one value.
  EXPECT_THAT(MessageOf(CheckVariedRows(std::vector<float>{0.0f, -0.0f}, 2)),
              HasSubstr("row 0 is constant"));
}

TEST(Validity, TeacherLogitsAreFiniteAndVaried) {
  EXPECT_TRUE(CheckTeacherLogits(std::vector<float>{1, 2}, 2).ok());
  EXPECT_FALSE(CheckTeacherLogits(std::vector<float>{1, 1}, 2).ok());
  EXPECT_FALSE(CheckTeacherLogits(std::vector<float>{1, std::nanf("")}, 2).ok());
}

TEST(Validity, ASingleClassIsNotCalledConstant) {
  EXPECT_TRUE(CheckVariedRows(std::vector<float>{1, 1}, 1).ok());
}

constexpr auto kAllDiffer = [](int64_t, int64_t) { return false; };

TEST(Validity, CopiesOfARowAreCountedWhereTheInputsDiffer) {
  std::vector<float> values(100 * 7);
  for (size_t i = 0; i < values.size(); ++i) values[i] = static_cast<float>(i);
  EXPECT_EQ(FindCopiedRows(values, 7, kAllDiffer).copies, 0);
  EXPECT_EQ(FindCopiedRows({}, 7, kAllDiffer).copies, 0);
  // Rows that agree where the table looks, and not elsewhere.
  for (size_t i = 0; i < values.size(); ++i) values[i] = i % 7 == 1 ? static_cast<float>(i) : 0;
  EXPECT_EQ(FindCopiedRows(values, 7, kAllDiffer).copies, 0);
  std::copy_n(values.begin() + 7 * 20, 7, values.begin() + 7 * 60);
  std::copy_n(values.begin() + 7 * 20, 7, values.begin() + 7 * 99);
  const CopiedRows copied = FindCopiedRows(values, 7, kAllDiffer);
  EXPECT_EQ(copied.copies, 2);
  EXPECT_EQ(copied.row, 99);
  EXPECT_EQ(copied.of, 20);
  EXPECT_EQ(FindCopiedRows(values, 7, [](int64_t row, int64_t) { return row == 60; }).copies, 1);
}

TEST(Validity, AFewCopiesHappenAndMoreAreAFault) {
  std::vector<float> values(32 * 3);
  for (size_t i = 0; i < values.size(); ++i) values[i] = static_cast<float>(i);
  for (int copies = 1; copies <= 6; ++copies) {
    std::copy_n(values.begin(), 3, values.begin() + 3 * (5 * copies));
    const absl::Status status = CheckDistinctRows(values, 3, kAllDiffer);
    EXPECT_EQ(status.ok(), copies <= 4) << copies;
    EXPECT_TRUE(CheckDistinctRows(values, 3, [](int64_t, int64_t) { return true; }).ok());
    if (status.ok()) continue;
    EXPECT_THAT(MessageOf(status), HasSubstr("label rows are duplicated"));
    EXPECT_THAT(MessageOf(status), HasSubstr("row 25 of row 0"));
    break;
  }
  // Of two rows one may be a copy; of three, two are too many.
  EXPECT_TRUE(CheckDistinctRows(std::vector<float>{1, 2, 1, 2}, 2, kAllDiffer).ok());
  EXPECT_FALSE(CheckDistinctRows(std::vector<float>{1, 2, 1, 2, 1, 2}, 2, kAllDiffer).ok());
}

}  // namespace
}  // namespace distill
