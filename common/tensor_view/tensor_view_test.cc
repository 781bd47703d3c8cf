#include "common/tensor_view/tensor_view.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace distill {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

constexpr ElementType kAll[] = {
    ElementType::kFloat32, ElementType::kFloat16, ElementType::kBFloat16, ElementType::kFloat64,
    ElementType::kUInt8,   ElementType::kInt32,   ElementType::kInt64};

TEST(ElementType, EveryTypeHasItsSizeAndName) {
  std::vector<std::string> names;
  std::vector<size_t> sizes;
  for (const ElementType type : kAll) {
    names.push_back(ElementTypeName(type));
    sizes.push_back(ElementBytes(type));
  }
  EXPECT_THAT(names,
              ElementsAre("float32", "float16", "bfloat16", "float64", "uint8", "int32", "int64"));
  EXPECT_THAT(sizes, ElementsAre(4, 2, 2, 8, 1, 4, 8));
}

TEST(CheckedElements, MultipliesTheDimensions) {
  EXPECT_EQ(*CheckedElements(std::vector<int64_t>{2, 3, 5}, 4), 30);
}

TEST(CheckedElements, AScalarHasOneElement) { EXPECT_EQ(*CheckedElements({}, 4), 1); }

TEST(CheckedElements, RefusesANegativeDimensionEvenBesideAZero) {
  const auto count = CheckedElements(std::vector<int64_t>{0, -1}, 4);
  EXPECT_EQ(count.status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(count.status().message()), HasSubstr("[0, -1]"));
}

TEST(CheckedElements, RefusesMoreElementsThanFit) {
  const int64_t half = int64_t{1} << 32;
  EXPECT_EQ(CheckedElements(std::vector<int64_t>{half, half}, 1).status().code(),
            absl::StatusCode::kOutOfRange);
}

TEST(CheckedElements, CountsTheBytesOfTheElements) {
  const int64_t dim = int64_t{1} << 61;
  EXPECT_EQ(*CheckedElements(std::vector<int64_t>{dim}, 2), dim);
  EXPECT_EQ(CheckedElements(std::vector<int64_t>{dim}, 4).status().code(),
            absl::StatusCode::kOutOfRange);
}

TEST(CheckedElements, AZeroDimensionMakesAnyOtherSizeFit) {
  const int64_t half = int64_t{1} << 32;
  EXPECT_EQ(*CheckedElements(std::vector<int64_t>{half, half, half, 0}, 8), 0);
}

TEST(TensorView, ReadsBackTheValuesItTookOver) {
  const TensorView view =
      MakeTensorView<float>(ElementType::kFloat32, {2, 2}, {1.0f, -2.0f, 0.5f, 4.0f});
  EXPECT_EQ(view.elements(), 4);
  EXPECT_EQ(view.bytes.size(), 16u);
  EXPECT_THAT(view.as<float>(), ElementsAre(1.0f, -2.0f, 0.5f, 4.0f));
}

TEST(TensorView, ACopySharesTheMemoryAndKeepsItAlive) {
  TensorView copy;
  const std::byte* data = nullptr;
  {
    const TensorView view = MakeTensorView<int64_t>(ElementType::kInt64, {2}, {7, 9});
    data = view.bytes.data();
    copy = view;
  }
  EXPECT_EQ(copy.bytes.data(), data);
  EXPECT_THAT(copy.as<int64_t>(), ElementsAre(7, 9));
}

TEST(TensorViewDeathTest, CrashesWhenReadAsATypeOfAnotherSize) {
  const TensorView view = MakeTensorView<float>(ElementType::kFloat32, {1}, {1.0f});
  EXPECT_DEATH(view.as<double>(), "another size");
}

TEST(TensorViewDeathTest, CrashesWhenTheValuesDoNotFillTheShape) {
  EXPECT_DEATH(MakeTensorView<float>(ElementType::kFloat32, {3}, {1.0f}), "shape");
}

}  // namespace
}  // namespace distill
