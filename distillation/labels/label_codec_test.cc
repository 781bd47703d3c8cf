#include "distillation/labels/label_codec.h"

#include <limits>
#include <utility>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace distill {
namespace {

using ::testing::HasSubstr;

TensorView Labels(int64_t rows, int64_t classes, std::vector<float> values) {
  return MakeTensorView(ElementType::kFloat32, {rows, classes}, std::move(values));
}

TEST(LabelCodec, AShapeWithoutClassesOrBeyondMemoryIsRefused) {
  EXPECT_EQ(*CheckedLabelShape(3, 10), 30);
  EXPECT_EQ(*CheckedLabelShape(0, 10), 0);
  EXPECT_EQ(CheckedLabelShape(-1, 10).status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(CheckedLabelShape(1, 0).status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(CheckedLabelShape(int64_t{1} << 40, int64_t{1} << 40).status().code(),
            absl::StatusCode::kOutOfRange);
  EXPECT_EQ(CheckedLabelShape(int64_t{1} << 61, 1).status().code(), absl::StatusCode::kOutOfRange);
}

TEST(LabelCodec, ARowThatIsNotFiniteIsRefusedByName) {
  const absl::Status status =
      CheckLabelsToEncode(Labels(2, 2, {1, 2, 3, std::numeric_limits<float>::quiet_NaN()}));
  EXPECT_EQ(status.code(), absl::StatusCode::kDataLoss);
  EXPECT_THAT(std::string(status.message()), HasSubstr("row 1 is not finite"));
}

TEST(LabelCodec, InputThatIsNotAFloatMatrixInHostMemoryIsRefused) {
  TensorView device = Labels(1, 2, {1, 2});
  device.device = 0;
  TensorView cut = Labels(1, 2, {1, 2});
  cut.bytes = cut.bytes.first(4);
  for (const TensorView& bad :
       {device, cut, MakeTensorView<float>(ElementType::kFloat32, {2}, {1, 2}),
        MakeTensorView<int32_t>(ElementType::kInt32, {1, 2}, {1, 2})}) {
    EXPECT_EQ(CheckLabelsToEncode(bad).code(), absl::StatusCode::kInvalidArgument);
  }
  EXPECT_TRUE(CheckLabelsToEncode(Labels(1, 2, {1, 2})).ok());
}

}  // namespace
}  // namespace distill
