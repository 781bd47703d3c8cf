#include "distillation/order/labelled_subset.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

namespace distill {
namespace {

using ::testing::HasSubstr;

// 10 classes in turn; every seventh example has no label.
std::vector<int32_t> Labels(int examples) {
  std::vector<int32_t> labels;
  for (int i = 0; i < examples; ++i) labels.push_back(i % 7 == 0 ? -1 : i % 10);
  return labels;
}

TEST(LabelledSubset, IsBalancedSortedAndLabelled) {
  const std::vector<int32_t> labels = Labels(1000);
  const auto subset = DrawLabelledSubset(labels, 10, 63, 5);
  ASSERT_TRUE(subset.ok()) << subset.status();
  std::vector<int> per_class(10);
  for (const uint64_t id : *subset) {
    ASSERT_NE(labels[id], -1);
    ++per_class[labels[id]];
  }
  EXPECT_EQ(per_class, (std::vector<int>{7, 7, 7, 6, 6, 6, 6, 6, 6, 6}));
  EXPECT_TRUE(std::ranges::is_sorted(*subset));
  EXPECT_EQ(std::ranges::adjacent_find(*subset), subset->end());
}

TEST(LabelledSubset, IsAFunctionOfTheSeed) {
  const std::vector<int32_t> labels = Labels(1000);
  EXPECT_EQ(*DrawLabelledSubset(labels, 10, 60, 5), *DrawLabelledSubset(labels, 10, 60, 5));
  EXPECT_NE(*DrawLabelledSubset(labels, 10, 60, 5), *DrawLabelledSubset(labels, 10, 60, 6));
}

TEST(LabelledSubset, AClassWithTooFewExamplesIsNamed) {
  const std::vector<int32_t> labels = {0, 1, 1, 1};
  const auto subset = DrawLabelledSubset(labels, 2, 4, 5);
  EXPECT_EQ(subset.status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(subset.status().message()), HasSubstr("class 0 has 1"));
}

TEST(LabelledSubset, ALabelOutsideTheClassesIsRefused) {
  const std::vector<int32_t> labels = {0, 3};
  const auto subset = DrawLabelledSubset(labels, 2, 1, 5);
  EXPECT_THAT(std::string(subset.status().message()), HasSubstr("example 1 has the label 3"));
}

}  // namespace
}  // namespace distill
