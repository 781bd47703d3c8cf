#include "distillation/labels/validity.h"

#include <cmath>
#include <limits>
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

}  // namespace
}  // namespace distill
