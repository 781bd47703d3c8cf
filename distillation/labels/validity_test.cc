#include "distillation/labels/validity.h"

#include <limits>
#include <string>
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
  EXPECT_TRUE(CheckTeacherLogits(values, 3).ok());
  EXPECT_TRUE(CheckTeacherLogits({}, 3).ok());
}

TEST(Validity, ANonFiniteValueIsNamedByRowAndClass) {
  for (const float bad :
       {std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity(),
        -std::numeric_limits<float>::infinity()}) {
    const std::vector<float> values = {1, 2, 3, 4, bad, 6};
    EXPECT_THAT(MessageOf(CheckFiniteRows(values, 3)), HasSubstr("row 1 is not finite: class 1"));
    EXPECT_THAT(MessageOf(CheckTeacherLogits(values, 2)),
                HasSubstr("row 2 is not finite: class 0"));
  }
}

TEST(Validity, AConstantRowIsNamed) {
  const std::vector<float> values = {1, 2, 3, 7, 7, 7};
  EXPECT_TRUE(CheckFiniteRows(values, 3).ok());
  EXPECT_THAT(MessageOf(CheckTeacherLogits(values, 3)),
              HasSubstr("row 1 is constant: all 3 classes are 7"));
  // Zero of either sign is one value.
  EXPECT_THAT(MessageOf(CheckTeacherLogits(std::vector<float>{0.0f, -0.0f}, 2)),
              HasSubstr("row 0 is constant"));
}

TEST(Validity, ASingleClassIsNotCalledConstant) {
  EXPECT_TRUE(CheckTeacherLogits(std::vector<float>{1, 1}, 1).ok());
}

}  // namespace
}  // namespace distill
